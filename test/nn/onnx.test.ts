import { readFile } from 'node:fs/promises'
import { describe, expect, test } from 'vitest'
import { crossEntropy } from '../../src/autograd/functions.ts'
import { ShapeError, UsageError, WeightsError } from '../../src/base/errors.ts'
import { alexnet, variants } from '../../src/nn/alexnet.ts'
import { Flatten } from '../../src/nn/layers.ts'
import { Module } from '../../src/nn/module.ts'
import type { Network } from '../../src/nn/network.ts'
import { exportOnnx, importOnnx } from '../../src/nn/onnx.ts'
import { SGD } from '../../src/optim/sgd.ts'
import type { Tensor } from '../../src/tensor/tensor.ts'
import { predict } from '../../src/train/evaluate.ts'
import { applyScenario } from '../../src/transfer/scenario.ts'
import { readOnnx } from '../../src/weights/onnx/graph.ts'
import { readSafetensors } from '../../src/weights/safetensors.ts'
import { expectClose, relativeError } from '../support/compare.ts'
import { testEngine } from '../support/engine.ts'
import { onnxRuntime, runOnnx } from '../support/onnxruntime.ts'
import { floats, int64s, onnxFile, small, smallWith } from '../weights/onnx/build.ts'

const fixture = (name: string) =>
  readFile(new URL(`../weights/onnx/torch/${name}`, import.meta.url))

/** The input that make.py makes: a hash of the index, in -1..1. */
function images(n: number, size: number): Float32Array {
  return Float32Array.from(
    { length: n * 3 * size * size },
    (_, i) => (Math.imul(i, 2654435761) >>> 0) / 2 ** 31 - 1,
  )
}

async function outputs(model: Network, n = 2): Promise<Float32Array> {
  const { size } = model.preprocess
  const x = model.engine.tensor(images(n, size), [n, 3, size, size])
  const y = model.engine.noGrad(() => model.forward(x))
  const values = await y.data()
  for (const tensor of [x, y]) tensor.dispose()
  return values
}

/** PyTorch and ONNX Runtime sum in another order: the bound on logits is the issue's. */
const logitTolerance = 1e-4

const resultsOf = async (name: string) => {
  const { tensors } = readSafetensors(await fixture('results.safetensors'))
  return tensors[name]?.data ?? new Float32Array(0)
}

const torchvisionNames = [0, 3, 6, 8, 10]
  .map((n) => `features.${n}`)
  .concat(['classifier.1', 'classifier.4', 'classifier.6'])
  .flatMap((layer) => [`${layer}.weight`, `${layer}.bias`])

describe('what PyTorch exports', () => {
  test.each(['flatten.onnx', 'view.onnx', 'training.onnx'])(
    '%s gives PyTorch’s logits, with torchvision’s names',
    async (name) => {
      const model = await importOnnx(await testEngine(), await fixture(name))
      expect(model.parameters().map((parameter) => parameter.name)).toEqual(torchvisionNames)
      expect(model.architecture).toMatchObject({
        channels: [4, 6, 8, 6, 6],
        hidden: 16,
        classes: 5,
      })
      expect(model.architecture.dropout).toBe(name === 'training.onnx' ? 0.5 : 0)
      expect(model.preprocess).toEqual({
        size: 224,
        resize: 256,
        mean: [0.485, 0.456, 0.406],
        std: [0.229, 0.224, 0.225],
        scale: 1,
        order: 'rgb',
      })
      expect(relativeError(await outputs(model), await resultsOf('logits'))).toBeLessThan(
        logitTolerance,
      )
      model.dispose()
    },
  )

  test('three steps of SGD give PyTorch’s weights, also through an export of Graft’s', async () => {
    const engine = await testEngine()
    const first = await importOnnx(engine, await fixture('flatten.onnx'))
    const model = await importOnnx(engine, await exportOnnx(first))
    first.dispose()
    const optimizer = new SGD(model.parameters(), { lr: 0.05, momentum: 0.9, weightDecay: 5e-4 })
    const x = engine.tensor(images(2, 224), [2, 3, 224, 224])
    const losses: number[] = []
    for (let step = 0; step < 3; step++) {
      const loss = crossEntropy(model.forward(x), Int32Array.of(3, 1))
      losses.push((await loss.data())[0] ?? Number.NaN)
      loss.backward()
      optimizer.step()
      optimizer.zeroGrad()
      loss.dispose()
    }
    expect(relativeError(Float32Array.from(losses), await resultsOf('losses'))).toBeLessThan(1e-3)
    for (const [name, { data }] of Object.entries(await model.stateDict()))
      expect(relativeError(data, await resultsOf(`final.${name}`)), name).toBeLessThan(1e-3)
    expect(relativeError(await outputs(model), await resultsOf('trained'))).toBeLessThan(1e-3)
    if (onnxRuntime) {
      const there = await runOnnx(await exportOnnx(model), images(2, 224), [2, 3, 224, 224])
      expect(relativeError(there.data, await resultsOf('trained'))).toBeLessThan(1e-3)
    }
    x.dispose()
    optimizer.dispose()
    model.dispose()
  })
})

const narrow = { channels: [4, 6, 8, 6, 6], hidden: 16, classes: 7 }

const prepared = {
  'as it is': () => {},
  'last layer replaced': (model: Network) =>
    applyScenario(model, { scenario: 'small-similar', classes: 3 }),
  'FC end replaced': (model: Network) =>
    applyScenario(model, { scenario: 'large-similar', classes: 3, replace: 'all' }),
  'cut after features.7': (model: Network) =>
    applyScenario(model, { scenario: 'small-different', classes: 3 }),
}
const networks = variants.flatMap((variant) =>
  Object.entries(prepared).map(([what, prepare]) => ({ variant, what, prepare })),
)

describe('what Graft exports', () => {
  test.each(networks)(
    '$variant, $what, comes back the same: layers, numbers, metadata and bytes',
    async ({ variant, prepare }) => {
      const engine = await testEngine()
      const model = await alexnet(engine, { variant, ...narrow, seed: 3 })
      prepare(model)
      model.classNames = Array.from(
        { length: model.shapes().at(-1)?.[0] ?? 0 },
        (_, i) => `class ${i}, "é"`,
      )
      const bytes = await exportOnnx(model)
      const back = await importOnnx(engine, bytes)
      expect(back.layers.map(({ name, description }) => [name, description])).toEqual(
        model.layers.map(({ name, description }) => [name, description]),
      )
      expect([back.preprocess, back.classNames, back.architecture.variant]).toEqual([
        model.preprocess,
        model.classNames,
        variant,
      ])
      expect(await back.stateDict()).toEqual(await model.stateDict())
      expect(Buffer.compare(await exportOnnx(back), bytes)).toBe(0)
      for (const network of [model, back]) network.dispose()
    },
  )

  // Installed with the benchmarks: 'npm ci --prefix bench --ignore-scripts'.
  const inOnnxRuntime = onnxRuntime ? test : test.skip
  inOnnxRuntime.each(networks)(
    '$variant, $what, gives the same logits in ONNX Runtime, for any batch',
    async ({ variant, prepare }) => {
      const model = await alexnet(await testEngine(), { variant, ...narrow, seed: 5 })
      prepare(model)
      // Biases are zero at first: let them differ.
      const values = await model.stateDict()
      for (const [name, { data }] of Object.entries(values))
        if (name.endsWith('.bias')) for (const i of data.keys()) data[i] = Math.sin(i + 1) / 10
      model.loadStateDict(values)
      const bytes = await exportOnnx(model)
      const { size } = model.preprocess
      for (const n of [1, 3]) {
        const there = await runOnnx(bytes, images(n, size), [n, 3, size, size])
        expect(there.shape).toEqual([n, model.shapes().at(-1)?.[0]])
        expectClose(await outputs(model, n), there.data, there.shape, { relative: logitTolerance })
      }
      model.dispose()
    },
  )

  test('a layer of one’s own is named, rather than left out', async () => {
    class Square extends Module {
      readonly description = 'x²'
      outShape(shape: readonly number[]) {
        return shape
      }
      forward(x: Tensor) {
        return x
      }
    }
    const model = await alexnet(await testEngine(), { variant: 'alexnet-64', ...narrow })
    model.replaceAfter('features.12', [new Square('mine'), new Flatten('flatten')])
    await expect(exportOnnx(model)).rejects.toThrow(UsageError)
    await expect(exportOnnx(model)).rejects.toThrow(
      /layer mine \(x²\) cannot be written as an ONNX operator/,
    )
    model.dispose()
  })
})

/**
 * A network as converters from Caffe write it: padding behind for windows past the edge, the batch
 * in Reshape, Softmax at the end.
 */
const fromCaffe = onnxFile({
  opset: 9,
  input: [1, 3, 20, 20],
  nodes: [
    {
      op: 'Conv',
      in: ['x', 'conv1_w_0', 'conv1_b_0'],
      name: 'conv1',
      at: { kernel_shape: [3, 3], strides: [2, 2], auto_pad: 'VALID' },
    },
    { op: 'Relu', in: ['v0'] },
    {
      op: 'LRN',
      in: ['v1'],
      at: { size: 5, alpha: { float: 1e-4 }, beta: { float: 0.75 }, bias: { float: 1 } },
    },
    {
      op: 'MaxPool',
      in: ['v2'],
      at: { kernel_shape: [2, 2], strides: [2, 2], pads: [0, 0, 1, 1] },
    },
    {
      op: 'Conv',
      in: ['v3', 'conv2_w_0'],
      at: { kernel_shape: [3, 3], auto_pad: 'SAME_UPPER', group: 2 },
    },
    { op: 'Add', in: ['conv2_b', 'v4'] },
    { op: 'GlobalAveragePool', in: ['v5'] },
    { op: 'Reshape', in: ['v6', 'shape'] },
    { op: 'MatMul', in: ['v7', 'fc6_w'] },
    { op: 'Add', in: ['v8', 'fc6_b'] },
    { op: 'Dropout', in: ['v9'], at: { ratio: { float: 0.25 } } },
    {
      op: 'Gemm',
      in: ['v10', 'fc7_w', 'fc7_b'],
      name: 'fc7',
      at: { alpha: { float: 0.5 }, beta: { float: 2 } },
    },
    { op: 'Softmax', in: ['v11'], at: { axis: 1 } },
  ],
  tensors: [
    ...[
      floats('conv1_w_0', [6, 3, 3, 3]),
      floats('conv1_b_0', [6]),
      floats('conv2_w_0', [8, 3, 3, 3]),
      floats('conv2_b', [1, 8, 1, 1]),
    ],
    ...[
      int64s('shape', [1, 8]),
      floats('fc6_w', [8, 5]),
      floats('fc6_b', [5]),
      floats('fc7_w', [5, 4]),
      floats('fc7_b', [1, 4]),
    ],
  ],
})

describe('what others export', () => {
  test('a converted Caffe network: names of its nodes, the last pooling window past the edge, biases by Add', async () => {
    const model = await importOnnx(await testEngine(), fromCaffe)
    expect(model.layers.map(({ name }) => name)).toEqual([
      'conv1',
      'relu',
      'lrn',
      'maxPool',
      'conv',
      'averagePool',
      'flatten',
      'linear',
      'dropout',
      'fc7',
      'softmax',
    ])
    expect(model.shapes()).toEqual([
      [3, 20, 20],
      [6, 9, 9],
      [6, 9, 9],
      [6, 9, 9],
      [6, 5, 5],
      [8, 5, 5],
      [8, 1, 1],
      [8],
      [5],
      [5],
      [4],
      [4],
    ])
    expect(model.architecture).toEqual({
      variant: 'onnx',
      channels: [6, 8],
      hidden: 5,
      dropout: 0.25,
      classes: 4,
    })
    const values = await outputs(model, 1)
    expect(values.reduce((a, b) => a + b, 0)).toBeCloseTo(1, 5)
    if (onnxRuntime)
      expectClose(values, (await runOnnx(fromCaffe, images(1, 20), [1, 3, 20, 20])).data, [4], {
        relative: logitTolerance,
      })
    model.dispose()
  })

  test('predict and cross-entropy take what comes before a softmax at the end', async () => {
    const engine = await testEngine()
    const preprocess = {
      size: 20,
      resize: 20,
      mean: [0.5, 0.4, 0.3],
      std: [0.2, 0.3, 0.4],
      scale: 1,
      order: 'rgb',
    } as const
    const model = await importOnnx(engine, fromCaffe, { preprocess })
    const image = {
      width: 20,
      height: 20,
      data: Uint8Array.from(images(1, 20), (value) => 127 * (value + 1)),
    }
    const [prediction] = await predict(model, [image], { topK: 4 })
    const { mean, std } = preprocess
    const x = Float32Array.from(
      { length: 1200 },
      (_, i) =>
        ((image.data[3 * (i % 400) + Math.floor(i / 400)] ?? 0) / 255 -
          (mean[Math.floor(i / 400)] ?? 0)) /
        (std[Math.floor(i / 400)] ?? 1),
    )
    const input = engine.tensor(x, [1, 3, 20, 20])
    const y = engine.noGrad(() => model.forward(input))
    const probabilities = await y.data()
    for (const { index, probability } of prediction?.top ?? [])
      expect(probability).toBeCloseTo(probabilities[index] ?? Number.NaN, 5)
    for (const tensor of [input, y]) tensor.dispose()
    model.dispose()
  })

  test('half and brain floats, doubles and typed fields are widened', async () => {
    const half = (name: string, dims: bigint[], bits: number[]) => ({
      name,
      dims,
      dataType: 10,
      int32Data: bits,
    })
    const tensors = [
      half('w', [1n, 3n, 1n, 1n], [0x3c00, 0x4000, 0xbc00]), // 1, 2, -1
      { name: 'b', dims: [1n], dataType: 16, rawData: Uint8Array.of(0x40, 0x3f) }, // 0.75
      { name: 'fw', dims: [1n, 1n], dataType: 11, doubleData: [4] },
      { name: 'fb', dims: [1n], dataType: 1, floatData: [0.5] },
    ]
    const bytes = onnxFile({
      input: ['n', 3, 1, 1],
      nodes: [
        { op: 'Conv', in: ['x', 'w', 'b'] },
        { op: 'Flatten', in: ['v0'] },
        { op: 'Gemm', in: ['v1', 'fw', 'fb'] },
      ],
      tensors,
    })
    const model = await importOnnx(await testEngine(), bytes)
    const [a = 0, b = 0, c = 0] = images(1, 1)
    expect((await outputs(model, 1))[0]).toBeCloseTo(4 * (a + 2 * b - c + 0.75) + 0.5, 5)
    model.dispose()
  })
})

describe('importOnnx', () => {
  test('takes preprocessing from its caller where the file has none, and checks it', async () => {
    const engine = await testEngine()
    const preprocess = {
      size: 8,
      resize: 9,
      mean: [0, 0, 0],
      std: [1, 1, 1],
      scale: 255,
      order: 'bgr',
    } as const
    const model = await importOnnx(engine, onnxFile(small), { preprocess, seed: 7 })
    expect([model.preprocess, model.seed]).toEqual([preprocess, 7])
    model.dispose()
    const plain = await importOnnx(engine, onnxFile(small))
    expect(plain.preprocess).toMatchObject({ size: 8, resize: 9, order: 'rgb' })
    plain.dispose()
    await expect(
      importOnnx(engine, onnxFile(small), { preprocess: { ...preprocess, size: 9 } }),
    ).rejects.toThrow(UsageError)
    await expect(importOnnx(engine, onnxFile(small), { batch: 2 } as object)).rejects.toThrow(
      /no option batch/,
    )
  })

  test.each<[string, Uint8Array, RegExp]>([
    [
      'one channel',
      onnxFile({ input: ['n', 1, 8, 8], nodes: [{ op: 'Relu', in: ['x'] }] }),
      /input is \[N, 1, 8, 8\]; only/,
    ],
    [
      'no square',
      onnxFile({ input: ['n', 3, 8, 6], nodes: [{ op: 'Relu', in: ['x'] }] }),
      /input is \[N, 3, 8, 6\]/,
    ],
    [
      'classes that are no JSON',
      onnxFile({ ...small, metadata: { classes: '[' } }),
      /classes is not valid JSON/,
    ],
    [
      'classes that are no names',
      onnxFile({ ...small, metadata: { classes: '[1, 2, 3, 4]' } }),
      /classes are not a list of names/,
    ],
    [
      'preprocessing without sense',
      onnxFile({ ...small, metadata: { preprocess: '{"size":8}' } }),
      /preprocess lacks a valid/,
    ],
    [
      'preprocessing that is null',
      onnxFile({ ...small, metadata: { preprocess: 'null' } }),
      /preprocess lacks a valid/,
    ],
    [
      'an unknown operator',
      smallWith(1, { op: 'Elu' }),
      /node 2 \(Elu\): Graft has no operator "Elu"/,
    ],
  ])('refuses %s with a WeightsError, and leaves nothing allocated', async (_, bytes, says) => {
    const engine = await testEngine()
    const before = engine.memory().liveBytes
    await expect(importOnnx(engine, bytes)).rejects.toThrow(WeightsError)
    await expect(importOnnx(engine, bytes)).rejects.toThrow(says)
    expect(engine.memory().liveBytes).toBe(before)
  })

  test('a network that is imported trains by scenarios, and refuses other images', async () => {
    const engine = await testEngine()
    const model = await importOnnx(engine, await fixture('training.onnx'))
    const plan = applyScenario(model, { scenario: 'small-different', classes: 2 })
    expect([plan.cut, plan.startsFrom, plan.trained]).toEqual([
      'features.7',
      'pretrained',
      ['classifier.6.weight', 'classifier.6.bias'],
    ])
    const x = engine.tensor(new Float32Array(3 * 64 * 64), [1, 3, 64, 64])
    expect(() => model.forward(x)).toThrow(ShapeError)
    x.dispose()
    model.dispose()
  })
})

test('the reader gives plain arrays and layers without an engine', () => {
  const { input, layers } = readOnnx(onnxFile(small))
  expect(input).toEqual([3, 8, 8])
  expect(layers.map(({ kind, name }) => [kind, name])).toEqual([
    ['conv', 'first'],
    ['relu', 'relu'],
    ['flatten', 'flatten'],
    ['linear', 'linear'],
  ])
})
