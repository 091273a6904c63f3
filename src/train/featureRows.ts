import { at } from '../base/at.ts'
import { GraftError } from '../base/errors.ts'
import type { FeatureTable, Place } from '../data/featureStore.ts'
import type { ImageKeys } from '../data/imageKeys.ts'

/** Values in `#places` of samples that have no row on disk. */
const [unknown, inMemory, broken] = [-1, -2, -3]

/**
 * The outputs of frozen layers for the samples of a part, as far as they are known: one row of
 * numbers for each sample, in memory, on disk, or both.
 */
export class FeatureRows {
  readonly width: number
  /** For each sample the row's place in the table, or one of the three values above. */
  readonly #places: Int32Array
  #memory: Float32Array | null
  readonly #table: FeatureTable | null
  /** Whether writing to the table failed: from then on it is only read. */
  #refused = false
  readonly #memoryBudget: number
  readonly #onRefused: (reason: string) => void

  /**
   * @param options.memory whether all rows are kept in memory; if not, they are only kept there
   * after writing to the table failed
   * @param options.memoryBudget bytes that may be taken then
   * @param options.onRefused called with the reason if writing to the table fails
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

  /** The table to look images up in and to add rows to, unless writing to it failed. */
  get table(): FeatureTable | null {
    return this.#refused ? null : this.#table
  }

  isKnown(index: number): boolean {
    const place = at(this.#places, index)
    return place >= 0 || place === inMemory
  }

  /** Whether a sample has not been read yet. */
  isNew(index: number): boolean {
    return at(this.#places, index) === unknown
  }

  /** Notes that a sample has no row. */
  setBroken(index: number): void {
    this.#places[index] = broken
  }

  /** Notes the place of a sample's row in the table, and loads it if rows are kept in memory. */
  async setPlace(index: number, place: Place): Promise<void> {
    if (this.#memory) {
      await this.#table?.read([place], this.#memoryRow(this.#memory, index))
      this.#places[index] = inMemory
    } else this.#places[index] = place
  }

  /** Stores a row that was computed. */
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

  /** Writes added rows to the disk. */
  async flush(): Promise<void> {
    const { table } = this
    if (table) await this.#write(() => table.flush())
  }

  /**
   * Writes to the table. If that fails, as on a full disk, nothing more is written, and rows are
   * kept in memory if the budget allows it.
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

  /** Copies known rows to `into`, each to its row there. */
  async read(
    wanted: readonly { readonly index: number; readonly row: number }[],
    into: Float32Array,
  ): Promise<void> {
    const rowOf = (row: number) => into.subarray(row * this.width, (row + 1) * this.width)
    const reads = wanted.map(({ index, row }) => {
      const place = at(this.#places, index)
      if (place >= 0) return this.#table?.read([place], rowOf(row))
      if (this.#memory) rowOf(row).set(this.#memoryRow(this.#memory, index))
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
