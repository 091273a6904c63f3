import { create, type MessageInitShape, toBinary } from '@bufbuild/protobuf'
import {
  type AttributeProtoSchema,
  AttributeProto_AttributeType as AttributeType,
  ModelProtoSchema,
  TensorProto_DataType,
  type TensorProtoSchema,
} from 'onnx-buf'

export type Tensor = MessageInitShape<typeof TensorProtoSchema>
type Attribute = MessageInitShape<typeof AttributeProtoSchema>

/**
 * One node, shortly: integers are whole numbers and lists, floats are wrapped so that 1 is told
 * from 1.0.
 */
export interface NodeSpec {
  readonly op: string
  readonly in: readonly string[]
  readonly out?: string
  readonly name?: string
  readonly domain?: string
  readonly at?: Readonly<
    Record<
      string,
      | number
      | readonly number[]
      | string
      | { readonly float: number }
      | { readonly floats: readonly number[] }
      | { readonly tensor: Tensor }
      /** In a function: the call's attribute of that name. */
      | { readonly ref: string }
    >
  >
}

export interface ModelSpec {
  readonly nodes: readonly NodeSpec[]
  readonly tensors?: readonly Tensor[]
  readonly input?: readonly (number | string)[]
  readonly inputType?: number
  readonly output?: string
  readonly opset?: number
  readonly metadata?: Readonly<Record<string, string>>
  readonly functions?: readonly FunctionSpec[]
}

/** A function of the model, in the domain 'own'. */
export interface FunctionSpec {
  readonly name: string
  readonly in: readonly string[]
  readonly out: readonly string[]
  readonly nodes: readonly NodeSpec[]
  /** Attributes with default values. */
  readonly at?: NodeSpec['at']
}

function attribute([name, value]: [string, NonNullable<NodeSpec['at']>[string]]): Attribute {
  if (typeof value === 'number') return { name, type: AttributeType.INT, i: BigInt(value) }
  if (typeof value === 'string')
    return {
      name,
      type: AttributeType.STRING,
      s: new TextEncoder().encode(value) as Uint8Array<ArrayBuffer>,
    }
  if ('float' in value) return { name, type: AttributeType.FLOAT, f: value.float }
  if ('floats' in value) return { name, type: AttributeType.FLOATS, floats: [...value.floats] }
  if ('ref' in value) return { name, type: AttributeType.INTS, refAttrName: value.ref }
  if ('tensor' in value) return { name, type: AttributeType.TENSOR, t: value.tensor }
  return { name, type: AttributeType.INTS, ints: value.map((n) => BigInt(n)) }
}

const described = (
  name: string,
  dims: readonly (number | string)[],
  elemType: number = TensorProto_DataType.FLOAT,
) => ({
  name,
  type: {
    value: {
      case: 'tensorType' as const,
      value: {
        elemType,
        shape: {
          dim: dims.map((n) => ({
            value:
              typeof n === 'number'
                ? { case: 'dimValue' as const, value: BigInt(n) }
                : { case: 'dimParam' as const, value: n },
          })),
        },
      },
    },
  },
})

/** float32 values, pseudo-random between -0.5 and 0.5 where none are given. */
export function floats(name: string, dims: readonly number[], values?: readonly number[]): Tensor {
  const count = dims.reduce((a, b) => a * b, 1)
  const data = Float32Array.from(
    { length: count },
    (_, i) => values?.[i] ?? (Math.imul(i + name.length + 1, 2654435761) >>> 0) / 2 ** 32 - 0.5,
  )
  return {
    name,
    dims: dims.map(BigInt),
    dataType: TensorProto_DataType.FLOAT,
    rawData: new Uint8Array(data.buffer),
  }
}

export function int64s(name: string, values: readonly number[]): Tensor {
  return {
    name,
    dims: [BigInt(values.length)],
    dataType: TensorProto_DataType.INT64,
    rawData: new Uint8Array(BigInt64Array.from(values, BigInt).buffer),
  }
}

function written(node: NodeSpec, output: string) {
  return {
    opType: node.op,
    input: [...node.in],
    output: [output],
    name: node.name ?? '',
    domain: node.domain ?? '',
    attribute: Object.entries(node.at ?? {}).map(attribute),
  }
}

/**
 * An ONNX file; input 'x', nodes in order, each output named `out` or after its place, the last one
 * the graph's.
 */
export function onnxFile({
  nodes,
  tensors = [],
  input = ['n', 3, 8, 8],
  inputType,
  output,
  opset = 13,
  metadata = {},
  functions = [],
}: ModelSpec): Uint8Array {
  const outputOf = (node: NodeSpec, i: number) => node.out ?? `v${i}`
  const last = nodes.at(-1)
  return toBinary(
    ModelProtoSchema,
    create(ModelProtoSchema, {
      irVersion: 7n,
      opsetImport: [{ domain: '', version: BigInt(opset) }],
      functions: functions.map((one) => ({
        domain: 'own',
        name: one.name,
        input: [...one.in],
        output: [...one.out],
        node: one.nodes.map((node, i) => written(node, node.out ?? `v${i}`)),
        attributeProto: Object.entries(one.at ?? {}).map(attribute),
        opsetImport: [{ domain: '', version: BigInt(opset) }],
      })),
      metadataProps: Object.entries(metadata).map(([key, value]) => ({ key, value })),
      graph: {
        name: 'test',
        node: nodes.map((node, i) => written(node, outputOf(node, i))),
        initializer: [...tensors],
        input: [described('x', input, inputType)],
        output: [
          described(output ?? (last ? outputOf(last, nodes.length - 1) : 'x'), ['n', 'classes']),
        ],
      },
    }),
  )
}

/** A small sound network: convolution, ReLU, flatten, dense. */
export const small: ModelSpec & {
  readonly nodes: readonly NodeSpec[]
  readonly tensors: readonly Tensor[]
} = {
  nodes: [
    {
      op: 'Conv',
      in: ['x', 'w', 'b'],
      name: 'first',
      at: { kernel_shape: [3, 3], pads: [1, 1, 1, 1], strides: [2, 2] },
    },
    { op: 'Relu', in: ['v0'] },
    { op: 'Flatten', in: ['v1'] },
    { op: 'Gemm', in: ['v2', 'fw', 'fb'], at: { transB: 1 } },
  ],
  tensors: [floats('w', [2, 3, 3, 3]), floats('b', [2]), floats('fw', [4, 32]), floats('fb', [4])],
}

/** `small` with one of its nodes changed. */
export function smallWith(
  index: number,
  change: Partial<NodeSpec>,
  more: Partial<ModelSpec> = {},
): Uint8Array {
  return onnxFile({
    ...small,
    ...more,
    nodes: small.nodes.map((node, i) => (i === index ? { ...node, ...change } : node)),
  })
}
