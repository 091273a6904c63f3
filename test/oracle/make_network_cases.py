"""Adds to this folder cases of the operators that networks after AlexNet are made of, and short trainings of two narrow ResNets, from
PyTorch (Debian: python3-torch; CPU), computed in float64, stored as float32.
Run after make_train_cases.py, which writes cases.json anew: /usr/bin/python3 make_network_cases.py"""
import json, os, struct
import torch, torch.nn as nn, torch.nn.functional as F

HERE = os.path.dirname(os.path.abspath(__file__))
generator = torch.Generator().manual_seed(19)
rnd = lambda *shape: torch.randn(*shape, generator=generator)
path = os.path.join(HERE, 'cases.json')
listing = json.load(open(path))
own = ['batchnorm', 'depthwise', 'avgpool2d', 'add', 'concat', 'relu6', 'clamp', 'sigmoid', 'silu', 'hardswish', 'resnet']
cases = [case for case in listing['cases'] if case['op'] not in own]


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


def emit(op, name, attrs, inputs, compute, **after):
    """One case: y and every gradient of `compute` for these inputs; `after` names what it changes of them in place."""
    leaves = {key: value.double().requires_grad_(key not in after) for key, value in inputs.items()}
    y = compute(**leaves)
    dy = rnd(*y.shape)
    y.backward(dy.double())
    gradients = {f'd{key}': leaf.grad for key, leaf in leaves.items() if leaf.grad is not None}
    changed = {f'{key}_after': leaves[key] for key, is_changed in after.items() if is_changed}
    file = f'{op}-{name}.safetensors'
    save(os.path.join(HERE, file), {**inputs, 'y': y, 'dy': dy, **gradients, **changed})
    cases.append(dict(file=file, op=op, name=name, attrs=attrs))


for name, shape, training, momentum, epsilon, relu in [
    ('train', (4, 5, 6, 7), True, 0.1, 1e-5, False), ('train-relu', (3, 4, 5, 3), True, 0.3, 1e-3, True), ('rows', (9, 7), True, 0.1, 1e-5, False),
    ('one-pixel', (6, 5, 1, 1), True, 0.1, 1e-5, False), ('eval', (2, 5, 4, 4), False, 0.1, 1e-5, False), ('eval-one', (1, 6, 1, 1), False, 0.1, 1e-5, True)]:
    c = shape[1]
    inputs = dict(x=rnd(*shape) * 2 + 3, weight=rnd(c), bias=rnd(c), mean=rnd(c), variance=rnd(c).abs() + 0.1)

    def compute(x, weight, bias, mean, variance):
        y = F.batch_norm(x, mean, variance, weight, bias, training, momentum, epsilon)
        return y.relu() if relu else y
    emit('batchnorm', name, dict(training=training, momentum=momentum, epsilon=epsilon, relu=relu), inputs, compute, mean=training, variance=training)

for name, (n, c, h, w), multiplier, kernel, stride, padding in [
    ('stride2', (2, 6, 9, 11), 1, 3, 2, 1), ('multiplier', (3, 4, 7, 6), 3, 5, 1, 2), ('one-pixel', (2, 5, 1, 1), 1, 3, 1, 1), ('wide', (1, 3, 8, 20), 2, 7, 3, 0)]:
    if h + 2 * padding < kernel:
        raise ValueError(name)
    inputs = dict(x=rnd(n, c, h, w), weight=rnd(c * multiplier, 1, kernel, kernel), bias=rnd(c * multiplier))
    emit('depthwise', name, dict(stride=stride, padding=padding, groups=c), inputs,
         lambda x, weight, bias: F.conv2d(x, weight, bias, stride, padding, 1, c))

for name, shape, kernel, stride, padding, ceil, counted in [
    ('plain', (2, 3, 8, 9), 2, 2, 0, False, True), ('padded', (2, 3, 7, 9), 3, 1, 1, False, True), ('not-counted', (2, 3, 7, 9), 3, 2, 1, False, False),
    ('ceil', (2, 3, 8, 9), 3, 2, 1, True, True), ('ceil-not-counted', (1, 2, 8, 9), 3, 2, 1, True, False)]:
    emit('avgpool2d', name, dict(kernel=kernel, stride=stride, padding=padding, ceilMode=ceil, countIncludePad=counted), dict(x=rnd(*shape)),
         lambda x: F.avg_pool2d(x, kernel, stride, padding, ceil, counted))

emit('add', 'relu', dict(relu=True), dict(a=rnd(2, 3, 5, 3), b=rnd(2, 3, 5, 3)), lambda a, b: (a + b).relu())
emit('concat', 'three', {}, dict(a=rnd(2, 3, 5, 3), b=rnd(2, 1, 5, 3), c=rnd(2, 4, 5, 3)), lambda **parts: torch.cat(list(parts.values()), 1))
edges = torch.tensor([-6.0, -3, -1, -0.5, 0, 0.5, 1, 3, 6, 20, -20])
many = torch.cat([rnd(90) * 4, edges])
for op, attrs, compute in [('relu6', {}, F.relu6), ('clamp', dict(low=-1, high=0.5), lambda x: x.clamp(-1, 0.5)), ('sigmoid', {}, torch.sigmoid),
                           ('silu', {}, F.silu), ('hardswish', {}, F.hardswish)]:
    emit(op, 'many', attrs, dict(x=many), lambda x: compute(x))


class Block(nn.Module):
    """A block of torchvision's ResNets, with its names."""

    def __init__(self, inputs, width, stride, bottleneck):
        super().__init__()
        outputs = 4 * width if bottleneck else width
        conv = lambda i, o, k, s=1: nn.Conv2d(i, o, k, s, k // 2, bias=False)
        self.conv1, self.bn1 = (conv(inputs, width, 1) if bottleneck else conv(inputs, width, 3, stride)), nn.BatchNorm2d(width)
        self.conv2, self.bn2 = conv(width, width, 3, stride if bottleneck else 1), nn.BatchNorm2d(width)
        self.bottleneck = bottleneck
        if bottleneck:
            self.conv3, self.bn3 = conv(width, outputs, 1), nn.BatchNorm2d(outputs)
        self.downsample = nn.Sequential(conv(inputs, outputs, 1, stride), nn.BatchNorm2d(outputs)) if stride != 1 or inputs != outputs else None

    def forward(self, x):
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        if self.bottleneck:
            y = self.bn3(self.conv3(F.relu(y)))
        return F.relu(y + (self.downsample(x) if self.downsample else x))


class ResNet(nn.Module):
    """torchvision's ResNets, with their names."""

    def __init__(self, blocks, bottleneck, channels, classes):
        super().__init__()
        self.conv1, self.bn1, inputs = nn.Conv2d(3, channels[0], 7, 2, 3, bias=False), nn.BatchNorm2d(channels[0]), channels[0]
        for stage, (count, width) in enumerate(zip(blocks, channels)):
            layers = []
            for i in range(count):
                layers.append(Block(inputs, width, 2 if stage and not i else 1, bottleneck))
                inputs = 4 * width if bottleneck else width
            setattr(self, f'layer{stage + 1}', nn.Sequential(*layers))
        self.fc = nn.Linear(inputs, classes)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.bn1(self.conv1(x))), 3, 2, 1)
        for stage in range(1, 5):
            x = getattr(self, f'layer{stage}')(x)
        return self.fc(F.adaptive_avg_pool2d(x, 1).flatten(1))


def train(net, freeze, xs, ts, lr):
    """Losses, first gradients and state after the first and the last step. What is frozen runs in eval mode, statistics included."""
    for name, p in net.named_parameters():
        p.requires_grad = not any(name.startswith(f) for f in freeze)
    net.train()
    for name, module in net.named_modules():
        if isinstance(module, nn.BatchNorm2d) and any(name.startswith(f) for f in freeze):
            module.eval()
    opt = torch.optim.SGD([p for p in net.parameters() if p.requires_grad], lr, momentum=0.9)
    losses, found = [], {}
    for step in range(5):
        x, t = xs[step % 2], ts[step % 2]
        opt.zero_grad()
        loss = F.cross_entropy(net(x), t)
        loss.backward()
        losses.append(loss.detach())
        if step == 0:
            found |= {f'grad.{k}': p.grad.clone() for k, p in net.named_parameters() if p.grad is not None}
        opt.step()
        if step == 0:
            found |= {f'first.{k}': v.clone() for k, v in net.state_dict().items() if 'running' in k}
    found |= {f'final.{k}': v.clone() for k, v in net.state_dict().items() if not k.endswith('num_batches_tracked')}
    net.eval()
    return {'losses': torch.stack(losses), **found, 'logits': net(xs[0]).detach()}


RATE = 0.005
for variant, blocks, bottleneck, channels, freeze in [
    ('resnet18', [2, 2, 2, 2], False, [4, 4, 6, 8], []), ('resnet18', [2, 2, 2, 2], False, [4, 4, 6, 8], ['conv1', 'bn1', 'layer1', 'layer2.1']),
    ('resnet50', [3, 4, 6, 3], True, [2, 2, 3, 4], [])]:
    torch.manual_seed(5)
    net = ResNet(blocks, bottleneck, channels, 4)
    for p in net.parameters():
        if p.dim() > 1:
            nn.init.kaiming_normal_(p)
    for name, p in net.named_parameters():  # so many narrow blocks add up: each begins with a small share
        if name.endswith('bn3.weight'):
            nn.init.constant_(p, 0.25)
    init = {k: v.clone() for k, v in net.state_dict().items() if v.is_floating_point()}
    xs, ts = rnd(2, 4, 3, 33, 33), torch.randint(0, 4, (2, 4), generator=generator)
    found = train(net.double(), freeze, xs.double(), ts, RATE)
    single = ResNet(blocks, bottleneck, channels, 4)
    single.load_state_dict(init, strict=False)
    alike = train(single, freeze, xs, ts, RATE)
    worst = max((float((alike[k] - v).norm() / v.norm().clamp_min(1e-30)), k) for k, v in found.items())
    # A run is only worth comparing with where float32 follows float64 far more closely than the tolerance of 1e-3.
    assert worst[0] < 1e-4, (variant, worst)
    name = f"{variant}-{'frozen' if freeze else 'all'}"
    print(name, 'losses', found['losses'].tolist(), 'float32 off by', worst)
    file = f'train-{name}.safetensors'
    save(os.path.join(HERE, file), {'x': xs, 'target': ts, **{f'init.{k}': v for k, v in init.items()}, **found})
    cases.append(dict(file=file, op='resnet', name=name, attrs=dict(variant=variant, channels=channels, freeze=freeze, lr=RATE, momentum=0.9)))

open(path, 'w').write(json.dumps({**listing, 'cases': cases}, indent=1) + '\n')
print(len(cases), 'cases')
