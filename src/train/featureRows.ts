import { GraftError } from '../base/errors.ts'
import type { FeatureTable, Place } from '../data/featureCache.ts'
import type { ImageKeys } from '../data/imageKeys.ts'

/** What a sample's place says when it is no row's on disk. */
const [unknown, inMemory, broken] = [-1, -2, -3]

/**
 * What frozen layers give for each sample of a part, as far as it is known: rows of numbers in
 * memory, on disk, or both.
 */
export class FeatureRows {
  readonly width: number
  readonly #places: Int32Array
  #memory: Float32Array | null
  readonly #table: FeatureTable | null
  /** Whether the table could not be written to: it is only read from then on. */
  #refused = false
  readonly #memoryBudget: number
  readonly #onRefused: (reason: string) => void

  /**
   * @param options.memory whether memory takes all rows; else it takes none unless the table
   * refuses them
   * @param options.memoryBudget bytes that it may take then
   * @param options.onRefused told why the table takes no more
   */
  constructor(
    count: number,
    width: number,
    table: FeatureTable | null,
    options: {
      readonly memory: boolean
      readonly memoryBudget: number
      readonly onRefused: (reason: string) => void
    },
  ) {
    this.width = width
    this.#places = new Int32Array(count).fill(unknown)
    this.#memory = options.memory ? new Float32Array(count * width) : null
    this.#table = table
    this.#memoryBudget = options.memoryBudget
    this.#onRefused = options.onRefused
  }

  /** The table to look images up in and to add to, while it takes rows. */
  get table(): FeatureTable | null {
    return this.#refused ? null : this.#table
  }

  isKnown(index: number): boolean {
    const place = this.#places[index] ?? unknown
    return place >= 0 || place === inMemory
  }

  /** Whether a sample is still to be read. */
  isNew(index: number): boolean {
    return this.#places[index] === unknown
  }

  /** Notes that a sample has no row. */
  setBroken(index: number): void {
    this.#places[index] = broken
  }

  /**
   * Notes where the table has a sample's row, and takes it into memory where rows are kept there.
   */
  async setPlace(index: number, place: Place): Promise<void> {
    if (this.#memory) {
      await this.#table?.read([place], this.#memoryRow(this.#memory, index))
      this.#places[index] = inMemory
    } else this.#places[index] = place
  }

  /** Keeps a row that was computed. */
  async put(index: number, keys: ImageKeys | null, row: Float32Array): Promise<void> {
    const { table } = this
    if (table && keys)
      await this.#write(async () => {
        this.#places[index] = await table.add(keys, row)
      })
    if (this.#memory) {
      this.#memoryRow(this.#memory, index).set(row)
      this.#places[index] = inMemory
    }
  }

  /** Brings what was added to the disk. */
  async flush(): Promise<void> {
    const { table } = this
    if (table) await this.#write(() => table.flush())
  }

  /**
   * Writes to the table. Where it refuses, as on a full disk, it takes nothing more, and memory
   * does if it has room.
   */
  async #write(write: () => Promise<void>): Promise<void> {
    try {
      await write()
    } catch (error) {
      if (!(error instanceof GraftError && error.code === 'write')) throw error
      this.#refused = true
      this.#onRefused(error.message)
      const bytes = 4 * this.width * this.#places.length
      if (bytes <= this.#memoryBudget)
        this.#memory ??= new Float32Array(this.width * this.#places.length)
    }
  }

  /** Reads known rows into `into`, each to its place there. */
  async read(
    wanted: readonly { readonly index: number; readonly at: number }[],
    into: Float32Array,
  ): Promise<void> {
    const rowAt = (at: number) => into.subarray(at * this.width, (at + 1) * this.width)
    const reads = wanted.map(({ index, at }) => {
      const place = this.#places[index] ?? unknown
      if (place >= 0) return this.#table?.read([place], rowAt(at))
      if (this.#memory) rowAt(at).set(this.#memoryRow(this.#memory, index))
      return null
    })
    if (reads.some((read) => read)) await Promise.all(reads)
  }

  #memoryRow(memory: Float32Array, index: number): Float32Array {
    return memory.subarray(index * this.width, (index + 1) * this.width)
  }

  async close(): Promise<void> {
    await this.#table?.close()
  }
}
