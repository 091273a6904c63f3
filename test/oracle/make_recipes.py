"""Writes recipes.json beside it with PyTorch (Debian: python3-torch; CPU), computed in float64: schedules of the learning rate, weighted
and soft cross-entropy, clipped gradients, averaged weights.
Run: /usr/bin/python3 make_recipes.py"""
import json, os, warnings
import torch, torch.nn.functional as F
from torch.optim.lr_scheduler import CosineAnnealingLR, LinearLR, OneCycleLR, SequentialLR
from torch.optim.swa_utils import AveragedModel

warnings.filterwarnings('ignore')
torch.set_default_dtype(torch.float64)
generator = torch.Generator().manual_seed(11)
rnd = lambda *shape: torch.randn(shape, generator=generator).float().double()  # numbers that float32 has
flat = lambda t: t.detach().reshape(-1).tolist()


def schedule(make, steps, optimizer=torch.optim.SGD, **options):
    """The rate and momentum that each of the first steps is taken with."""
    opt = optimizer([torch.zeros(1, requires_grad=True)], lr=options.pop('lr'), **options)
    scheduler, rates, momenta = make(opt), [], []
    for _ in range(steps):
        group = opt.param_groups[0]
        rates.append(group['lr'])
        momenta.append(group['momentum'] if 'momentum' in group else group['betas'][0])
        opt.step()
        scheduler.step()
    return rates, momenta


schedules = []
for steps, options in [(40, {}), (17, dict(pct_start=0.99, div_factor=25, final_div_factor=1e5 / 25)), (2, {}),
                       (30, dict(pct_start=0.25, div_factor=5, final_div_factor=1e5 / 5)), (23, dict(base_momentum=0.8, max_momentum=0.9))]:
    for optimizer, more in [(torch.optim.SGD, dict(momentum=0.9)), (torch.optim.Adam, {})]:
        rates, momenta = schedule(lambda opt: OneCycleLR(opt, 0.02, total_steps=steps, **options), steps, optimizer, lr=0.02, **more)
        schedules.append(dict(kind='one-cycle', steps=steps, lr=0.02, options=options, rates=rates, momenta=momenta))
for steps, minimum in [(25, 0), (9, 1e-4), (1, 0)]:
    rates, _ = schedule(lambda opt: CosineAnnealingLR(opt, steps, eta_min=minimum), steps, lr=0.1)
    schedules.append(dict(kind='cosine', steps=steps, lr=0.1, options=dict(minimum=minimum), rates=rates))
for steps, warmup, start in [(30, 6, 0.01), (12, 1, 0.01)]:
    rates, _ = schedule(lambda opt: SequentialLR(opt, [LinearLR(opt, start, total_iters=warmup), CosineAnnealingLR(opt, steps - warmup)], [warmup]),
                        steps, lr=0.1)
    schedules.append(dict(kind='cosine', steps=steps, lr=0.1, options=dict(warmup=warmup, warmupStart=start), rates=rates))

losses = []
for n, classes, soft, weighted, smoothing, reduction in [
        (9, 5, False, True, 0, 'mean'), (9, 5, False, True, 0.1, 'mean'), (6, 3, False, True, 0.2, 'none'), (7, 4, False, True, 0, 'sum'),
        (8, 6, True, False, 0, 'mean'), (8, 6, True, False, 0.1, 'mean'), (5, 3, True, True, 0.1, 'mean'), (5, 3, True, True, 0, 'none')]:
    logits = (rnd(n, classes) * 2).requires_grad_()
    weight = rnd(classes).abs() if weighted else None
    target = F.softmax(rnd(n, classes), 1).float().double() if soft else torch.randint(0, classes, (n,), generator=generator)
    loss = F.cross_entropy(logits, target, weight=weight, label_smoothing=smoothing, reduction=reduction)
    dloss = rnd(*loss.shape)
    loss.backward(dloss)
    losses.append(dict(n=n, classes=classes, soft=soft, labelSmoothing=smoothing, reduction=reduction, logits=flat(logits), target=flat(target),
                       weight=None if weight is None else flat(weight), loss=flat(loss), dloss=flat(dloss), dlogits=flat(logits.grad)))

clips = []
for sizes, scale, max_norm in [([5, 300, 1], 1, 2.5), ([7, 4], 1e-3, 1), ([3], 1e4, 0.1), ([64, 65], 0, 1)]:
    parameters = [torch.zeros(n, requires_grad=True) for n in sizes]
    for p in parameters:
        p.grad = (rnd(p.numel()) * scale).float().double()
    before = [flat(p.grad) for p in parameters]
    norm = torch.nn.utils.clip_grad_norm_(parameters, max_norm)
    clips.append(dict(maxNorm=max_norm, norm=float(norm), before=before, after=[flat(p.grad) for p in parameters]))

averages = []
for decay in [0.9, 0.999]:
    model = torch.nn.Linear(3, 2)
    with torch.no_grad():
        for p in model.parameters():
            p.copy_(rnd(*p.shape))
    averaged = AveragedModel(model, avg_fn=lambda average, new, n: decay * average + (1 - decay) * new)
    values, results = [], []
    averaged.update_parameters(model)  # the first call copies
    start = flat(model.weight)
    for _ in range(5):
        with torch.no_grad():
            for p in model.parameters():
                p.copy_(rnd(*p.shape))
        averaged.update_parameters(model)
        values.append(flat(model.weight))
        results.append(flat(averaged.module.weight))
    averages.append(dict(decay=decay, start=start, values=values, averages=results))

with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), 'recipes.json'), 'w') as f:
    json.dump(dict(torch=torch.__version__, schedules=schedules, losses=losses, clips=clips, averages=averages), f)
