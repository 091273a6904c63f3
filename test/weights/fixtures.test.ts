import { copyFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { crossEntropy } from '../../src/autograd/functions.ts'
import type { StateDict } from '../../src/base/stateDict.ts'
import { alexnet } from '../../src/nn/alexnet.ts'
import type { Network } from '../../src/nn/network.ts'
import { SGD } from '../../src/optim/sgd.ts'
import { applyScenario } from '../../src/transfer/scenario.ts'
import { loadWeights } from '../../src/weights/load.ts'
import { readSafetensors, writeSafetensors } from '../../src/weights/safetensors.ts'
import { relativeError } from '../support/compare.ts'
import { testEngine } from '../support/engine.ts'

/** A file that fixtures/make_fixtures.py made. */
const fixture = (name: string) => fileURLToPath(new URL(`fixtures/${name}`, import.meta.url))

/** What PyTorch computed, by name. */
const expected: StateDict = readSafetensors(await readFile(fixture('expected.safetensors'))).tensors

/** The values that all exact files hold. */
const original: StateDict = readSafetensors(await readFile(fixture('f32.safetensors'))).tensors

const exact = [
  'zip-f32.pth',
  'zip-f64.pt',
  'zip-strided.pth',
  'zip-shared.pth',
  'zip-nested.pth',
  'zip-model.pth',
  'zip-parameters.pth',
  'zip-protocol4.pth',
  'stream-f32.pth',
  'stream-shared.pth',
  'stream-nested.pth',
  'stream-protocol5.pth',
  'stream-old.pth',
  'f32.safetensors',
  'sharded/model.safetensors.index.json',
  'tfjs/model.json',
]

/** Files of which PyTorch's logits are those of other values: rounded, or of another network. */
const others: [file: string, logits: string, dtypes: string[]][] = [
  ['zip-f16.pth', 'f16', ['F16']],
  ['stream-f16.pth', 'f16', ['F16']],
  ['f16.safetensors', 'f16', ['F16']],
  ['tfjs-float16/model.json', 'f16', ['F16']],
  ['zip-bf16.bin', 'bf16', ['BF16']],
  ['stream-bf16.bin', 'bf16', ['BF16']],
  ['bf16.safetensors', 'bf16', ['BF16']],
  ['zip-integers.pth', 'integers', ['I64', 'I32', 'I16', 'I8']],
  ['caffe.npz', 'caffe', ['F32']],
  ['caffe-packed.npz', 'caffe', ['F32']],
  ['caffe.safetensors', 'caffe', ['F32']],
]

/** The images that the script generates: exact in float32. */
function images(size: number): Float32Array {
  return Float32Array.from(
    { length: 2 * 3 * size * size },
    (_, i) => ((i * 7919) % 2048) / 1024 - 1,
  )
}

async function logits(model: Network): Promise<Float32Array> {
  const { size } = model.preprocess
  const x = model.engine.tensor(images(size), [2, 3, size, size])
  const y = model.forward(x)
  const values = await y.data()
  for (const tensor of [x, y]) tensor.dispose()
  return values
}

function bits(tensors: StateDict): unknown {
  const entries = Object.entries(tensors).sort(([a], [b]) => (a < b ? -1 : 1))
  return entries.map(([name, { shape, data }]) => [
    name,
    shape,
    Buffer.from(data.slice().buffer).toString('base64'),
  ])
}

describe('what PyTorch saved', () => {
  test.each(exact)('%s has every bit', async (file) => {
    const { tensors } = await loadWeights(fixture(file))
    expect(bits(tensors)).toEqual(bits(original))
  })

  test.each([...exact.map((file): [string, string, string[]] => [file, 'f32', []]), ...others])(
    '%s gives PyTorch’s logits (%s)',
    async (file, name, dtypes) => {
      const engine = await testEngine()
      if (dtypes.length) {
        const found = Object.values((await loadWeights(fixture(file))).tensors).map(
          ({ dtype }) => dtype,
        )
        expect([...new Set(found)]).toEqual(dtypes)
      }
      const model = await alexnet(engine, { weights: fixture(file) })
      expect(model.missing).toEqual([])
      expect(model.architecture).toMatchObject({
        variant: name === 'caffe' ? 'bvlc' : 'torchvision',
        hidden: 16,
        classes: 5,
      })
      expect(
        relativeError(await logits(model), expected[`logits.${name}`]?.data ?? []),
      ).toBeLessThan(1e-4)
      model.dispose()
    },
  )

  test('quantized weights are off by half a step of their scale at most', async () => {
    const { tensors } = await loadWeights(fixture('tfjs-uint16/model.json'))
    for (const [name, { data }] of Object.entries(tensors)) {
      const exactly = original[name]?.data ?? new Float32Array(0)
      const step = (Math.max(...exactly) - Math.min(...exactly)) / 65_535
      const worst = data.reduce(
        (most, value, i) => Math.max(most, Math.abs(value - (exactly[i] ?? 0))),
        0,
      )
      expect(worst, name).toBeLessThan(0.5001 * step + 1e-7)
    }
  })

  test.each([
    ['zip-nested.pth', { epoch: '7', arch: 'alexnet' }],
    ['zip-model.pth', { classes: '["a","b","c","d","e"]' }],
    ['f32.safetensors', { epochs: '7' }],
    ['sharded/model.safetensors.index.json', { total_size: '25872', format: 'pt' }],
  ])('%s keeps what is said beside the tensors', async (file, metadata) => {
    expect((await loadWeights(fixture(file))).metadata).toEqual(metadata)
  })

  test('the names of classes arrive in the network', async () => {
    const model = await alexnet(await testEngine(), { weights: fixture('zip-model.pth') })
    expect(model.classNames).toEqual(['a', 'b', 'c', 'd', 'e'])
    model.dispose()
  })
})

describe('what TensorFlow.js saved', () => {
  test('gives its logits, first dense layer and all', async () => {
    const wanted = JSON.parse(await readFile(fixture('tfjs-made/logits.json'), 'utf8')) as number[]
    const engine = await testEngine()
    const model = await alexnet(engine, { weights: fixture('tfjs-made/model.json') })
    expect(model.architecture).toMatchObject({
      variant: 'alexnet-64',
      channels: [4, 5, 6, 5, 4],
      hidden: 8,
      classes: 3,
    })
    const images = Float32Array.from(
      { length: 2 * 3 * 64 * 64 },
      (_, i) => ((i * 7919) % 2039) / 1024 - 1,
    )
    const x = engine.tensor(images, [2, 3, 64, 64])
    const y = model.forward(x)
    expect(relativeError(await y.data(), wanted)).toBeLessThan(1e-4)
    for (const tensor of [x, y]) tensor.dispose()
    model.dispose()
  })
})

describe('a TensorFlow.js model with dense layers of its own', () => {
  test.each([1, 2])('of which there are %i: its features load', async (count) => {
    const folder = await mkdtemp(join(tmpdir(), 'graft-tfjs-'))
    const text = await readFile(fixture('tfjs-made/model.json'), 'utf8')
    const model = JSON.parse(text) as {
      modelTopology: { config: { layers: { class_name: string; config: object }[] } }
    }
    const { config } = model.modelTopology
    const first = config.layers.findIndex(({ class_name: kind }) => kind === 'Dense')
    config.layers = config.layers.slice(0, first + count)
    const last = config.layers.at(-1)
    if (last) last.config = { ...last.config, activation: 'softmax' }
    await writeFile(join(folder, 'model.json'), JSON.stringify(model))
    await copyFile(fixture('tfjs-made/weights.bin'), join(folder, 'weights.bin'))
    const engine = await testEngine()
    const whole = await alexnet(engine, { weights: fixture('tfjs-made/model.json') })
    const own = await alexnet(engine, { weights: join(folder, 'model.json') })
    expect(own.left.map((name) => name.split(' ')[0])).toContain('classifier.6.weight')
    const plan = applyScenario(own, { scenario: 'small-similar', classes: 2 })
    expect(plan.replace).toBe('all')
    const [state, kept] = [await whole.stateDict(), await own.stateDict()]
    for (const name of plan.frozen) expect(kept[name], name).toEqual(state[name])
    for (const one of [whole, own]) one.dispose()
    await rm(folder, { recursive: true })
  })
})

describe('three steps of SGD without dropout give PyTorch’s weights', () => {
  test.each([
    'zip-f32.pth',
    'stream-f32.pth',
    'stream-old.pth',
    'sharded/model.safetensors.index.json',
    'tfjs/model.json',
  ])('%s', async (file) => {
    const engine = await testEngine()
    const model = await alexnet(engine, { weights: fixture(file), dropout: 0 })
    const optimizer = new SGD(model.parameters(), { lr: 0.05 })
    const x = engine.tensor(images(224), [2, 3, 224, 224])
    for (let step = 0; step < 3; step++) {
      const loss = crossEntropy(model.forward(x, { training: true }), Int32Array.of(3, 1))
      loss.backward()
      optimizer.step()
      optimizer.zeroGrad()
      loss.dispose()
    }
    for (const [name, { data }] of Object.entries(await model.stateDict())) {
      const wanted = expected[`trained.${name}`]?.data ?? []
      expect(relativeError(data, wanted), name).toBeLessThan(1e-3)
      expect(relativeError(original[name]?.data ?? [], wanted), `${name} moved`).toBeGreaterThan(
        1e-3,
      )
    }
    x.dispose()
    optimizer.dispose()
    model.dispose()
  })
})

describe('safetensors there and back', () => {
  test('exported, imported and exported again are the same bytes, through the network as well', async () => {
    const model = await alexnet(await testEngine(), { weights: fixture('zip-f32.pth') })
    const metadata = { classes: '["a","b"]', note: 'ß\n' }
    const first = writeSafetensors(await model.stateDict(), metadata)
    const read = readSafetensors(first)
    model.loadStateDict(read.tensors)
    expect(
      Buffer.from(first).equals(writeSafetensors(await model.stateDict(), read.metadata)),
    ).toBe(true)
    model.dispose()
  })
})
