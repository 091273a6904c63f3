/** Numbers that grow in number, held without a JavaScript object each. */
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

  at(index: number): number {
    return this.#values[index] ?? 0
  }

  map(change: (value: number) => number): void {
    for (let i = 0; i < this.length; i++) this.#values[i] = change(this.#values[i] ?? 0)
  }
}
