import { WeightsError } from '../../base/errors.ts'
import { decodeText } from '../arrays.ts'

/** The bytes read so far end before the pickle does. */
export class PickleTruncated extends WeightsError {
  constructor() {
    super('the file is truncated: it ends inside its pickle; download or copy the file again')
  }
}

/** Reads the operands of opcodes, one after the other. It allocates no more than it has bytes. */
export class PickleReader {
  position = 0
  readonly #bytes: Uint8Array
  readonly #view: DataView

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  /** The next `length` bytes, as a view. */
  take(length: number): Uint8Array {
    const start = this.#advance(length)
    return this.#bytes.subarray(start, start + length)
  }

  byte(): number {
    return this.#view.getUint8(this.#advance(1))
  }

  uint16(): number {
    return this.#view.getUint16(this.#advance(2), true)
  }

  uint32(): number {
    return this.#view.getUint32(this.#advance(4), true)
  }

  int32(): number {
    return this.#view.getInt32(this.#advance(4), true)
  }

  /** A length of 8 bytes; one that is too large fails as any length beyond the end does. */
  length64(): number {
    return Number(this.#view.getBigUint64(this.#advance(8), true))
  }

  /** A big-endian double, the operand of BINFLOAT. */
  float64(): number {
    return this.#view.getFloat64(this.#advance(8), false)
  }

  /** A two's complement integer of `length` bytes, little-endian. */
  integer(length: number): number | bigint {
    if (length > longestInteger)
      throw new WeightsError(
        `the pickle has an integer of ${length} bytes, which no checkpoint has`,
      )
    let value = 0n
    for (const byte of this.take(length).toReversed()) value = (value << 8n) | BigInt(byte)
    return narrow(BigInt.asIntN(8 * length, value))
  }

  /** The text up to the next line feed, which is skipped. */
  line(): string {
    const end = this.#bytes.indexOf(lineFeed, this.position)
    if (end < 0) throw new PickleTruncated()
    const line = decodeText(this.take(end - this.position))
    this.position++
    return line
  }

  #advance(length: number): number {
    const start = this.position
    if (length > this.#bytes.length - start) throw new PickleTruncated()
    this.position += length
    return start
  }
}

const lineFeed = 0x0a

/** Bytes of the longest integer that is read; torch.save's magic number takes 10. */
const longestInteger = 32

/** An integer as a number if that is exact, else as it is. */
export function narrow(value: bigint): number | bigint {
  return value >= BigInt(Number.MIN_SAFE_INTEGER) && value <= BigInt(Number.MAX_SAFE_INTEGER)
    ? Number(value)
    : value
}
