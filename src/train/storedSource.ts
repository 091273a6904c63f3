import { at } from '../base/at.ts'
import { type SampleList, sampleAt } from '../data/dataset.ts'
import type { FeatureStore } from '../data/featureStore.ts'
import type { Network } from '../nn/network.ts'
import { type Shape, sizeOf } from '../tensor/ndbuffer.ts'
import type { Batch, BatchSource, ReadOptions } from './batches.ts'
import { FeatureRows } from './featureRows.ts'
import { type Computed, cacheKey, computeRows } from './frozenRows.ts'

/** Options of storing the outputs of frozen layers. */
export interface StoreOptions extends ReadOptions {
  /** Stores them on disk for later runs, and for this run if they are too many for memory. */
  readonly features?: FeatureStore
  /**
   * Bytes of host memory for rows that are on disk; above it they are read from disk. Default 64
   * MiB.
   */
  readonly memoryBytes?: number
  /** Called after each group of samples: how many are known, out of how many. */
  readonly onProgress?: (done: number, total: number) => void
  /** Called at the end of a pass: how many samples were found on disk from an earlier run. */
  readonly onFound?: (count: number) => void
  /** Called with the reason if outputs cannot be written to disk. */
  readonly onRefused?: (reason: string) => void
}

/** Bytes of host memory for rows; above it images are read again in every epoch. */
const memoryBudget = 2 * 2 ** 30
/** The default of `memoryBytes`. */
const memoryBesideDisk = 64 * 2 ** 20
/**
 * The budget if no layer is frozen: rows are then prepared images, large and cheap to make again.
 */
const memoryOfImages = 256 * 2 ** 20

/**
 * The stored outputs of the layers before `from`. Each is computed when it is first needed, so that
 * training starts with the first batch; an epoch of known samples reads no image and runs no frozen
 * layer. Outputs that an earlier run has stored on disk are not computed at all.
 * @returns null if they are too many to be stored
 */
export async function openStored(
  model: Network,
  samples: SampleList,
  from: number,
  options: StoreOptions,
): Promise<BatchSource | null> {
  const width = sizeOf(at(model.shapes(), from))
  const bytes = 4 * width * samples.length
  // The input of the first layer is larger than the encoded images: not worth storing on disk.
  const features = from > 0 ? options.features : undefined
  const onDisk =
    features !== undefined &&
    bytes > (options.memoryBytes ?? memoryBesideDisk) &&
    bytes <= features.limit
  if (!onDisk && bytes > (from > 0 ? memoryBudget : memoryOfImages)) return null
  const table = features
    ? features.table(await features.nameOf(await cacheKey(model, from)), width)
    : null
  await table?.open()
  const onRefused = options.onRefused ?? (() => {})
  const rows = new FeatureRows(samples.length, width, table, {
    memory: !onDisk,
    memoryBudget,
    onRefused,
  })
  return new StoredSource(model, samples, from, rows, options)
}

class StoredSource implements BatchSource {
  readonly from: number
  readonly views = 1
  readonly #model: Network
  readonly #samples: SampleList
  readonly #shape: Shape
  readonly #rows: FeatureRows
  readonly #options: StoreOptions
  readonly reads: boolean
  /** Samples read, those of them found on disk, and how many of these were reported. */
  #read = 0
  #found = 0
  #reported = 0

  constructor(
    model: Network,
    samples: SampleList,
    from: number,
    rows: FeatureRows,
    options: StoreOptions,
  ) {
    this.#model = model
    this.#samples = samples
    this.from = from
    this.#shape = at(model.shapes(), from)
    this.#rows = rows
    this.#options = options
    // With rows of an earlier run on disk, most often nothing is left to read.
    this.reads = !rows.table?.rowsInFiles
  }

  get count(): number {
    return this.#samples.length
  }

  async *batches(order: ArrayLike<number>, batchSize: number): AsyncGenerator<Batch> {
    const pass = new Pass(order, this.#rows, (indices) => this.#compute(indices))
    // Two buffers: one is filled while the step of the other runs.
    const length = Math.min(batchSize, order.length) * this.#rows.width
    let [buffer, other] = [new Float32Array(length), new Float32Array(length)]
    const take = () => {
      const taken = pass.take(batchSize, buffer)
      ;[buffer, other] = [other, buffer]
      // Errors surface where it is awaited; until then they must not count as unhandled.
      taken.catch(() => {})
      return taken
    }
    let next = take()
    try {
      for (;;) {
        const { members, data, read } = await next
        if (members.length === 0) {
          this.#reportFound()
          break
        }
        const x = this.#model.engine.tensor(data, [members.length, ...this.#shape])
        next = take()
        yield {
          x,
          targets: Int32Array.from(members, (index) => sampleAt(this.#samples, index).label),
          read,
        }
      }
    } finally {
      await next.catch(() => {})
      await pass.end()
      // Rows that an interrupted epoch has computed are kept too.
      await this.#rows.flush()
    }
  }

  /** Reports, at the end of a pass, how many rows were found on disk. */
  #reportFound(): void {
    if (this.#found > this.#reported) this.#options.onFound?.(this.#found)
    this.#reported = this.#found
  }

  /** Computes and stores the rows of samples that are not known. */
  #compute(indices: Uint32Array): AsyncGenerator<Computed> {
    const { length } = this.#samples
    const onGroup = (read: number, found: number) => {
      this.#found += found
      this.#read += read
      if (found < read) this.#options.onProgress?.(Math.min(this.#read, length), length)
    }
    const options = { ...this.#options, onGroup }
    return computeRows(this.#model, this.#samples, this.from, this.#rows, indices, options)
  }

  async close(): Promise<void> {
    await this.#rows.close()
  }
}

/** One pass over samples in a given order, batch by batch. */
class Pass {
  readonly #order: ArrayLike<number>
  readonly #rows: FeatureRows
  /** For each position of the order: 1 if its sample was new when the pass began. */
  readonly #isNew: Uint8Array
  readonly #computing: AsyncGenerator<Computed>
  /** The next computed sample, if it has been taken from `#computing`. */
  #ahead: Computed | null = null
  #position = 0

  constructor(
    order: ArrayLike<number>,
    rows: FeatureRows,
    compute: (indices: Uint32Array) => AsyncGenerator<Computed>,
  ) {
    this.#order = order
    this.#rows = rows
    this.#isNew = Uint8Array.from(order, (index) => Number(rows.isNew(index)))
    this.#computing = compute(Uint32Array.from(order).filter((_, i) => this.#isNew[i]))
  }

  /**
   * Takes the next samples of the pass, with their rows in `buffer`.
   * @returns `read`: positions of the order up to here, those of broken samples included; no
   * members at the end
   */
  async take(count: number, buffer: Float32Array) {
    const { width } = this.#rows
    const members: number[] = []
    const stored: { readonly index: number; readonly row: number }[] = []
    for (; members.length < count && this.#position < this.#order.length; this.#position++) {
      const index = at(this.#order, this.#position)
      const computed = this.#isNew[this.#position] ? await this.#computed(index) : null
      if (computed?.row) buffer.set(computed.row, members.length * width)
      else if (this.#rows.isKnown(index)) stored.push({ index, row: members.length })
      else continue
      members.push(index)
    }
    await this.#rows.read(stored, buffer)
    return { members, data: buffer.subarray(0, members.length * width), read: this.#position }
  }

  /** A new sample after it was computed; null if it was left out because it is broken. */
  async #computed(index: number): Promise<Computed | null> {
    this.#ahead ??= (await this.#computing.next()).value ?? null
    const next = this.#ahead
    if (next?.index !== index) {
      this.#rows.setBroken(index)
      return null
    }
    this.#ahead = null
    return next
  }

  /** Stops reading. */
  async end(): Promise<void> {
    await this.#computing.return(undefined)
  }
}
