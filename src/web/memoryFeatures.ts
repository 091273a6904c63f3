import { at } from '../base/at.ts'
import { GraftError } from '../base/errors.ts'
import { sha256 } from '../base/sha256.ts'
import type { Sample } from '../data/dataset.ts'
import type { FeatureStore, FeatureTable, Place, Sought } from '../data/featureStore.ts'
import type { ImageKeys } from '../data/imageKeys.ts'

/**
 * The outputs of frozen layers, kept in the page's memory: after a change of a few images only
 * these go through the frozen layers. An image is known by the sha256 of its bytes, so it may be
 * renamed and moved to another class.
 */
export class MemoryFeatures implements FeatureStore {
  readonly limit: number
  readonly #tables = new Map<string, MemoryTable>()

  constructor(limit = 256 * 2 ** 20) {
    this.limit = limit
  }

  table(key: string, width: number): FeatureTable {
    const known = this.#tables.get(key)
    const table = known ?? new MemoryTable(width, () => this.#makeRoom(4 * width, table))
    // The one used last is the last of the map.
    this.#tables.delete(key)
    this.#tables.set(key, table)
    return table
  }

  async nameOf(parts: readonly (string | Float32Array)[]): Promise<string> {
    const encoder = new TextEncoder()
    const hashes = parts.map((part) =>
      sha256(typeof part === 'string' ? encoder.encode(part) : part),
    )
    return sha256(encoder.encode((await Promise.all(hashes)).join()))
  }

  /** Forgets tables that were not used for the longest time until there is room. */
  #makeRoom(bytes: number, keep: MemoryTable): void {
    const total = () => [...this.#tables.values()].reduce((sum, table) => sum + table.bytes, bytes)
    for (const [key, table] of this.#tables) {
      if (total() <= this.limit) return
      if (table !== keep) this.#tables.delete(key)
    }
    if (total() > this.limit)
      throw new GraftError('write', `they would take more than ${this.limit} bytes of memory`)
  }
}

class MemoryTable implements FeatureTable {
  readonly #width: number
  readonly #makeRoom: () => void
  readonly #places = new Map<string, Place>()
  readonly #rows: Float32Array[] = []
  rowsInFiles = 0

  constructor(width: number, makeRoom: () => void) {
    this.#width = width
    this.#makeRoom = makeRoom
  }

  get bytes(): number {
    return 4 * this.#width * this.#rows.length
  }

  async open(): Promise<void> {
    this.rowsInFiles = this.#rows.length
  }

  async seek({ source, name }: Pick<Sample, 'source' | 'name'>): Promise<Sought> {
    if (!(source instanceof Blob)) throw new TypeError(`${name} is no blob, as all images here are`)
    const bytes = new Uint8Array(await source.arrayBuffer())
    const content = await sha256(bytes)
    const place = this.#places.get(content)
    return place === undefined ? { bytes, keys: { content, state: null } } : { place }
  }

  async add({ content }: ImageKeys, row: Float32Array): Promise<Place> {
    this.#makeRoom()
    const place = this.#rows.push(row.slice()) - 1
    this.#places.set(content, place)
    return place
  }

  async flush(): Promise<void> {}

  async read(places: ArrayLike<Place>, into: Float32Array): Promise<void> {
    for (const [i, place] of Array.from(places).entries())
      into.set(at(this.#rows, place), i * this.#width)
  }

  async close(): Promise<void> {}
}
