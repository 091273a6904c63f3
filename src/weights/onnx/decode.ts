/**
 * The ONNX format: a protocol-buffers message,
 * https://github.com/onnx/onnx/blob/main/onnx/onnx.proto and docs/IR.md. The messages are
 * onnx-buf's, ONNX's own definitions compiled for @bufbuild/protobuf, which refuses nesting deeper
 * than 100 and leaves bytes uncopied.
 */
import { type DescMessage, fromBinary, ScalarType } from '@bufbuild/protobuf'
import { BinaryReader, WireType } from '@bufbuild/protobuf/wire'
import {
  type GraphProto,
  type ModelProto,
  ModelProtoSchema,
  type TensorProto,
  TensorProto_DataLocation,
  TensorProto_DataType,
} from 'onnx-buf'
import { WeightsError } from '../../base/errors.ts'
import type { NamedArray } from '../../base/stateDict.ts'
import { elementCount, isCount, quote } from '../arrays.ts'
import { type DtypeName, itemSize, widen } from '../dtype.ts'

/**
 * Reads the messages of an ONNX file.
 * @throws WeightsError if it is not an ONNX file, is cut short, damaged, or far larger in memory
 * than on disk
 */
export function readModel(bytes: Uint8Array): {
  readonly model: ModelProto
  readonly graph: GraphProto
} {
  if (bytes.length === 0) throw new WeightsError('the file is empty, not an ONNX model')
  let model: ModelProto
  try {
    const reader = new BinaryReader(bytes)
    weigh(ModelProtoSchema, reader, bytes.length, { left: maxPieces }, maxDepth)
    model = fromBinary(ModelProtoSchema, bytes, {
      readUnknownFields: false,
      recursionLimit: maxDepth,
    })
  } catch (cause) {
    if (cause instanceof WeightsError) throw cause
    const reason = cause instanceof Error ? cause.message.split('\n', 1)[0] : String(cause)
    throw new WeightsError(
      `this is not an ONNX model, or it is cut short or damaged (${reason}); export it again`,
      { cause },
    )
  }
  if (!model.graph)
    throw new WeightsError(
      'the file holds no graph: it is not an ONNX model, or it is cut short; export it again',
    )
  return { model, graph: model.graph }
}

/**
 * The most messages and small numbers in a file. Each takes up to some 300 bytes in memory, but may
 * take only two in the file.
 */
const maxPieces = 100_000
/** The deepest nesting of messages; those of a chain are nine deep. */
const maxDepth = 32

const varints: ReadonlySet<ScalarType> = new Set([
  ScalarType.INT64,
  ScalarType.INT32,
  ScalarType.UINT64,
  ScalarType.UINT32,
])

/** Walks through a message without decoding it, and refuses one that would take too much memory. */
function weigh(
  schema: DescMessage,
  reader: BinaryReader,
  end: number,
  budget: { left: number },
  depth: number,
): void {
  if (depth === 0)
    throw new WeightsError(
      `the file nests messages more than ${maxDepth} deep, which no ONNX model of a chain does`,
    )
  const spend = (pieces: number) => {
    budget.left -= pieces
    if (budget.left < 0)
      throw new WeightsError(
        `the file holds more than ${maxPieces} pieces, too many for a network that Graft reads`,
      )
  }
  while (reader.pos < end) {
    const [number, wire] = reader.tag()
    const field = schema.fields.find((one) => one.number === number)
    spend(1)
    if (wire !== WireType.LengthDelimited) {
      reader.skip(wire, number)
      continue
    }
    const length = reader.uint32()
    const stop = reader.pos + length
    if (stop > end) throw new RangeError('premature EOF')
    if (field?.message) weigh(field.message, reader, stop, budget, depth - 1)
    else if (field?.scalar !== undefined && varints.has(field.scalar)) spend(length)
    reader.pos = stop
  }
  if (reader.pos !== end) throw new RangeError('premature EOF')
}

/** ONNX's element types as safetensors names them. */
const dtypes: Readonly<Partial<Record<TensorProto_DataType, DtypeName>>> = {
  [TensorProto_DataType.FLOAT]: 'F32',
  [TensorProto_DataType.DOUBLE]: 'F64',
  [TensorProto_DataType.FLOAT16]: 'F16',
  [TensorProto_DataType.BFLOAT16]: 'BF16',
  [TensorProto_DataType.INT64]: 'I64',
  [TensorProto_DataType.INT32]: 'I32',
  [TensorProto_DataType.INT16]: 'I16',
  [TensorProto_DataType.INT8]: 'I8',
  [TensorProto_DataType.UINT64]: 'U64',
  [TensorProto_DataType.UINT32]: 'U32',
  [TensorProto_DataType.UINT16]: 'U16',
  [TensorProto_DataType.UINT8]: 'U8',
  [TensorProto_DataType.BOOL]: 'BOOL',
}

/**
 * A tensor of the file as a plain array, widened to float32.
 * @throws WeightsError for data in another file, a type that is not a number, or another number of
 * elements than the shape calls for
 */
export function arrayOf(tensor: TensorProto): NamedArray {
  const { dtype, bytes, typed, count, shape } = contentsOf(tensor)
  const data = bytes ? widen(dtype, bytes) : Float32Array.from(typed, Number)
  if (data.length !== count) throw wrongCount(tensor, shape, data.length)
  return { shape, data, dtype }
}

/** The few integers of a tensor: a shape, axes. */
export function integersOf(tensor: TensorProto): number[] {
  const { dtype, bytes, typed, count, shape } = contentsOf(tensor)
  if (dtype !== 'I64' && dtype !== 'I32')
    throw new WeightsError(
      `tensor ${quote(tensor.name)} is of type ${dtype} and has to hold integers`,
    )
  if (count > 64)
    throw new WeightsError(
      `tensor ${quote(tensor.name)} holds ${count} integers where a shape is wanted`,
    )
  const aligned = bytes && new Uint8Array(bytes).buffer
  const values = aligned
    ? dtype === 'I64'
      ? new BigInt64Array(aligned)
      : new Int32Array(aligned)
    : typed
  if (values.length !== count) throw wrongCount(tensor, shape, values.length)
  return Array.from(values as ArrayLike<number | bigint>, Number)
}

function wrongCount({ name }: TensorProto, shape: readonly number[], found: number): WeightsError {
  return new WeightsError(
    `tensor ${quote(name)} holds ${found} values, and its shape [${shape.join(', ')}] ` +
      'calls for another number: the file is damaged',
  )
}

/** Type, shape and raw bytes of a tensor, or else the values of its typed field. */
function contentsOf(tensor: TensorProto) {
  const { name, dims, dataType, dataLocation, segment, rawData } = tensor
  const label = `tensor ${quote(name)}`
  if (dataLocation === TensorProto_DataLocation.EXTERNAL || tensor.externalData.length > 0)
    throw new WeightsError(
      `${label} lies in another file (external data), which is not read; ` +
        'save the model as one file',
    )
  if (segment)
    throw new WeightsError(
      `${label} is stored in segments, which are not read; export the model again`,
    )
  const dtype = dtypes[dataType as TensorProto_DataType]
  if (!dtype)
    throw new WeightsError(
      `${label} is of ONNX type ${TensorProto_DataType[dataType] ?? dataType}, which is not read`,
    )
  const shape = dims.map(Number)
  const count =
    shape.length <= 8 && shape.every(isCount) ? elementCount(shape, itemSize(dtype)) : null
  if (count === null)
    throw new WeightsError(
      `${label} has the impossible shape [${shape.slice(0, 9).join(', ')}]: the file is damaged`,
    )
  if (rawData.length > 0 && rawData.length !== count * itemSize(dtype))
    throw wrongCount(tensor, shape, rawData.length / itemSize(dtype))
  const bytes = rawData.length > 0 || count === 0 ? rawData : halvesOf(dtype, tensor.int32Data)
  return { dtype, shape, count, bytes, typed: typedValues(tensor, dtype) }
}

/** float16 and bfloat16 without raw bytes are in int32_data, the bits of one in each. */
function halvesOf(dtype: DtypeName, words: readonly number[]): Uint8Array | null {
  return dtype === 'F16' || dtype === 'BF16' ? new Uint8Array(Uint16Array.from(words).buffer) : null
}

function typedValues(tensor: TensorProto, dtype: DtypeName): readonly number[] | readonly bigint[] {
  if (dtype === 'F32') return tensor.floatData
  if (dtype === 'F64') return tensor.doubleData
  if (dtype === 'I64') return tensor.int64Data
  return dtype === 'U64' || dtype === 'U32' ? tensor.uint64Data : tensor.int32Data
}
