import { at } from '../base/at.ts'
import { counted } from '../base/format.ts'
import { requirePath, type Store, type StoredObject, StoreError } from '../store/store.ts'
import { Column } from './column.ts'
import { PackedStrings, packed } from './packedStrings.ts'

/** The objects of a store, in some dozens of bytes each, in the order of their paths' bytes. */
export class Listing {
  readonly store: Store
  readonly #paths = new PackedStrings()
  readonly #versions = new PackedStrings()
  readonly #bytes = new Column(new Float64Array(1024))
  /** The rows in their order, where the store gave them in another one. */
  #order: Uint32Array | null = null
  #odd = 0
  #firstOdd = ''

  private constructor(store: Store) {
    this.store = store
  }

  /**
   * @param objects some of the store's; all by default
   * @throws StoreError if it cannot be listed
   */
  static async of(
    store: Store,
    objects: AsyncIterable<StoredObject> | Iterable<StoredObject> = store.list(''),
  ): Promise<Listing> {
    const listing = new Listing(store)
    let sorted = true
    for await (const object of objects) {
      if (!listing.#add(object)) continue
      const last = listing.length - 1
      sorted &&= last === 0 || listing.#compare(last - 1, last) < 0
    }
    if (!sorted)
      listing.#order = Uint32Array.from({ length: listing.length }, (_, row) => row).sort((a, b) =>
        listing.#compare(a, b),
      )
    return listing
  }

  get length(): number {
    return this.#paths.length
  }

  path(index: number): string {
    return this.#paths.at(this.#row(index))
  }

  object(index: number): StoredObject {
    const row = this.#row(index)
    return {
      path: this.#paths.at(row),
      bytes: this.#bytes.at(row),
      version: this.#versions.at(row),
    }
  }

  /** The object of a path. */
  find(path: string): StoredObject | undefined {
    const wanted = packed(path)
    let [low, high] = [0, this.length]
    while (low < high) {
      const middle = (low + high) >>> 1
      const order = Buffer.compare(this.#paths.bytesAt(this.#row(middle)), wanted)
      if (order === 0) return this.object(middle)
      if (order < 0) low = middle + 1
      else high = middle
    }
    return undefined
  }

  *paths(): Generator<string, void, undefined> {
    for (let index = 0; index < this.length; index++) yield this.path(index)
  }

  /** A sentence on objects whose names are no paths, if there are any. */
  get remarks(): string[] {
    if (this.#odd === 0) return []
    return [
      `passed over ${counted(this.#odd, 'object')} whose names are no paths, such as ` +
        `"${this.#firstOdd}"`,
    ]
  }

  #add({ path, bytes, version }: StoredObject): boolean {
    try {
      requirePath(path)
    } catch (error) {
      if (!(error instanceof StoreError)) throw error
      if (this.#odd++ === 0) this.#firstOdd = path
      return false
    }
    this.#paths.push(path)
    this.#versions.push(version)
    this.#bytes.push(bytes)
    return true
  }

  #row(index: number): number {
    return this.#order === null ? index : at(this.#order, index)
  }

  #compare(a: number, b: number): number {
    return Buffer.compare(this.#paths.bytesAt(a), this.#paths.bytesAt(b))
  }
}
