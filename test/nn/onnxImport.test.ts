import { describe, expect, test } from 'vitest'
import { ShapeError, UsageError, WeightsError } from '../../src/base/errors.ts'
import { importOnnx } from '../../src/nn/onnx.ts'
import { predict } from '../../src/train/evaluate.ts'
import { applyScenario } from '../../src/transfer/scenario.ts'
import { readOnnx } from '../../src/weights/onnx/graph.ts'
import { bytesPlace } from '../../src/weights/place.ts'
import { expectClose } from '../support/compare.ts'
import { testEngine } from '../support/engine.ts'
import { onnxRuntime, runOnnx } from '../support/onnxruntime.ts'
import { floats, int64s, onnxFile, small, smallWith } from '../weights/onnx/build.ts'
import { fixture, images, logitTolerance, outputs } from './onnxSupport.ts'

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

test('the reader gives plain arrays and layers without an engine', async () => {
  const { input, layers } = await readOnnx(bytesPlace(onnxFile(small)))
  expect(input).toEqual([3, 8, 8])
  expect(layers.map(({ kind, name }) => [kind, name])).toEqual([
    ['conv', 'first'],
    ['relu', 'relu'],
    ['flatten', 'flatten'],
    ['linear', 'linear'],
  ])
})
