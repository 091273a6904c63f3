import { type TensorProto, TensorProto_DataLocation, TensorProto_DataType } from 'onnx-buf'
import { at } from '../../base/at.ts'
import { WeightsError } from '../../base/errors.ts'
import type { NamedArray } from '../../base/stateDict.ts'
import { elementCount, isCount, labeled, quote } from '../arrays.ts'
import { type DtypeName, itemSize, widenInPlace } from '../dtype.ts'
import type { WeightsPlace } from '../place.ts'
import { type ByteSource, requireRoom } from '../source.ts'
import type { Piece } from './skeleton.ts'

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

/** A constant of the graph. Its elements are read when they are asked for. */
export interface Constant {
  readonly shape: readonly number[]
  /** Whether it holds integers of the types of shapes and axes. */
  readonly whole: boolean
  /** Widened to float32. */
  array(): Promise<NamedArray>
  /** The few integers of a shape. */
  integers(): Promise<number[]>
}

/** A tensor's type and shape, and how many elements they call for. */
interface Header {
  readonly label: string
  readonly dtype: DtypeName
  readonly shape: readonly number[]
  readonly count: number
}

/** The tensors of an ONNX file: their elements lie in it, or in other files of its folder. */
export class Tensors {
  readonly #place: WeightsPlace
  readonly #pieces: readonly Piece[]
  readonly #files = new Map<string, ByteSource>()
  readonly #arrays = new Map<TensorProto, NamedArray>()
  #fileBytes: number
  #taken = 0

  /** @param pieces what the raw data of the file's tensors are indices of */
  constructor(place: WeightsPlace, pieces: readonly Piece[]) {
    this.#place = place
    this.#pieces = pieces
    this.#fileBytes = place.source.size
  }

  /** A tensor as a constant; what is wrong with it is found when it is used. */
  constant(tensor: TensorProto): Constant {
    return {
      get shape() {
        return headerOf(tensor).shape
      },
      get whole() {
        return isWhole(headerOf(tensor).dtype)
      },
      array: () => this.#array(tensor),
      integers: () => this.#integers(tensor),
    }
  }

  async #array(tensor: TensorProto): Promise<NamedArray> {
    const known = this.#arrays.get(tensor)
    if (known) return known
    const header = headerOf(tensor)
    const { dtype, shape, count } = header
    // Several tensors may name the same bytes, so that a small file calls for much memory.
    this.#taken += 4 * count
    const bytes = await this.#bytes(tensor, header)
    const data = bytes
      ? widenInPlace(dtype, bytes)
      : Float32Array.from(typedValues(tensor, dtype), Number)
    if (data.length !== count) throw wrongCount(header, data.length)
    const array = { shape, data, dtype }
    this.#arrays.set(tensor, array)
    return array
  }

  async #integers(tensor: TensorProto): Promise<number[]> {
    const header = headerOf(tensor)
    const { label, dtype, count } = header
    if (!isWhole(dtype))
      throw new WeightsError(`${label} is of type ${dtype} and has to hold integers`)
    if (count > 64)
      throw new WeightsError(`${label} holds ${count} integers where a shape is wanted`)
    const aligned = (await this.#bytes(tensor, header))?.slice().buffer
    const values = aligned
      ? dtype === 'I64'
        ? new BigInt64Array(aligned)
        : new Int32Array(aligned)
      : typedValues(tensor, dtype)
    if (values.length !== count) throw wrongCount(header, values.length)
    return Array.from(values as ArrayLike<number | bigint>, Number)
  }

  /** The elements as they are stored; null where a typed field holds them. */
  async #bytes(tensor: TensorProto, header: Header): Promise<Uint8Array<ArrayBuffer> | null> {
    const { dtype, count } = header
    const length = count * itemSize(dtype)
    if (isExternal(tensor)) return this.#external(tensor, header, length)
    if (tensor.rawData.length === 0)
      return count === 0 ? new Uint8Array(0) : halvesOf(tensor, dtype)
    const index = new DataView(tensor.rawData.slice().buffer).getUint32(0, true)
    const piece = at(this.#pieces, index)
    if (piece.length !== length) throw wrongCount(header, piece.length / itemSize(dtype))
    this.#requireRoom()
    return this.#place.source.read(piece.offset, length)
  }

  /** https://github.com/onnx/onnx/blob/main/docs/ExternalData.md */
  async #external(
    { externalData }: TensorProto,
    { label, shape }: Header,
    length: number,
  ): Promise<Uint8Array<ArrayBuffer>> {
    const entry = (key: string) => externalData.find((one) => one.key === key)?.value
    const location = entry('location')
    if (location === undefined)
      throw new WeightsError(
        `${label} lies in another file, which it does not name; export it again`,
      )
    const number = (key: string, otherwise: number) => {
      const text = entry(key)
      if (text === undefined) return otherwise
      if (!/^\d{1,16}$/.test(text) || !isCount(Number(text)))
        throw new WeightsError(
          `${label} has the ${key} ${quote(text)} in another file: the file is damaged`,
        )
      return Number(text)
    }
    const offset = number('offset', 0)
    const said = number('length', length)
    if (said !== length)
      throw new WeightsError(
        `${label} takes ${said} bytes of its file ${quote(location)}, and its shape ` +
          `[${shape.join(', ')}] calls for ${length}: the file is damaged`,
      )
    try {
      const source = await this.#file(location)
      this.#requireRoom()
      return await source.read(offset, length).catch((cause: unknown) => {
        throw labeled(`its file ${location}`, cause)
      })
    } catch (cause) {
      throw labeled(label, cause)
    }
  }

  async #file(location: string): Promise<ByteSource> {
    const open = this.#files.get(location)
    if (open) return open
    const source = await this.#place.below(location)
    this.#files.set(location, source)
    this.#fileBytes += source.size
    return source
  }

  #requireRoom(): void {
    requireRoom('its weights', this.#taken, this.#fileBytes)
  }
}

function isWhole(dtype: DtypeName): boolean {
  return dtype === 'I64' || dtype === 'I32'
}

function isExternal({ dataLocation, externalData }: TensorProto): boolean {
  return dataLocation === TensorProto_DataLocation.EXTERNAL || externalData.length > 0
}

function headerOf({ name, dims, dataType, segment }: TensorProto): Header {
  const label = `tensor ${quote(name)}`
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
  return { label, dtype, shape, count }
}

function wrongCount({ label, shape }: Header, found: number): WeightsError {
  return new WeightsError(
    `${label} holds ${found} values, and its shape [${shape.join(', ')}] ` +
      'calls for another number: the file is damaged',
  )
}

/** float16 and bfloat16 without raw bytes are in int32_data, the bits of one in each. */
function halvesOf({ int32Data }: TensorProto, dtype: DtypeName): Uint8Array<ArrayBuffer> | null {
  return dtype === 'F16' || dtype === 'BF16'
    ? new Uint8Array(Uint16Array.from(int32Data).buffer)
    : null
}

function typedValues(tensor: TensorProto, dtype: DtypeName): readonly number[] | readonly bigint[] {
  if (dtype === 'F32') return tensor.floatData
  if (dtype === 'F64') return tensor.doubleData
  if (dtype === 'I64') return tensor.int64Data
  return dtype === 'U64' || dtype === 'U32' ? tensor.uint64Data : tensor.int32Data
}
