"""Makes a torchvision AlexNet of 61,100,840 random parameters: make_full.py FOLDER writes zip.pth, stream.pth and expected.safetensors."""
import importlib.util
import os
import sys

import torch
from torch import nn

here = os.path.dirname(os.path.abspath(__file__))
spec = importlib.util.spec_from_file_location("fixtures", os.path.join(here, "..", "fixtures", "make_fixtures.py"))
fixtures = importlib.util.module_from_spec(spec)
spec.loader.exec_module(fixtures)

torch.manual_seed(1)
net = fixtures.AlexNet((64, 192, 384, 256, 256), 4096, 1000)
state = net.state_dict()
torch.save(state, os.path.join(sys.argv[1], "zip.pth"))
torch.save(state, os.path.join(sys.argv[1], "stream.pth"), _use_new_zipfile_serialization=False)
x = fixtures.images(224)
net.eval()
with torch.no_grad():
    expected = {"logits": net(x)}
optimizer = torch.optim.SGD(net.parameters(), 0.01)
for _ in range(3):
    optimizer.zero_grad()
    nn.functional.cross_entropy(net(x), torch.tensor(fixtures.TARGETS)).backward()
    optimizer.step()
expected.update(net.state_dict())
fixtures.write_safetensors(os.path.join(sys.argv[1], "expected.safetensors"), {n: t.detach() for n, t in expected.items()})
