import { original, wellFormed } from '../base/wellFormed.ts'
import { Column } from './column.ts'

const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { ignoreBOM: true })

/** A growing list of texts, one after the other as UTF-8, which needs no object for each. */
export class PackedStrings {
  #bytes = new Uint8Array(1 << 16)
  readonly #ends = new Column(new Float64Array(1024))

  get length(): number {
    return this.#ends.length
  }

  push(text: string): void {
    const start = this.#startOf(this.length)
    const bytes = encoder.encode(wellFormed(text))
    const end = start + bytes.length
    if (end > this.#bytes.length) {
      const larger = new Uint8Array(Math.max(2 * this.#bytes.length, end))
      larger.set(this.#bytes)
      this.#bytes = larger
    }
    this.#bytes.set(bytes, start)
    this.#ends.push(end)
  }

  /** @throws RangeError outside the list */
  at(index: number): string {
    return original(decoder.decode(this.bytesAt(index)))
  }

  /** A text's bytes, valid until the next one is added. */
  bytesAt(index: number): Uint8Array {
    return this.#bytes.subarray(this.#startOf(index), this.#ends.at(index))
  }

  /** Where the bytes of a text begin. */
  #startOf(index: number): number {
    return index === 0 ? 0 : this.#ends.at(index - 1)
  }
}

/** A text's bytes as they stand in the list. */
export function packed(text: string): Uint8Array {
  return encoder.encode(wellFormed(text))
}
