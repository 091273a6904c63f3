"""Writes the fixtures of this folder with PyTorch (Debian: python3-torch; CPU): copies the files of at most 200 KB from a folder of
oracle cases, then adds narrow training runs and operator cases that folder lacks (computed in float64, stored as float32).
Run: /usr/bin/python3 make_train_cases.py ORACLE_FOLDER"""
import json, os, shutil, struct, sys
import torch, torch.nn as nn, torch.nn.functional as F

HERE, SOURCE, LIMIT = os.path.dirname(os.path.abspath(__file__)), sys.argv[1], 200_000
generator = torch.Generator().manual_seed(7)
rnd = lambda *shape: torch.randn(*shape, generator=generator)


def save(path, tensors):
    header, blobs, offset = {}, [], 0
    for name, t in tensors.items():
        integer = not t.is_floating_point()
        raw = t.detach().contiguous().numpy().astype('<i4' if integer else '<f4').tobytes()
        header[name] = {'dtype': 'I32' if integer else 'F32', 'shape': list(t.shape), 'data_offsets': [offset, offset + len(raw)]}
        offset += len(raw)
        blobs.append(raw)
    text = json.dumps(header, separators=(',', ':')).encode()
    text += b' ' * (-len(text) % 8)
    with open(path, 'wb') as f:
        f.write(struct.pack('<Q', len(text)) + text + b''.join(blobs))


listing = json.load(open(os.path.join(SOURCE, 'cases.json')))
cases = [c for c in listing['cases'] if os.path.getsize(os.path.join(SOURCE, c['file'])) <= LIMIT]
for c in cases:
    shutil.copyfile(os.path.join(SOURCE, c['file']), os.path.join(HERE, c['file']))


def emit(op, name, attrs, **tensors):
    file = f'{op}-{name}.safetensors'
    save(os.path.join(HERE, file), tensors)
    cases.append(dict(file=file, op=op, name=name, attrs=attrs))


def double(x):
    return x.double().requires_grad_()


def backward(out, *leaves):
    dy = rnd(*out.shape)
    out.backward(dy.double())
    return [dy] + [leaf.grad for leaf in leaves]


for name, x in dict(odd=rnd(7, 33), wide=rnd(4, 1000) * 3, shifted=rnd(6, 5) * 2 + 1e4, one=rnd(3, 1)).items():
    xd = double(x)
    y = F.softmax(xd, -1)
    dy, dx = backward(y, xd)
    emit('softmax', name, {}, x=x, y=y, dy=dy, dx=dx)

for name, n, classes, smoothing, reduction in [('sum', 9, 7, 0.1, 'sum'), ('none', 5, 13, 0, 'none'), ('none-smooth', 6, 4, 0.2, 'none')]:
    x, target = rnd(n, classes) * 2, torch.randint(0, classes, (n,), generator=generator)
    xd = double(x)
    loss = F.cross_entropy(xd, target, label_smoothing=smoothing, reduction=reduction).reshape(-1)
    dloss, dx = backward(loss, xd)
    emit('crossentropy', name, dict(labelSmoothing=smoothing, reduction=reduction), logits=x, target=target, loss=loss, dloss=dloss, dlogits=dx)

x, weight = rnd(2, 4, 9, 10), rnd(6, 2, 3, 3) / 18**0.5
xd, wd = double(x), double(weight)
y = F.conv2d(xd, wd, None, 2, 1, 1, 2)
dy, dx, dw = backward(y, xd, wd)
emit('conv2d', 'strided-groups-nobias', dict(stride=2, padding=1, groups=2), x=x, weight=weight, y=y, dy=dy, dx=dx, dweight=dw)

for name, shape, size, alpha, beta, k in [('even', (2, 7, 3, 5), 4, 0.1, 0.75, 2.0), ('wide-window', (1, 3, 2, 2), 9, 0.5, 0.5, 1.0)]:
    x = rnd(*shape) * 3
    xd = double(x)
    y = F.local_response_norm(xd, size, alpha, beta, k)
    dy, dx = backward(y, xd)
    emit('lrn', name, dict(size=size, alpha=alpha, beta=beta, k=k), x=x, y=y, dy=dy, dx=dx)


class Net(nn.Module):
    """alexnet-64 without dropout: torchvision's parameter names, widths c and f."""

    def __init__(self, n, c, f):
        super().__init__()
        pool = lambda: nn.MaxPool2d(3, 2)
        self.features = nn.Sequential(
            nn.Conv2d(3, c[0], 5, 2, 2), nn.ReLU(), pool(), nn.Conv2d(c[0], c[1], 5, 1, 2), nn.ReLU(), pool(),
            nn.Conv2d(c[1], c[2], 3, 1, 1), nn.ReLU(), nn.Conv2d(c[2], c[3], 3, 1, 1), nn.ReLU(), nn.Conv2d(c[3], c[4], 3, 1, 1), nn.ReLU(), pool())
        self.classifier = nn.Sequential(
            nn.Identity(), nn.Linear(c[4] * 9, f), nn.ReLU(), nn.Identity(), nn.Linear(f, f), nn.ReLU(), nn.Linear(f, n))

    def forward(self, x):
        return self.classifier(self.features(x).flatten(1))


CHANNELS, HIDDEN, CLASSES, BATCH, BATCHES, STEPS = [4, 6, 8, 8, 6], 12, 4, 3, 2, 15


def train(net, freeze, xs, ts, options):
    for name, p in net.named_parameters():
        p.requires_grad = not any(name.startswith(f) for f in freeze)
    opt = torch.optim.SGD([p for p in net.parameters() if p.requires_grad], **options)
    losses, first = [], {}
    for step in range(STEPS):
        opt.zero_grad()
        loss = F.cross_entropy(net(xs[step % BATCHES]), ts[step % BATCHES])
        loss.backward()
        losses.append(loss.detach())
        if step == 0:
            first = {f'grad.{k}': p.grad.clone() for k, p in net.named_parameters() if p.grad is not None}
        opt.step()
    return torch.stack(losses), first, {f'final.{k}': v.clone() for k, v in net.state_dict().items()}


for name, freeze, decay in [('finetune-all', [], {}), ('frozen-features', ['features'], {}),
                            ('frozen-early', ['features.0', 'features.3', 'features.6'], dict(weight_decay=1e-3))]:
    torch.manual_seed(3)
    net = Net(CLASSES, CHANNELS, HIDDEN)
    for p in net.parameters():  # PyTorch's own initial values are too small for a net this narrow to move in 15 steps
        if p.dim() > 1:
            nn.init.kaiming_normal_(p)
    init = {k: v.clone() for k, v in net.state_dict().items()}
    xs, ts = rnd(BATCHES, BATCH, 3, 64, 64), torch.randint(0, CLASSES, (BATCHES, BATCH), generator=generator)
    options = dict(lr=0.01, momentum=0.9, **decay)
    losses, first, final = train(net.double(), freeze, xs.double(), ts, options)
    single = Net(CLASSES, CHANNELS, HIDDEN)
    single.load_state_dict(init)
    l32, g32, f32 = train(single, freeze, xs, ts, options)
    # A run is only worth comparing with where float32 follows float64 far more closely than the tolerance of 1e-3.
    worst = max(float((f32[k] - v).norm() / v.norm().clamp_min(1e-30)) for k, v in final.items())
    assert worst < 1e-4 and float((l32 - losses).abs().max() / losses.abs().max()) < 1e-4, (name, worst)
    print(name, 'loss', float(losses[0]), '->', float(losses[-1]), 'float32 off by', worst)
    emit('train', f'small-{name}', dict(channels=CHANNELS, hidden=HIDDEN, classes=CLASSES, freeze=freeze, **options), x=xs, target=ts, losses=losses,
         **{f'init.{k}': v for k, v in init.items()}, **first, **final)

listing['cases'] = cases
with open(os.path.join(HERE, 'cases.json'), 'w') as f:
    json.dump(listing, f, indent=1)
    f.write('\n')
print(len(cases), 'cases')
