import { create, type MessageInitShape, toBinary } from '@bufbuild/protobuf'
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire'
import {
  type AttributeProtoSchema,
  AttributeProto_AttributeType as AttributeType,
  GraphProtoSchema,
  ModelProtoSchema,
  type NodeProtoSchema,
  TensorProto_DataType,
  TensorProtoSchema,
  type ValueInfoProtoSchema,
} from 'onnx-buf'
import { at } from '../../base/at.ts'
import type { NamedArray } from '../../base/stateDict.ts'
import { bytesOf, concat, totalLength } from '../arrays.ts'
import type { LayerSpec, OnnxChain } from './layers.ts'
import { producer } from './producer.ts'

type Attribute = MessageInitShape<typeof AttributeProtoSchema>
type Node = MessageInitShape<typeof NodeProtoSchema>

/** Operator set 13 and IR version 7, of 2020: what every runtime in use reads. */
const opset = 13n
const irVersion = 7n

/** Field numbers of onnx.proto that are written here rather than by the library. */
const fields = { modelGraph: 7, graphInitializer: 5, tensorRawData: 9 } as const

/**
 * Writes a chain of layers as an ONNX file. The batch is a dynamic dimension; nodes and their
 * weights bear the layers' names. The same chain gives the same bytes.
 *
 * @param chain.outputs numbers that the last layer gives for one image
 * @returns the whole file
 */
export function writeOnnx({
  input,
  layers,
  metadata,
  outputs,
}: OnnxChain & { readonly outputs: number }): Uint8Array {
  const arrays: [string, NamedArray][] = []
  const add = (name: string, array: NamedArray): string => {
    arrays.push([name, array])
    return name
  }
  let head = 'input'
  const nodes = layers.map((layer, i): Node => {
    const output = i === layers.length - 1 ? 'output' : `${layer.name}.output`
    const node = { name: layer.name, output: [output], ...nodeOf(layer, head, add) }
    head = output
    return node
  })
  const graph = toBinary(
    GraphProtoSchema,
    create(GraphProtoSchema, {
      name: producer,
      node: nodes,
      input: [described('input', input)],
      output: [described('output', [outputs])],
    }),
  )
  const tensors = arrays.map(([name, array]) => tensorChunks(name, array))
  const graphChunks = [
    graph,
    ...tensors.flatMap((chunks) => [lead(fields.graphInitializer, totalLength(chunks)), ...chunks]),
  ]
  // The metadata come last, so that a file that is cut short lacks them.
  const before = toBinary(
    ModelProtoSchema,
    create(ModelProtoSchema, { irVersion, producerName: producer }),
  )
  const after = toBinary(
    ModelProtoSchema,
    create(ModelProtoSchema, {
      opsetImport: [{ domain: '', version: opset }],
      metadataProps: Object.entries(metadata)
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([key, value]) => ({ key, value })),
    }),
  )
  return concat([before, lead(fields.modelGraph, totalLength(graphChunks)), ...graphChunks, after])
}

/** The operator, its inputs and its attributes. */
function nodeOf(
  layer: LayerSpec,
  x: string,
  add: (name: string, array: NamedArray) => string,
): Node {
  const weights = (weight: NamedArray, bias: NamedArray) => [
    x,
    add(`${layer.name}.weight`, weight),
    add(`${layer.name}.bias`, bias),
  ]
  switch (layer.kind) {
    case 'conv': {
      const { weight, bias, stride, padding, groups } = layer
      const window = windowOf(at(weight.shape, 2), stride, padding)
      return {
        opType: 'Conv',
        input: weights(weight, bias),
        attribute: [...window, ints('dilations', [1, 1]), int('group', groups)],
      }
    }
    case 'linear':
      return {
        opType: 'Gemm',
        input: weights(layer.weight, layer.bias),
        attribute: [int('transB', 1)],
      }
    case 'relu':
      return { opType: 'Relu', input: [x] }
    case 'flatten':
      return { opType: 'Flatten', input: [x], attribute: [int('axis', 1)] }
    case 'softmax':
      return { opType: 'Softmax', input: [x], attribute: [int('axis', 1)] }
    case 'logSoftmax':
      return { opType: 'LogSoftmax', input: [x], attribute: [int('axis', 1)] }
    case 'maxPool': {
      const { kernel, stride, padding, ceilMode } = layer
      return {
        opType: 'MaxPool',
        input: [x],
        attribute: [...windowOf(kernel, stride, padding), int('ceil_mode', ceilMode ? 1 : 0)],
      }
    }
    case 'averagePool': {
      const { window } = layer
      if (window === 'all') return { opType: 'GlobalAveragePool', input: [x] }
      return { opType: 'AveragePool', input: [x], attribute: windowOf(window, window, 0) }
    }
    case 'lrn': {
      const { size, alpha, beta, k } = layer
      return {
        opType: 'LRN',
        input: [x],
        attribute: [
          int('size', size),
          float('alpha', alpha),
          float('beta', beta),
          float('bias', k),
        ],
      }
    }
    case 'dropout':
      return {
        opType: 'Dropout',
        input: [x, add(`${layer.name}.ratio`, { shape: [], data: Float32Array.of(layer.p) })],
      }
  }
}

function windowOf(kernel: number, stride: number, padding: number): Attribute[] {
  return [
    ints('kernel_shape', [kernel, kernel]),
    ints('strides', [stride, stride]),
    ints('pads', [padding, padding, padding, padding]),
  ]
}

const int = (name: string, value: number): Attribute => ({
  name,
  type: AttributeType.INT,
  i: BigInt(value),
})
const ints = (name: string, values: readonly number[]): Attribute => ({
  name,
  type: AttributeType.INTS,
  ints: values.map(BigInt),
})
const float = (name: string, value: number): Attribute => ({
  name,
  type: AttributeType.FLOAT,
  f: value,
})

/** A graph's input or output: float32, any batch. */
function described(
  name: string,
  shape: readonly number[],
): MessageInitShape<typeof ValueInfoProtoSchema> {
  const dim = [
    { value: { case: 'dimParam' as const, value: 'batch' } },
    ...shape.map((n) => ({ value: { case: 'dimValue' as const, value: BigInt(n) } })),
  ]
  return {
    name,
    type: {
      value: {
        case: 'tensorType',
        value: { elemType: TensorProto_DataType.FLOAT, shape: { dim } },
      },
    },
  }
}

/**
 * A tensor's message in parts, so that its numbers, which are most of the file, are copied only
 * once.
 */
function tensorChunks(name: string, { shape, data }: NamedArray): Uint8Array[] {
  const header = create(TensorProtoSchema, {
    name,
    dims: shape.map(BigInt),
    dataType: TensorProto_DataType.FLOAT,
  })
  const bytes = bytesOf(data)
  return [toBinary(TensorProtoSchema, header), lead(fields.tensorRawData, bytes.length), bytes]
}

/** The tag and length before a field of that many bytes. */
function lead(field: number, length: number): Uint8Array {
  return new BinaryWriter().tag(field, WireType.LengthDelimited).uint32(length).finish()
}
