import { create, toBinary } from '@bufbuild/protobuf'
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire'
import {
  GraphProtoSchema,
  ModelProtoSchema,
  TensorProto_DataLocation,
  TensorProto_DataType,
} from 'onnx-buf'
import { writeOnnx } from '../../../src/weights/onnx/encode.ts'
import { readOnnx } from '../../../src/weights/onnx/graph.ts'
import { bytesPlace } from '../../../src/weights/place.ts'
import { floats, int64s, type ModelSpec, onnxFile, small, smallWith } from './build.ts'

/** A small file as others write it, and one of Graft's own. */
export const sound = onnxFile(small)
export const own = writeOnnx({
  ...(await readOnnx(bytesPlace(sound))),
  outputs: 4,
  metadata: { format: 'graft', preprocess: '{}' },
})

const model = (change: Partial<ModelSpec>) => onnxFile({ ...small, ...change })
const tensorsWith = (index: number, change: object) =>
  small.tensors.map((tensor, i) => (i === index ? { ...tensor, ...change } : tensor))

/** A message of so many levels, each the third field of a node's attribute's graph. */
function nested(levels: number): Uint8Array {
  let inner: Uint8Array = new Uint8Array(0)
  const wrap = (field: number) => {
    inner = new BinaryWriter().tag(field, WireType.LengthDelimited).bytes(inner).finish()
  }
  // AttributeProto.g = 6, NodeProto.attribute = 5, GraphProto.node = 1.
  for (let i = 0; i < levels; i++) for (const field of [6, 5, 1]) wrap(field)
  wrap(7)
  return inner
}

/** A graph of so many empty nodes: two bytes each. */
function emptyNodes(count: number): Uint8Array {
  const graph = new Uint8Array(2 * count)
  for (let i = 0; i < count; i++) graph[2 * i] = 0x0a
  return new BinaryWriter().tag(7, WireType.LengthDelimited).bytes(graph).finish()
}

function manyDims(count: number): Uint8Array {
  const tensor = new BinaryWriter()
    .tag(1, WireType.LengthDelimited)
    .bytes(new Uint8Array(count))
    .finish()
  const graph = new BinaryWriter().tag(5, WireType.LengthDelimited).bytes(tensor).finish()
  return new BinaryWriter().tag(7, WireType.LengthDelimited).bytes(graph).finish()
}

const [conv] = small.nodes
const cyclic: ModelSpec['nodes'] = [
  { op: 'Relu', in: ['q'], out: 'p', name: 'one' },
  { op: 'Relu', in: ['p'], out: 'q', name: 'two' },
]

/** What is refused, and what is said. */
export const hostileFiles: Readonly<Record<string, readonly [Uint8Array, RegExp]>> = {
  'an empty file': [new Uint8Array(0), /empty/],
  text: [
    new TextEncoder().encode('this is text, not a model'),
    /not an ONNX model, or it is cut short/,
  ],
  'a PNG': [
    Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0, 0, 0, 13),
    /not an ONNX model|no graph/,
  ],
  'a model without a graph': [
    toBinary(ModelProtoSchema, create(ModelProtoSchema, { irVersion: 7n })),
    /no graph/,
  ],
  'no operator set': [
    toBinary(
      ModelProtoSchema,
      create(ModelProtoSchema, { graph: create(GraphProtoSchema, { name: 'g' }) }),
    ),
    /names no ONNX operator set/,
  ],
  'an operator set of 2017': [model({ opset: 6 }), /operator set 6, and 7 or later/],
  'no nodes': [model({ nodes: [] }), /no layers/],
  'a cycle of two': [
    model({ nodes: cyclic }),
    /node "one" \(Relu\) reads "q" before node "two" \(Relu\) gives it: the graph is cyclic/,
  ],
  'a node that reads itself': [
    model({ nodes: [{ op: 'Relu', in: ['a'], out: 'a' }] }),
    /the graph is cyclic/,
  ],
  'a cycle behind a sound start': [
    model({
      nodes: [
        ...small.nodes.slice(0, 2),
        { op: 'Flatten', in: ['loop'] },
        { op: 'Relu', in: ['v2'], out: 'loop' },
      ],
    }),
    /the graph is cyclic/,
  ],
  'a missing initializer': [
    model({ tensors: small.tensors.slice(1) }),
    /node "first" \(Conv\) reads "w", which is neither an initializer nor given by a node/,
  ],
  'two initializers of one name': [
    model({ tensors: [...small.tensors, floats('b', [2])] }),
    /two initializers are named "b"/,
  ],
  'an output given twice': [smallWith(1, { out: 'v0' }), /gives "v0", which exists already/],
  'an output over an initializer': [
    smallWith(1, { out: 'fw' }),
    /gives "fw", which exists already/,
  ],
  'an output that nobody gives': [
    model({ output: 'nothing' }),
    /output "nothing" is not what its last layer gives/,
  ],
  'an unknown operator': [
    smallWith(1, { op: 'Tanh', name: 'squash' }),
    /node "squash" \(Tanh\): Graft has no operator "Tanh"; it reads/,
  ],
  'an operator named like an object’s own': [
    smallWith(1, { op: 'constructor' }),
    /no operator "constructor"/,
  ],
  'an operator of another domain': [
    smallWith(1, { domain: 'com.microsoft' }),
    /no operator "com.microsoft.Relu"/,
  ],
  'an attribute that is not read': [
    smallWith(0, { at: { ...conv?.at, surprise: 1 } }),
    /node "first" \(Conv\) has the attribute "surprise"/,
  ],
  'an attribute of the wrong type': [
    smallWith(0, { at: { ...conv?.at, strides: 2 } }),
    /damaged attribute "strides"/,
  ],
  'a branch': [
    model({
      nodes: [
        ...small.nodes.slice(0, 2),
        { op: 'Relu', in: ['v0'], out: 'side' },
        { op: 'Flatten', in: ['side'] },
      ],
    }),
    /reads "v0", which another node reads too: networks that branch/,
  ],
  'a residual': [
    model({ nodes: [...small.nodes.slice(0, 2), { op: 'Add', in: ['v0', 'v1'] }] }),
    /reads "v0", which another node reads too/,
  ],
  'two inputs': [
    model({ nodes: [{ op: 'Add', in: ['x', 'x'] }] }),
    /adds something else than a bias/,
  ],
  'an input of integers': [
    model({ inputType: TensorProto_DataType.INT64 }),
    /not a tensor of floating-point numbers/,
  ],
  'an input of unknown channels': [
    model({ input: ['n', 'c', 'h', 8] }),
    /\[\?, \?, \?, 8\], and \[N, C, H, W\] with known channels/,
  ],
  'an input of three dimensions': [model({ input: [3, 8, 8] }), /has the shape \[3, 8, 8\]/],
  'an input of impossible size': [model({ input: ['n', 3, 2 ** 40, 8] }), /has the shape/],
  'channels that do not fit': [
    model({ input: ['n', 4, 8, 8] }),
    /weight of shape \[2, 3, 3, 3\] in 1 groups, which does not fit 4 channels/,
  ],
  'groups of none': [smallWith(0, { at: { ...conv?.at, group: 0 } }), /in 0 groups/],
  'a stride of none': [smallWith(0, { at: { ...conv?.at, strides: [0, 0] } }), /strides of 0/],
  'a stride beyond all bounds': [
    smallWith(0, { at: { ...conv?.at, strides: [2 ** 50, 2 ** 50] } }),
    /strides of 1125899906842624/,
  ],
  'a negative padding': [
    smallWith(0, { at: { ...conv?.at, pads: [-9, -9, -9, -9] } }),
    /pads -9 and -9/,
  ],
  'padding at one corner': [
    smallWith(0, { at: { ...conv?.at, pads: [0, 0, 1, 1] } }),
    /pads 0 in front and 1 behind/,
  ],
  'a dilation': [
    smallWith(0, { at: { ...conv?.at, dilations: [2, 2] } }),
    /dilation 2, and only 1 is read/,
  ],
  'a kernel that its weight contradicts': [
    smallWith(0, { at: { ...conv?.at, kernel_shape: [5, 5] } }),
    /kernel of 5, and its weight is for 3/,
  ],
  'a window larger than the image': [
    model({
      input: ['n', 3, 8, 8],
      nodes: [{ op: 'MaxPool', in: ['x'], at: { kernel_shape: [9, 9] } }],
    }),
    /larger than its input/,
  ],
  'a bias of another length': [
    model({ tensors: tensorsWith(1, floats('b', [3])) }),
    /bias of shape \[3\], not \[2\]/,
  ],
  'a dense weight of another width': [
    model({ tensors: tensorsWith(2, floats('fw', [4, 31])) }),
    /weight for 31 inputs, and the layer before it gives 32/,
  ],
  'a dense layer without flatten': [
    model({ nodes: [{ op: 'Gemm', in: ['x', 'fw', 'fb'] }] }),
    /only \[N, features\] is read/,
  ],
  'a reshape that mixes images': [
    model({ nodes: [{ op: 'Reshape', in: ['x', 'to'] }], tensors: [int64s('to', [-1, 7])] }),
    /reshapes \[N, 3, 8, 8\] to \[-1, 7\]/,
  ],
  'a reshape of a thousand dimensions': [
    model({
      nodes: [{ op: 'Reshape', in: ['x', 'to'] }],
      tensors: [int64s('to', Array(1000).fill(1))],
    }),
    /1000 integers where a shape is wanted/,
  ],
  'a shape that grows without end': [
    model({
      nodes: [
        { op: 'Shape', in: ['x'], out: 's0' },
        ...Array.from({ length: 40 }, (_, i) => ({
          op: 'Concat',
          in: [`s${i}`, `s${i}`],
          out: `s${i + 1}`,
          at: { axis: 0 },
        })),
      ],
    }),
    /makes a shape of 16 extents/,
  ],
  'an axis that is added to an image': [
    model({ nodes: [{ op: 'Unsqueeze', in: ['x', 'to'] }], tensors: [int64s('to', [1])] }),
    /\(Unsqueeze\) rearranges what flows through the chain/,
  ],
  'dropout of everything': [
    model({ nodes: [{ op: 'Dropout', in: ['x', 'ratio'] }], tensors: [floats('ratio', [], [1])] }),
    /drops with probability 1/,
  ],
  'LRN over an even window': [
    model({ nodes: [{ op: 'LRN', in: ['x'], at: { size: 4 } }] }),
    /window of 4 channels, and only odd/,
  ],
  'a number that is none': [
    model({ nodes: [{ op: 'LRN', in: ['x'], at: { size: 5, alpha: { float: Number.NaN } } }] }),
    /alpha NaN/,
  ],
  'an average over windows that overlap': [
    model({
      nodes: [{ op: 'AveragePool', in: ['x'], at: { kernel_shape: [3, 3], strides: [2, 2] } }],
    }),
    /averages windows that overlap/,
  ],
  'external data': [
    model({
      tensors: tensorsWith(0, {
        rawData: undefined,
        dataLocation: TensorProto_DataLocation.EXTERNAL,
      }),
    }),
    /"w" lies in another file, which it does not name/,
  ],
  'external data outside the folder': [
    model({
      tensors: tensorsWith(0, { externalData: [{ key: 'location', value: '../../etc/passwd' }] }),
    }),
    /"w": it names the file "..\/..\/etc\/passwd", which is not a path inside its own folder/,
  ],
  'text for weights': [
    model({ tensors: tensorsWith(0, { dataType: TensorProto_DataType.STRING }) }),
    /ONNX type STRING, which is not read/,
  ],
  'a type of the future': [model({ tensors: tensorsWith(0, { dataType: 999 }) }), /ONNX type 999/],
  'bytes too few for a shape': [
    model({ tensors: tensorsWith(0, { dims: [2n, 3n, 3n, 4n] }) }),
    /holds 54 values/,
  ],
  'a shape beyond all bounds': [
    model({ tensors: tensorsWith(0, { dims: [2n ** 40n, 2n ** 40n, 1n, 1n] }) }),
    /impossible shape/,
  ],
  'a negative extent': [
    model({ tensors: tensorsWith(0, { dims: [-2n, 3n, 3n, -3n] }) }),
    /impossible shape/,
  ],
  'data in segments': [
    model({ tensors: tensorsWith(0, { segment: { begin: 0n, end: 1n } }) }),
    /stored in segments/,
  ],
  'no data at all': [model({ tensors: tensorsWith(0, { rawData: undefined }) }), /holds 0 values/],
  'messages within messages': [nested(5000), /nests messages more than 32 deep/],
  'half a million empty nodes': [emptyNodes(500_000), /more than 100000 pieces/],
  'a shape of half a million dimensions': [manyDims(500_000), /more than 100000 pieces/],
}
