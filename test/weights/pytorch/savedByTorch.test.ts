import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { loadWeights } from '../../../src/weights/load.ts'
import { pytorch, runPyTorch } from '../../support/pytorch.ts'

/** What torch.load and numpy.load read, in files of every name and with all that rides along. */
const script = `
import argparse, collections, datetime, enum, os, pathlib, sys, numpy, torch
os.chdir(sys.argv[1])
state = {'features.0.bias': torch.arange(4.)}
for length in range(1, 121): torch.save(state, 'x' * length + '.pth')
for stem in ['.', '..', 'e:', 'e:05_acc:0.97', ' ', 'grüße', '日本', 'a.b', chr(10), 'data']:
    torch.save(state, stem + '.pth')
arrays = {name: numpy.arange(4, dtype='f4') for name in ['features.0.bias', '../up', '/top', 'a//b', 'a:0', '', 'C:' + chr(92) + 'x', 'grüße']}
numpy.savez('plain.npz', **arrays)
numpy.savez_compressed('packed.npz', **arrays)
with open('after.pth', 'wb') as file:
    torch.save(state, file)
    file.write(b'PK' * 100)
class Color(enum.Enum): RED = 1
optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(3))], 0.1, momentum=0.9)
beside = {
    'scheduler': torch.optim.lr_scheduler.MultiStepLR(optimizer, [30, 60]).state_dict(),
    'optimizer': optimizer.state_dict(), 'whole': optimizer, 'loss': torch.nn.CrossEntropyLoss(),
    'set': {1}, 'frozen': frozenset('a'), 'complex': 1j, 'size': torch.Size([3]), 'device': torch.device('cpu'),
    'dtype': torch.float32, 'range': range(3), 'lists': collections.defaultdict(list, a=[1]),
    'time': datetime.datetime.now(datetime.timezone.utc), 'took': datetime.timedelta(1),
    'number': numpy.float64(0.5), 'array': numpy.arange(3), 'text': numpy.str_('a'), 'random': numpy.random.get_state(),
    'args': argparse.Namespace(lr=0.1), 'path': pathlib.Path('a'), 'color': Color.RED, 'function': os.path.join,
    'complex tensor': torch.zeros(2, dtype=torch.complex64), 'sparse': torch.eye(2).to_sparse(),
    'bytes': b'a', 'array of bytes': bytearray(b'a'), 'parameter': torch.nn.Parameter(torch.zeros(2)),
}
for name, value in beside.items():
    for protocol in (2, 4, 5):
        for zipped in (True, False):
            torch.save({'state_dict': state, name: value}, f'{name} {protocol} {zipped}.pth', pickle_protocol=protocol, _use_new_zipfile_serialization=zipped)
class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.features = torch.nn.Sequential(torch.nn.Conv2d(1, 4, 1))
        self.features[0].bias.data = torch.arange(4.)
    def forward(self, x): return self.features(x)
if hasattr(torch, 'export'): torch.export.save(torch.export.export(Net(), (torch.zeros(1, 1, 2, 2),)), 'exported.pt2')
if hasattr(torch.serialization, 'set_crc32_options'):
    torch.serialization.set_crc32_options(False)
    torch.save(state, 'unchecked.pth')
`

let folder = ''
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'graft-torch-'))
})
afterAll(() => rm(folder, { recursive: true }))

describe('files that PyTorch and NumPy write', () => {
  test.skipIf(!pytorch)(
    'are read whatever they are called and hold beside the weights (skipped without python3-torch)',
    async () => {
      runPyTorch(script, folder)
      const files = await readdir(folder)
      expect(files.length).toBeGreaterThan(250)
      for (const file of files) {
        const { tensors } = await loadWeights(join(folder, file)).catch((error: unknown) => {
          throw new Error(`${file}: ${String(error)}`)
        })
        expect([...(tensors['features.0.bias']?.data ?? [])], file).toEqual([0, 1, 2, 3])
      }
    },
  )
})
