import { at } from '../base/at.ts'

/** A growing list of numbers in a typed array, which needs no JavaScript object for each. */
export class Column<T extends Float64Array | Uint32Array | Uint8Array> {
  #values: T
  length = 0

  constructor(values: T) {
    this.#values = values
  }

  push(value: number): void {
    if (this.length === this.#values.length) {
      const larger = new (this.#values.constructor as new (length: number) => T)(2 * this.length)
      larger.set(this.#values)
      this.#values = larger
    }
    this.#values[this.length++] = value
  }

  /** @throws RangeError outside the list */
  at(index: number): number {
    if (index >= this.length)
      throw new RangeError(`index ${index} is outside a list of ${this.length}`)
    return at(this.#values, index)
  }

  map(change: (value: number) => number): void {
    for (let i = 0; i < this.length; i++) this.#values[i] = change(this.at(i))
  }
}
