"""A step of AlexNet in PyTorch, timed on demand, for bench/networks/pytorch.ts.

    python3 bench/pytorch.py FOLDER THREADS

FOLDER holds task.json (the network's plan, targets, recipe, and the shape and position of every
array in arrays.bin) and arrays.bin (float32). The first line written is {"values": [...]}: logits
or loss of the first step; then one {"ms": ...} for every line read.
"""

import json
import sys
import time
from pathlib import Path

import torch
import torch.nn.functional as F

folder, threads = Path(sys.argv[1]), int(sys.argv[2])
torch.set_num_threads(threads)
task = json.loads((folder / "task.json").read_text())
plan = task["plan"]
numbers = torch.frombuffer(bytearray((folder / "arrays.bin").read_bytes()), dtype=torch.float32)


def array(name):
    shape, start = task["arrays"][name]["shape"], task["arrays"][name]["start"]
    return numbers[start : start + torch.Size(shape).numel()].reshape(shape).clone()


images, targets = array("images"), torch.tensor(task["targets"])
names = [name for name in task["arrays"] if name != "images"]
weights = {name: array(name).requires_grad_(task["training"]) for name in names}
optimizer = torch.optim.SGD(weights.values(), **task["recipe"]) if task["training"] else None


def forward():
    x = images
    for i, name in enumerate(task["convolutions"]):
        weight, bias = weights[name + ".weight"], weights[name + ".bias"]
        x = F.conv2d(x, weight, bias, stride=plan["stride"][i], padding=plan["padding"][i])
        x = F.relu(x, inplace=True)
        if plan["pooled"][i]:
            x = F.max_pool2d(x, 3, 2)
    x = x.flatten(1)
    for i, name in enumerate(task["dense"]):
        x = F.linear(x, weights[name + ".weight"], weights[name + ".bias"])
        if i < 2:
            x = F.relu(x, inplace=True)
    return x


def step():
    if optimizer is None:
        with torch.no_grad():
            return forward().flatten().tolist()
    loss = F.cross_entropy(forward(), targets)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return [loss.item()]


print(json.dumps({"values": step()}), flush=True)
for _ in sys.stdin:
    begun = time.perf_counter()
    step()
    print(json.dumps({"ms": (time.perf_counter() - begun) * 1000}), flush=True)
