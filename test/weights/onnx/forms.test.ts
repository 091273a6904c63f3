import { describe, expect, test } from 'vitest'
import { WeightsError } from '../../../src/base/errors.ts'
import { readOnnx } from '../../../src/weights/onnx/graph.ts'
import { bytesPlace } from '../../../src/weights/place.ts'
import { floats, int64s, type ModelSpec, type NodeSpec, onnxFile, small } from './build.ts'

const read = (spec: ModelSpec, size?: number) => readOnnx(bytesPlace(onnxFile(spec)), size)
const [conv, relu, flatten, gemm] = small.nodes as [NodeSpec, NodeSpec, NodeSpec, NodeSpec]
const scalar = (name: string, value: number) => floats(name, [], [value])

/** `small` with other nodes in the place of one of its own, whose output the last one gives. */
const instead = (index: number, nodes: readonly NodeSpec[], more: Partial<ModelSpec> = {}) => ({
  ...small,
  ...more,
  tensors: [...small.tensors, ...(more.tensors ?? [])],
  nodes: small.nodes.flatMap((node, i) =>
    i !== index
      ? [{ ...node, out: `v${i}` }]
      : nodes.map((one, n) => ({
          ...one,
          out: one.out ?? (n === nodes.length - 1 ? `v${i}` : `t${n}`),
        })),
  ),
})
const constant = (name: string, at: NodeSpec['at']): NodeSpec => ({
  op: 'Constant',
  in: [],
  out: name,
  at: at ?? {},
})

describe('the same network is read from', () => {
  test.each<[string, ModelSpec]>([
    [
      'Reshape with allowzero where no extent is 0',
      instead(2, [{ op: 'Reshape', in: ['v1', 'to'], at: { allowzero: 1 } }], {
        tensors: [int64s('to', [1, 32])],
      }),
    ],
    [
      'Reshape to [0, -1]',
      instead(2, [{ op: 'Reshape', in: ['v1', 'to'] }], { tensors: [int64s('to', [0, -1])] }),
    ],
    [
      'Reshape to its own shape, then Flatten',
      instead(
        2,
        [
          { op: 'Reshape', in: ['v1', 'to'] },
          { op: 'Flatten', in: ['t0'] },
        ],
        { tensors: [int64s('to', [0, 0, 0, -1])] },
      ),
    ],
    ['Flatten with axis -3', instead(2, [{ ...flatten, at: { axis: -3 } }])],
    [
      'a shape by Shape with start and end, Squeeze, Reshape and Concat',
      instead(2, [
        { op: 'Shape', in: ['v1'], at: { start: 0, end: 1 } },
        { op: 'Squeeze', in: ['t0'] },
        constant('minus', { value_ints: [-1] }),
        { op: 'Reshape', in: ['t1', 'minus'] },
        constant('rest', { value_int: 32 }),
        { op: 'Concat', in: ['t3', 'rest'], at: { axis: 0 } },
        { op: 'Reshape', in: ['v1', 't5'], at: { allowzero: 1 } },
      ]),
    ],
    [
      'a shape by Slice, Cast, Mul, Add, Sub and Div',
      instead(
        2,
        [
          { op: 'Shape', in: ['v1'] },
          { op: 'Cast', in: ['t0'], at: { to: 7 } },
          { op: 'Slice', in: ['t1', 'one', 'four'] },
          { op: 'Mul', in: ['t2', 't2'] },
          { op: 'Gather', in: ['t3', 'one'] },
          { op: 'Add', in: ['t4', 't4'] },
          { op: 'Sub', in: ['t5', 'one'] },
          { op: 'Add', in: ['one', 't6'] },
          { op: 'Div', in: ['t7', 'one'] },
          constant('minus', { value_ints: [-1] }),
          { op: 'Concat', in: ['minus', 't8'], at: { axis: 0 } },
          { op: 'Reshape', in: ['v1', 't10'] },
        ],
        { tensors: [int64s('one', [1]), int64s('four', [4])] },
      ),
    ],
    [
      'Clip with a bound of 0, as an input',
      instead(1, [{ op: 'Clip', in: ['v0', 'zero'] }], { tensors: [scalar('zero', 0)] }),
    ],
    [
      'Clip with the largest float as its other bound',
      instead(1, [
        constant('zero', { value_float: { float: 0 } }),
        constant('most', { value_float: { float: 3.4028234663852886e38 } }),
        { op: 'Clip', in: ['v0', 'zero', 'most'] },
      ]),
    ],
    [
      'Clip of old, with attributes',
      instead(1, [{ op: 'Clip', in: ['v0'], at: { min: { float: 0 } } }], { opset: 9 }),
    ],
    [
      'Identity and Cast between layers',
      instead(1, [
        { op: 'Identity', in: ['v0'] },
        { op: 'Relu', in: ['t0'] },
        { op: 'Cast', in: ['t1'], at: { to: 1 } },
      ]),
    ],
    [
      'weights through Constant, Identity and Cast',
      {
        ...small,
        tensors: small.tensors.slice(1),
        nodes: [
          constant('c', { value: { tensor: small.tensors[0] ?? {} } }),
          { op: 'Identity', in: ['c'], out: 'i' },
          { op: 'Cast', in: ['i'], out: 'w', at: { to: 1 } },
          ...small.nodes.map((node, i) => ({ ...node, out: `v${i}` })),
        ],
      },
    ],
    [
      'MatMul of a transposed weight, and Add',
      instead(3, [
        { op: 'Transpose', in: ['fw'], at: { perm: [1, 0] } },
        { op: 'MatMul', in: ['v2', 't0'] },
        { op: 'Add', in: ['fb', 't1'] },
      ]),
    ],
    [
      'Gemm with transB 0',
      instead(3, [
        { op: 'Transpose', in: ['fw'] },
        { op: 'Gemm', in: ['v2', 't0', 'fb'] },
      ]),
    ],
    [
      'Gemm without bias, and Add of a row',
      instead(
        3,
        [
          { op: 'Gemm', in: ['v2', 'fw'], at: { transB: 1 } },
          { op: 'Unsqueeze', in: ['fb', 'first'] },
          { op: 'Add', in: ['t0', 't1'] },
        ],
        { tensors: [int64s('first', [0])] },
      ),
    ],
    [
      'weights under another shape',
      instead(
        3,
        [
          { op: 'Reshape', in: ['fw', 'flat'] },
          { op: 'Reshape', in: ['t0', 'square'] },
          { op: 'Squeeze', in: ['t1', 'last'] },
          { op: 'Gemm', in: ['v2', 't2', 'fb'], at: { transB: 1 } },
        ],
        { tensors: [int64s('flat', [-1]), int64s('square', [4, 32, 1]), int64s('last', [-1])] },
      ),
    ],
    ['symbolic height and width', { ...small, input: ['batch', 3, 'height', 'width'] }],
    ['a symbolic height beside a known width', { ...small, input: ['batch', 3, 'height', 8] }],
    [
      'a function with attributes of its call and default ones',
      {
        ...small,
        functions: [
          {
            name: 'Block',
            in: ['a', 'b', 'c'],
            out: ['y'],
            at: { pads: [1, 1, 1, 1] },
            nodes: [
              {
                op: 'Conv',
                in: ['a', 'b', 'c'],
                out: 'inside',
                at: {
                  kernel_shape: [3, 3],
                  pads: { ref: 'pads' },
                  strides: { ref: 'step' },
                  dilations: { ref: 'none' },
                },
              },
              { op: 'Act', domain: 'own', in: ['inside'], out: 'y' },
            ],
          },
          {
            name: 'Act',
            in: ['inside'],
            out: ['z'],
            nodes: [{ op: 'Relu', in: ['inside'], out: 'z' }],
          },
        ],
        nodes: [
          { op: 'Block', domain: 'own', in: ['x', 'w', 'b'], out: 'v1', at: { step: [2, 2] } },
          { ...flatten, out: 'v2' },
          { ...gemm, out: 'v3' },
        ],
      },
    ],
  ])('%s', async (_, spec) => {
    const wanted = await read(small)
    const { input, layers } = await read(spec, 8)
    const plain = (all: typeof layers) => all.map(({ name: _name, ...layer }) => layer)
    expect(input).toEqual([3, 8, 8])
    expect(plain(layers)).toEqual(plain(wanted.layers))
  })
})

test('names come from the modules that PyTorch notes, or from its paths, or from the operator', async () => {
  const named = await read({
    ...small,
    nodes: [{ ...conv, name: '/backbone/stem/Conv' }, relu, flatten, { ...gemm, name: 'head' }],
  })
  expect(named.layers.map(({ name }) => name)).toEqual(['stem', 'relu', 'flatten', 'head'])
})

describe('is refused in one line', () => {
  const own = (name: string, nodes: readonly NodeSpec[]) => ({ name, in: ['a'], out: ['y'], nodes })
  const call = (op: string, from = 'a', out = 'y'): NodeSpec => ({
    op,
    domain: 'own',
    in: [from],
    out,
  })
  const through = (functions: ModelSpec['functions']): ModelSpec => ({
    ...(functions ? { functions } : {}),
    nodes: [call('f0', 'x')],
  })
  const twice = (op: string) => [call(op, 'a', 'm'), call(op, 'm')]

  test.each<[string, ModelSpec, RegExp]>([
    [
      'a function that calls itself',
      through([own('f0', [call('f0')])]),
      /"f0" is called more than 32 deep, or by itself/,
    ],
    [
      'functions in a circle',
      through([own('f0', [call('f1')]), own('f1', [call('f0')])]),
      /more than 32 deep, or by itself/,
    ],
    [
      'functions that stand for a billion nodes',
      through(
        Array.from({ length: 31 }, (_, i) =>
          own(`f${i}`, i === 30 ? [{ op: 'Relu', in: ['a'], out: 'y' }] : twice(`f${i + 1}`)),
        ),
      ),
      /more than 20000 nodes/,
    ],
    ['a function of the domain that is not in the file', through([]), /no operator "own.f0"/],
    [
      'a function that gives nothing it promised',
      through([own('f0', [{ op: 'Relu', in: ['a'], out: 'other' }])]),
      /output "y" is not what its last layer gives/,
    ],
    [
      'an unknown operator inside of a function',
      through([own('f0', [{ op: 'Celu', in: ['a'], out: 'y', name: 'inner' }])]),
      /\(Celu\): Graft has no operator "Celu"/,
    ],
    [
      'Reshape with allowzero to an extent of 0',
      instead(2, [{ op: 'Reshape', in: ['v1', 'to'], at: { allowzero: 1 } }], {
        tensors: [int64s('to', [0, 32])],
      }),
      /has allowzero, so that 0 is an extent of 0/,
    ],
    [
      'Clip to [0, 6]',
      instead(1, [{ op: 'Clip', in: ['v0', 'zero', 'six'] }], {
        tensors: [scalar('zero', 0), scalar('six', 6)],
      }),
      /clips to \[0, 6\], and only to 0 and more/,
    ],
    [
      'a mean over the batch',
      { nodes: [{ op: 'ReduceMean', in: ['x'], at: { axes: [0] } }] },
      /averages over the axes \[0\]/,
    ],
    [
      'a mean over everything',
      { nodes: [{ op: 'ReduceMean', in: ['x'] }] },
      /averages over the axes \[\]/,
    ],
    [
      'Split',
      { nodes: [{ op: 'Split', in: ['x'], at: { num_outputs: 2 } }] },
      /no operator "Split"/,
    ],
    [
      'a division by zero in a shape',
      {
        nodes: [{ op: 'Div', in: ['one', 'zero'] }],
        tensors: [int64s('one', [1]), int64s('zero', [0])],
      },
      /computes a shape of/,
    ],
    [
      'a shape from the size of the batch',
      {
        nodes: [
          { op: 'Shape', in: ['x'] },
          { op: 'Mul', in: ['v0', 'v0'] },
        ],
      },
      /computes its shape from the size of the batch/,
    ],
    [
      'what flows, times a number',
      { nodes: [{ op: 'Mul', in: ['x', 'half'] }], tensors: [scalar('half', 0.5)] },
      /computes with what flows through the chain/,
    ],
    [
      'a cast of what flows to integers',
      { nodes: [{ op: 'Cast', in: ['x'], at: { to: 7 } }] },
      /other numbers than floats/,
    ],
    [
      'images turned around',
      { nodes: [{ op: 'Transpose', in: ['x'], at: { perm: [0, 2, 3, 1] } }] },
      /rearranges what flows/,
    ],
    [
      'a perm that is none',
      instead(3, [
        { op: 'Transpose', in: ['fw'], at: { perm: [0, 0] } },
        { op: 'MatMul', in: ['v2', 't0'] },
      ]),
      /perm \[0, 0\]: the file is damaged/,
    ],
    [
      'a squeeze of an axis that is not 1',
      { nodes: [{ op: 'Squeeze', in: ['x', 'to'] }], tensors: [int64s('to', [1])] },
      /not of size 1/,
    ],
    [
      'an unknown size that fits no usual image',
      { ...small, input: ['n', 3, 'h', 'w'] },
      /\(Gemm\) has a weight for 32 inputs/,
    ],
  ])('%s', async (_, spec, says) => {
    const error = await read(spec).catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(WeightsError)
    expect((error as Error).message).toMatch(says)
    expect((error as Error).message).not.toMatch(/\n/)
  })
})
