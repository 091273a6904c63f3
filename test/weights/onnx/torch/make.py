"""Writes this folder's fixtures with PyTorch (Debian: python3-torch; CPU): torchvision's AlexNet with narrow layers as three of its
exporters' idioms write it, its logits, and its weights after three steps of SGD with dropout off.
Run: /usr/bin/python3 make.py"""
import json, os, struct
import numpy as np, torch, torch.nn as nn, torch.nn.functional as F

HERE = os.path.dirname(os.path.abspath(__file__))
CHANNELS, HIDDEN, CLASSES = (4, 6, 8, 6, 6), 16, 5


class AlexNet(nn.Module):
    """torchvision's layers; `flat` is how the features become a vector."""

    def __init__(self, flat):
        super().__init__()
        a, b, c, d, e = CHANNELS
        self.flat = flat
        self.features = nn.Sequential(
            nn.Conv2d(3, a, 11, stride=4, padding=2), nn.ReLU(inplace=True), nn.MaxPool2d(3, 2),
            nn.Conv2d(a, b, 5, padding=2), nn.ReLU(inplace=True), nn.MaxPool2d(3, 2),
            nn.Conv2d(b, c, 3, padding=1), nn.ReLU(inplace=True),
            nn.Conv2d(c, d, 3, padding=1), nn.ReLU(inplace=True),
            nn.Conv2d(d, e, 3, padding=1), nn.ReLU(inplace=True), nn.MaxPool2d(3, 2))
        self.avgpool = nn.AdaptiveAvgPool2d((6, 6))
        self.classifier = nn.Sequential(
            nn.Dropout(), nn.Linear(e * 36, HIDDEN), nn.ReLU(inplace=True),
            nn.Dropout(), nn.Linear(HIDDEN, HIDDEN), nn.ReLU(inplace=True), nn.Linear(HIDDEN, CLASSES))

    def forward(self, x):
        return self.classifier(self.flat(self.avgpool(self.features(x))))


def network(flat):
    torch.manual_seed(4)
    return AlexNet(flat)


def image(n):
    """The same pseudo-random input as the test makes: Knuth's multiplicative hash of the index, in -1..1."""
    i = np.arange(n * 3 * 224 * 224, dtype=np.uint32)
    return torch.from_numpy(((i * np.uint32(2654435761)) / 2**31 - 1).astype(np.float32)).view(n, 3, 224, 224)


def save(path, tensors):
    header, blobs, offset = {}, [], 0
    for name, t in tensors.items():
        raw = t.detach().contiguous().numpy().astype('<f4').tobytes()
        header[name] = {'dtype': 'F32', 'shape': list(t.shape), 'data_offsets': [offset, offset + len(raw)]}
        offset += len(raw)
        blobs.append(raw)
    text = json.dumps(header, separators=(',', ':')).encode()
    text += b' ' * (-len(text) % 8)
    with open(path, 'wb') as f:
        f.write(struct.pack('<Q', len(text)) + text + b''.join(blobs))


x, target = image(2), torch.tensor([3, 1])
flatten = lambda y: torch.flatten(y, 1)
view = lambda y: y.view(y.size(0), -1)
options = dict(input_names=['pixels'], output_names=['scores'])
dynamic = dict(dynamic_axes={'pixels': {0: 'n'}, 'scores': {0: 'n'}})
export = lambda name, model, **more: torch.onnx.export(model, x, os.path.join(HERE, name), **options, **more)
export('flatten.onnx', network(flatten).eval(), opset_version=13, **dynamic)
export('view.onnx', network(view).eval(), opset_version=9, **dynamic)
# Dropout stays in the graph, and the batch of two is written into it.
export('training.onnx', network(flatten).train(), opset_version=12, training=torch.onnx.TrainingMode.TRAINING, do_constant_folding=False)

model = network(flatten).eval()
results = {'logits': model(x)}
optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9, weight_decay=5e-4)
losses = []
for _ in range(3):
    optimizer.zero_grad()
    loss = F.cross_entropy(model(x), target)
    loss.backward()
    optimizer.step()
    losses.append(loss.detach())
results |= {'losses': torch.stack(losses), 'trained': model(x)}
results |= {f'final.{name}': value for name, value in model.state_dict().items()}
save(os.path.join(HERE, 'results.safetensors'), results)
print(losses)
