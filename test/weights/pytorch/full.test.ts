import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { crossEntropy } from '../../../src/autograd/functions.ts'
import { alexnet } from '../../../src/nn/alexnet.ts'
import { SGD } from '../../../src/optim/sgd.ts'
import { sizeOf } from '../../../src/tensor/ndbuffer.ts'
import { readSafetensors } from '../../../src/weights/safetensors.ts'
import { relativeError } from '../../support/compare.ts'
import { testEngine } from '../../support/engine.ts'
import { pytorch } from '../../support/pytorch.ts'

const run = promisify(execFile)
const script = fileURLToPath(new URL('make_full.py', import.meta.url))
const reader = fileURLToPath(new URL('peak.ts', import.meta.url))

let folder = ''
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'graft-full-'))
  if (pytorch) await run(pytorch, [script, folder])
})
afterAll(() => rm(folder, { recursive: true }))

// Made on the spot: 244 MB are nothing to commit.
describe.skipIf(!pytorch)(
  'torchvision’s AlexNet with all its 61,100,840 parameters (skipped without python3-torch)',
  () => {
    test.each(['zip.pth', 'stream.pth'])(
      '%s, 244 MB, is held once while it is read',
      async (name) => {
        const { stdout } = await run(process.execPath, [
          '--import',
          'tsx',
          reader,
          join(folder, name),
        ])
        const { parameters, heldMiB, peakMiB } = JSON.parse(stdout) as {
          parameters: number
          heldMiB: number
          peakMiB: number
        }
        expect(parameters).toBe(61_100_840)
        // 233 MiB of numbers, and what a process takes that has read nothing; twice the numbers would
        // be 466 MiB more.
        expect(peakMiB - heldMiB).toBeLessThan(350)
      },
    )

    test('logits, and weights after three steps of SGD without dropout, are PyTorch’s', async () => {
      const engine = await testEngine()
      const model = await alexnet(engine, { weights: join(folder, 'zip.pth'), dropout: 0 })
      expect(model.parameters().reduce((sum, { shape }) => sum + sizeOf(shape), 0)).toBe(61_100_840)
      const expected = readSafetensors(await readFile(join(folder, 'expected.safetensors'))).tensors
      const images = Float32Array.from(
        { length: 2 * 3 * 224 * 224 },
        (_, i) => ((i * 7919) % 2048) / 1024 - 1,
      )
      const x = engine.tensor(images, [2, 3, 224, 224])
      const y = model.forward(x)
      expect(relativeError(await y.data(), expected.logits?.data ?? [])).toBeLessThan(1e-4)
      y.dispose()
      const optimizer = new SGD(model.parameters(), { lr: 0.01 })
      for (let step = 0; step < 3; step++) {
        const loss = crossEntropy(model.forward(x, { training: true }), Int32Array.of(3, 1))
        loss.backward()
        optimizer.step()
        optimizer.zeroGrad()
        loss.dispose()
      }
      for (const [name, { data }] of Object.entries(await model.stateDict()))
        expect(relativeError(data, expected[name]?.data ?? []), name).toBeLessThan(1e-3)
      x.dispose()
      optimizer.dispose()
      model.dispose()
    })
  },
)
