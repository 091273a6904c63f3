import { describe, expect, test } from 'vitest'
import { readOnnx } from '../../../src/weights/onnx/graph.ts'
import { bytesPlace } from '../../../src/weights/place.ts'
import { floats, int64s, type ModelSpec, type NodeSpec, onnxFile } from './build.ts'

describe('pooling over the whole image is read from', () => {
  const pooled = (nodes: ModelSpec['nodes']) =>
    readOnnx(bytesPlace(onnxFile({ nodes, tensors: [int64s('axes', [-1, -2])] })))
  const mean = { kind: 'averagePool', size: [1, 1], window: 'all' }

  test.each<[string, readonly NodeSpec[], readonly object[]]>([
    ['ReduceMean with axes as an input', [{ op: 'ReduceMean', in: ['x', 'axes'] }], [mean]],
    [
      'ReduceMean that keeps no axes',
      [{ op: 'ReduceMean', in: ['x', 'axes'], at: { keepdims: 0 } }],
      [mean, { kind: 'flatten' }],
    ],
    [
      'ReduceMean with axes as an attribute',
      [{ op: 'ReduceMean', in: ['x'], at: { axes: [2, 3] } }],
      [mean],
    ],
    [
      'ReduceMean of nothing',
      [
        { op: 'ReduceMean', in: ['x'], at: { noop_with_empty_axes: 1 } },
        { op: 'Relu', in: ['v0'] },
      ],
      [{ kind: 'relu' }],
    ],
    [
      'AveragePool of one window, whatever its stride',
      [{ op: 'AveragePool', in: ['x'], at: { kernel_shape: [8, 8], strides: [1, 1] } }],
      [mean],
    ],
    [
      'GlobalAveragePool and Squeeze',
      [
        { op: 'GlobalAveragePool', in: ['x'] },
        { op: 'Squeeze', in: ['v0', 'axes'] },
      ],
      [mean, { kind: 'flatten' }],
    ],
    [
      'GlobalMaxPool',
      [{ op: 'GlobalMaxPool', in: ['x'] }],
      [{ kind: 'maxPool', kernel: 8, stride: 8, padding: 0, ceilMode: false }],
    ],
  ])('%s', async (_, nodes, layers) => {
    expect((await pooled(nodes)).layers).toMatchObject(layers)
  })
})

describe('PyTorch’s LocalResponseNorm', () => {
  const nodes: ModelSpec['nodes'] = [
    { op: 'Relu', in: ['x'], out: 'r' },
    { op: 'Mul', in: ['r', 'r'] },
    { op: 'Reshape', in: ['v1', 'to'], at: { allowzero: 1 } },
    { op: 'Pad', in: ['v2', 'pads'], at: { mode: 'constant' } },
    {
      op: 'AveragePool',
      in: ['v3'],
      at: { kernel_shape: [5, 1, 1], strides: [1, 1, 1], pads: [0, 0, 0, 0, 0, 0] },
    },
    { op: 'Squeeze', in: ['v4', 'one'] },
    { op: 'Mul', in: ['v5', 'alpha'] },
    { op: 'Add', in: ['v6', 'k'] },
    { op: 'Pow', in: ['v7', 'beta'] },
    { op: 'Div', in: ['r', 'v8'] },
    { op: 'Relu', in: ['v9'] },
  ]
  const tensors = [
    int64s('to', [1, 1, 3, 8, -1]),
    int64s('pads', [0, 0, 2, 0, 0, 0, 0, 2, 0, 0]),
    int64s('one', [1]),
    floats('alpha', [], [1e-4]),
    floats('k', [], [2]),
    floats('beta', [], [0.75]),
  ]
  const layersOf = async (change: Partial<ModelSpec>) =>
    (await readOnnx(bytesPlace(onnxFile({ nodes, tensors, ...change })))).layers

  test('is read from the ten nodes that its exporter writes', async () => {
    expect(await layersOf({})).toMatchObject([
      { kind: 'relu' },
      { kind: 'lrn', size: 5, alpha: 1e-4, beta: 0.75, k: 2 },
      { kind: 'relu' },
    ])
  })

  test.each<[string, number, Partial<NodeSpec>]>([
    ['the padding', 3, { op: 'Identity', in: ['v2'], at: {} }],
    ['the mean', 4, { op: 'Identity', in: ['v3'], at: {} }],
    ['the mean’s window', 4, { at: { kernel_shape: [3, 1, 1], strides: [1, 1, 1] } }],
    ['the addition', 7, { op: 'Identity', in: ['v6'] }],
    ['the power', 8, { op: 'Identity', in: ['v7'] }],
    ['the power’s order', 8, { in: ['beta', 'v7'] }],
    ['the operator', 7, { op: 'Sub' }],
  ])('is refused with another form of %s', async (_, index, change) => {
    const changed = nodes.map((node, i) => (i === index ? { ...node, ...change } : node))
    await expect(layersOf({ nodes: changed })).rejects.toThrow(
      /is no step of a LocalResponseNorm as PyTorch exports it/,
    )
  })
})
