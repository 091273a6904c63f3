import { type DescMessage, ScalarType } from '@bufbuild/protobuf'
import { BinaryReader, BinaryWriter, WireType } from '@bufbuild/protobuf/wire'
import { ModelProtoSchema, TensorProtoSchema } from 'onnx-buf'
import { WeightsError } from '../../base/errors.ts'
import { concat } from '../arrays.ts'
import type { ByteSource } from '../source.ts'

/** Where the elements of a tensor lie in the file. */
export interface Piece {
  readonly offset: number
  readonly length: number
}

/**
 * An ONNX file without its large parts: the messages, in which the raw data of every tensor are
 * replaced by their index in `pieces` (uint32).
 */
export interface Skeleton {
  readonly messages: Uint8Array
  readonly pieces: readonly Piece[]
}

/**
 * The most messages and small numbers in a file. Each takes up to some 300 bytes in memory, but may
 * take only two in the file.
 */
const maxPieces = 100_000
/** The deepest nesting of messages; those of a chain are nine deep. */
export const maxDepth = 32
/** The most bytes of names, texts and attributes. */
const maxText = 2 ** 26
/** The file is read in windows of this many bytes, or less at its end. */
const windowBytes = 2 ** 16
/** No tag with a length takes more bytes. */
const longestHead = 20

const varints: ReadonlySet<ScalarType> = new Set([
  ScalarType.INT64,
  ScalarType.INT32,
  ScalarType.UINT64,
  ScalarType.UINT32,
])

/** Fields of TensorProto that hold little-endian elements, as raw_data does. */
const rawData = 9
const packedFields: ReadonlySet<number> = new Set([rawData, 4 /* float */, 10 /* double */])

/**
 * Reads an ONNX file without its weights, so that a file of any size can be opened.
 * @throws WeightsError for a file that would take far more memory than an ONNX model does
 * @throws Error where it is not a protocol-buffers message
 */
export async function readSkeleton(source: ByteSource): Promise<Skeleton> {
  const walk = new Walk(source)
  const messages = await walk.message(ModelProtoSchema, 0, source.size, maxDepth)
  return { messages, pieces: walk.pieces }
}

class Walk {
  readonly pieces: Piece[] = []
  readonly #source: ByteSource
  #window: Uint8Array = new Uint8Array(0)
  #windowAt = 0
  #piecesLeft = maxPieces
  #textLeft = maxText

  constructor(source: ByteSource) {
    this.#source = source
  }

  /** The message between two offsets of the file, without its large parts. */
  async message(
    schema: DescMessage,
    begin: number,
    end: number,
    depth: number,
  ): Promise<Uint8Array> {
    if (depth === 0)
      throw new WeightsError(
        `the file nests messages more than ${maxDepth} deep, which no ONNX model of a chain does`,
      )
    const chunks: Uint8Array[] = []
    let at = begin
    while (at < end) {
      const reader = await this.#readerAt(at, end)
      const [number, wire] = reader.tag()
      const field = schema.fields.find((one) => one.number === number)
      this.#spend(1)
      if (wire !== WireType.LengthDelimited) {
        reader.skip(wire, number)
        chunks.push(this.#window.slice(at - this.#windowAt, at - this.#windowAt + reader.pos))
        at += reader.pos
        continue
      }
      const length = reader.uint32()
      const body = at + reader.pos
      at = body + length
      if (at > end) throw new RangeError('premature EOF')
      const kept = field && (await this.#field(schema, number, body, length, depth))
      if (kept) chunks.push(new BinaryWriter().tag(kept.number, wire).bytes(kept.bytes).finish())
    }
    return concat(chunks)
  }

  /** What remains of a field, and its number then; null where nothing does. */
  async #field(schema: DescMessage, number: number, body: number, length: number, depth: number) {
    const field = schema.fields.find((one) => one.number === number)
    if (field?.message)
      return { number, bytes: await this.message(field.message, body, body + length, depth - 1) }
    if (schema === TensorProtoSchema && packedFields.has(number)) {
      if (length === 0) return null
      const index = this.pieces.push({ offset: body, length }) - 1
      return { number: rawData, bytes: new Uint8Array(Uint32Array.of(index).buffer) }
    }
    if (field?.scalar !== undefined && varints.has(field.scalar)) this.#spend(length)
    this.#textLeft -= length
    if (this.#textLeft < 0)
      throw new WeightsError(
        `the file holds more than ${maxText} bytes beside its weights, ` +
          'too many for a network that Graft reads',
      )
    return { number, bytes: await this.#source.read(body, length) }
  }

  #spend(pieces: number): void {
    this.#piecesLeft -= pieces
    if (this.#piecesLeft < 0)
      throw new WeightsError(
        `the file holds more than ${maxPieces} pieces, too many for a network that Graft reads`,
      )
  }

  /** A reader at an offset of the file, for one field's tag and length or small value. */
  async #readerAt(at: number, end: number): Promise<BinaryReader> {
    const stop = Math.min(at + longestHead, end)
    if (at < this.#windowAt || stop > this.#windowAt + this.#window.length) {
      const length = Math.min(windowBytes, this.#source.size - at)
      this.#window = await this.#source.read(at, length)
      this.#windowAt = at
    }
    const from = at - this.#windowAt
    return new BinaryReader(
      this.#window.subarray(from, Math.min(from + end - at, this.#window.length)),
    )
  }
}
