"""Checkpoints of a narrow alexnet-64 as training scripts save them: every way to nest the
state_dict, to prefix its names, to put something beside it, and every type of number.

usage: matrix.py FOLDER full|sample
Writes the files, and cases.json: for each file what it is, and the type whose values it has.
expected-TYPE.safetensors holds the values of each type as float32.
"""
import argparse, collections, importlib.util, json, os, sys
import torch

here = os.path.dirname(os.path.abspath(__file__))
spec = importlib.util.spec_from_file_location('fixtures', os.path.join(here, 'fixtures', 'make_fixtures.py'))
fixtures = importlib.util.module_from_spec(spec)
spec.loader.exec_module(fixtures)

folder, size = sys.argv[1:]
torch.manual_seed(1)
widths = [4, 6, 8, 8, 6]
net = collections.OrderedDict()
inputs = 3
for number, width, kernel in zip([0, 3, 6, 8, 10], widths, [5, 5, 3, 3, 3]):
    net[f'features.{number}.weight'] = torch.randn(width, inputs, kernel, kernel) * 0.1
    net[f'features.{number}.bias'] = torch.randn(width) * 0.1
    inputs = width
for number, shape in [(1, (12, 54)), (4, (12, 12)), (6, (5, 12))]:
    net[f'classifier.{number}.weight'] = torch.randn(*shape) * 0.1
    net[f'classifier.{number}.bias'] = torch.randn(shape[0]) * 0.1

types = {
    'float32': lambda t: t,
    'float16': lambda t: t.half(),
    'bfloat16': lambda t: t.bfloat16(),
    'float64': lambda t: t.double(),
    'int16': lambda t: (t * 100).round().to(torch.int16),
}

prefixes = ['', 'module.', 'model.', 'backbone.', 'net.module.encoder.', '_orig_mod.',
            'module._orig_mod.model.', 'features|']

def named(state, prefix):
    if prefix == 'features|':  # DataParallel around the features alone
        return {name.replace('features.', 'features.module.'): t for name, t in state.items()}
    return {prefix + name: t for name, t in state.items()}

def other(state):
    return {name: t + 1 for name, t in state.items()}

optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(3))], 0.1, momentum=0.9)
optimizer.param_groups[0]['params'][0].grad = torch.ones(3)
optimizer.step()
resumable = {
    'optimizer': optimizer.state_dict(),
    'scheduler': torch.optim.lr_scheduler.MultiStepLR(optimizer, [30, 60]).state_dict(),
}

# What stands beside the tensors in their dictionary, what stands around it, what has to happen.
extras = {
    'nothing': ({}, {}),
    'a loss': ({'criterion.weight': torch.ones(2)}, {}),
    'a counter': ({'n_averaged': torch.tensor(5)}, {'epoch': 7}),
    'an optimizer': ({}, resumable),
    'an object': ({}, {'args': argparse.Namespace(lr=0.1, arch='alexnet')}),
    'pruning': ({'PREFIXfeatures.0.weight_orig': torch.ones(4, 3, 5, 5)}, {}),
}

nestings = {
    'flat': lambda s, around: s if not around else {**around, 'state_dict': s},
    'state_dict': lambda s, around: {**around, 'state_dict': s},
    'model_state_dict': lambda s, around: {'model_state_dict': s, **around},
    'model': lambda s, around: {'model': s, **around},
    'net': lambda s, around: {'net': s, 'acc': 93.1, **around},
    'network': lambda s, around: {'network': s, **around},
    'weights': lambda s, around: {'history': [1, 2], 'weights': s, **around},
    'ema': lambda s, around: {'ema': s, 'updates': 100, **around},
    'an average beside': lambda s, around: {'state_dict': other(s), 'state_dict_ema': s, **around},
    'deep': lambda s, around: {'a': {'callbacks': {'EMA': {'state': {'params': s}}}}, **around},
    'a list': lambda s, around: [s, 7, around],
    'a tuple': lambda s, around: {'saved': (3, {'my stuff': s}), **around},
}

def rows():
    for t in types:
        for p, prefix in enumerate(prefixes):
            for e, extra in enumerate(extras):
                for n, nesting in enumerate(nestings):
                    # The sample has every pair of prefix and nesting once.
                    if size == 'full' or (e == (p + n) % len(extras) and t == list(types)[n % 5]):
                        yield t, prefix, extra, nesting
                if size == 'full' or t == list(types)[(p + e) % 5]:
                    yield t, prefix, extra, None

cases = []
for index, (t, prefix, extra, nesting) in enumerate(rows()):
    state = {name: types[t](tensor) for name, tensor in net.items()}
    beside, around = extras[extra]
    shown = '' if prefix == 'features|' else prefix
    inside = {**named(state, prefix),
              **{name.replace('PREFIX', shown): tensor for name, tensor in beside.items()}}
    name = f"{index}.{'pth' if nesting else 'safetensors'}"
    path = os.path.join(folder, name)
    if nesting:
        torch.save(nestings[nesting](inside, around), path)
    else:
        fixtures.write_safetensors(path, inside)
    ignored = [k for k in beside if 'PREFIX' not in k]
    cases.append({'file': name, 'type': t, 'prefix': prefix, 'extra': extra,
                  'nesting': nesting, 'ignored': ignored})

for t, convert in types.items():
    fixtures.write_safetensors(os.path.join(folder, f'expected-{t}.safetensors'),
                               {k: convert(v).float() for k, v in net.items()})
with open(os.path.join(folder, 'cases.json'), 'w') as out:
    json.dump(cases, out)
