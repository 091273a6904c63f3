import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { WeightsError } from '../../../src/base/errors.ts'
import type { StateDict } from '../../../src/base/stateDict.ts'
import { writePyTorch } from '../../../src/weights/pytorch/write.ts'
import { pytorch, runPyTorch } from '../../support/pytorch.ts'

const tensors: StateDict = {
  'features.0.weight': {
    shape: [2, 3, 5, 5],
    data: Float32Array.from({ length: 150 }, (_, i) => i / 7),
  },
  'features.0.bias': { shape: [2], data: Float32Array.of(-0, 1e-42) },
  '10': { shape: [], data: Float32Array.of(Number.POSITIVE_INFINITY) },
  grüße: { shape: [0, 300], data: new Float32Array(0) },
  five: { shape: [1, 1, 1, 1, 70_000], data: new Float32Array(70_000).fill(0.5) },
}
const metadata = { classes: '["ant","Biene"]', note: 'zwei\nZeilen, ß' }

/** What PyTorch finds in a file, as JSON. */
const inspect = `
import json, sys, torch
found = []
for options in ({}, {'weights_only': True}):
    loaded = torch.load(sys.argv[1], **options)
    found.append({
        'type': type(loaded).__name__,
        'metadata': getattr(loaded, 'metadata', None),
        'tensors': [[name, str(t.dtype), list(t.shape), t.is_contiguous(), t.requires_grad, t.numpy().tobytes().hex()] for name, t in loaded.items()],
    })
print(json.dumps(found))
`

let folder = ''
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'graft-pytorch-'))
})
afterAll(() => rm(folder, { recursive: true }))

describe('writePyTorch', () => {
  test.skipIf(!pytorch)(
    'torch.load reads names, types, shapes, bits and metadata (skipped without python3-torch)',
    async () => {
      const path = join(folder, 'written.pth')
      await writeFile(path, await writePyTorch(tensors, metadata))
      const wanted = {
        type: 'OrderedDict',
        metadata,
        tensors: Object.entries(tensors).map(([name, { shape, data }]) => [
          name,
          'torch.float32',
          shape,
          true,
          false,
          Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('hex'),
        ]),
      }
      expect(JSON.parse(runPyTorch(inspect, path))).toEqual([wanted, wanted])
    },
  )

  test('gives the same bytes every time, values at multiples of 64 bytes', async () => {
    const values = Float32Array.from({ length: 33 }, (_, i) => Math.fround(1.1 ** i))
    const one = { 'a.weight': { shape: [33], data: values } }
    const first = Buffer.from(await writePyTorch(one))
    await new Promise((done) => setTimeout(done, 10))
    expect(first.equals(await writePyTorch(one))).toBe(true)
    const at = first.indexOf(Buffer.from(values.buffer))
    expect(at).toBeGreaterThan(0)
    expect(at % 64).toBe(0)
  })

  test('takes the part of a larger buffer that an array views', async () => {
    const part = Float32Array.of(1, 2, 3, 4).subarray(1, 3)
    expect(await writePyTorch({ x: { shape: [2], data: part } })).toEqual(
      await writePyTorch({ x: { shape: [2], data: Float32Array.of(2, 3) } }),
    )
  })

  const one = Float32Array.of(1)
  const wrong: [string, StateDict, Record<string, string>, RegExp][] = [
    ['nothing', {}, {}, /no tensors/],
    ['too few data', { w: { shape: [2, 3], data: one } }, {}, /"w".*\[2, 3\].*6 elements.*hold 1/],
    ['half a surrogate pair', { 'a\ud800': { shape: [1], data: one } }, {}, /Unicode/],
    [
      'metadata that is no text',
      { w: { shape: [1], data: one } },
      { k: 3 as unknown as string },
      /"k".*number/,
    ],
  ]
  test.each(wrong)('refuses %s', async (_, values, texts, message) => {
    const failure = await writePyTorch(values, texts).catch((error: unknown) => error)
    expect(failure).toBeInstanceOf(WeightsError)
    expect(String(failure)).toMatch(message)
  })
})
