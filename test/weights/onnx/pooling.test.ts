import { describe, expect, test } from 'vitest'
import { readOnnx } from '../../../src/weights/onnx/graph.ts'
import { bytesPlace } from '../../../src/weights/place.ts'
import { int64s, type ModelSpec, type NodeSpec, onnxFile } from './build.ts'

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
