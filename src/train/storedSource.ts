import type { SampleList } from '../data/dataset.ts'
import type { FeatureCache, FeatureTable } from '../data/featureCache.ts'
import { type DecodedSample, decodeAhead, decoding } from '../data/loader.ts'
import { preprocessImages } from '../data/transforms.ts'
import { GraftError } from '../gpu/errors.ts'
import type { Network } from '../nn/network.ts'
import { allocate, type Shape, sizeOf } from '../tensor/ndbuffer.ts'
import { Random } from '../tensor/philox.ts'
import { Tensor } from '../tensor/tensor.ts'
import { type Batch, type BatchSource, grouped, type ReadOptions } from './batches.ts'

/** What keeping the outputs of frozen layers needs to know. */
export interface StoreOptions extends ReadOptions {
  /** Keeps them on disk for later runs, and for this one where they are many. */
  readonly features?: FeatureCache
  /** Host memory that rows which are on disk may take; beyond it they are read from there, and memory stays what it is. Default 64 MiB. */
  readonly memoryBytes?: number
  /** Told how many samples are done, out of how many. */
  readonly onProgress?: (done: number, total: number) => void
  /** Told how many samples an earlier run has left on disk. */
  readonly onFound?: (count: number) => void
  /** Told why what was computed cannot be kept on disk. */
  readonly onRefused?: (reason: string) => void
}

/** Pictures that go through the frozen layers together while a store is filled. */
const fillBatch = 32

/** What one batch of reading `count` pictures up to the layer `from` does on the device, for a rehearsal. */
export function readingWork(model: Network, count: number, from: number): () => void {
  const { engine } = model
  return () => {
    const x = new Tensor(engine, allocate(engine.gpu, [Math.min(count, fillBatch), ...(model.shapes()[0] ?? [])]))
    engine.noGrad(() => model.forward(x, { to: from })).dispose()
    x.dispose()
  }
}
/** Host memory that rows may take; beyond it pictures are read anew in every epoch. */
const memoryBudget = 2 * 2 ** 30
const memoryBesideDisk = 64 * 2 ** 20
/** And where no layer is frozen: rows are then prepared pictures, which save little and are many bytes; training is not to wait for more. */
const memoryOfPictures = 256 * 2 ** 20

/**
 * The outputs of the layers before `from`, computed once: an epoch over them reads no picture and runs no frozen layer. Those that an
 * earlier run has left on disk are not computed at all.
 * @returns null where they are too many to be held
 */
export async function openStored(model: Network, samples: SampleList, from: number, options: StoreOptions): Promise<BatchSource | null> {
  const width = sizeOf(model.shapes()[from] ?? [])
  const bytes = 4 * width * samples.length
  // What the first layer takes is larger than the encoded pictures.
  const features = from > 0 ? options.features : undefined
  const onDisk = features && bytes > (options.memoryBytes ?? memoryBesideDisk) && bytes <= features.limit
  if (!onDisk && bytes > (from > 0 ? memoryBudget : memoryOfPictures)) return null
  const table = features ? features.table(features.nameOf(await prefixParts(model, from)), width) : null
  const store = new Filling(model, samples, from, table, onDisk ? null : new Float32Array(width * samples.length), options)
  try {
    return await store.fill()
  } catch (error) {
    await table?.close()
    if (!isRefusal(error)) throw error
    options.onRefused?.(error.message)
    return openStored(model, samples, from, { ...options, features: undefined })
  }
}

/** Whether it says that something cannot be written, as on a full disk. */
function isRefusal(error: unknown): error is GraftError {
  return error instanceof GraftError && error.code === 'write'
}

/** Rows that are found, computed and put where an epoch reads them. */
class Filling {
  readonly #model: Network
  readonly #samples: SampleList
  readonly #from: number
  /** Null also once it has refused a row that memory holds. */
  #table: FeatureTable | null
  readonly #memory: Float32Array | null
  readonly #options: StoreOptions
  readonly #shape: Shape
  readonly #width: number
  /** For each sample whether its row is there. */
  readonly #filled: Uint8Array
  #places: Int32Array

  constructor(
    model: Network,
    samples: SampleList,
    from: number,
    table: FeatureTable | null,
    memory: Float32Array | null,
    options: StoreOptions,
  ) {
    this.#model = model
    this.#samples = samples
    this.#from = from
    this.#table = table
    this.#memory = memory
    this.#options = options
    this.#shape = model.shapes()[from] ?? []
    this.#width = sizeOf(this.#shape)
    this.#filled = new Uint8Array(samples.length)
    this.#places = new Int32Array(0)
  }

  async fill(): Promise<BatchSource> {
    const keys = await this.#find()
    try {
      await this.#computeMissing(keys)
    } finally {
      // Also what an interrupted run has computed.
      await this.#write(async (table) => table.flush())
    }
    if (this.#memory) await this.#table?.close()
    return new StoredSource(this.#model, this.#from, this.#shape, this.#labelled())
  }

  async #computeMissing(keys: readonly (string | null)[] | null): Promise<void> {
    const missing = Uint32Array.from(indicesWhere(this.#filled, 0))
    let done = this.#samples.length - missing.length
    if (missing.length > 0) await this.#model.engine.gpu.prepare(readingWork(this.#model, missing.length, this.#from))
    for await (const group of grouped(
      decodeAhead(this.#samples, missing, { ...decoding(this.#model.engine), ...this.#options }),
      fillBatch,
    )) {
      const rows = await this.#compute(group)
      for (const [i, { index }] of group.entries()) {
        const row = rows.subarray(i * this.#width, (i + 1) * this.#width)
        this.#memory?.set(row, index * this.#width)
        this.#filled[index] = 1
        const key = keys?.[index]
        if (key)
          await this.#write(async (table) => {
            this.#places[index] = await table.add(key, row)
          })
      }
      done += group.length
      this.#options.onProgress?.(done, this.#samples.length)
    }
  }

  /** Writes to the table. Where that is refused and memory has the rows too, the table is given up. */
  async #write(write: (table: FeatureTable) => Promise<void>): Promise<void> {
    const table = this.#table
    if (!table) return
    try {
      await write(table)
    } catch (error) {
      if (!this.#memory || !isRefusal(error)) throw error
      this.#options.onRefused?.(error.message)
      this.#table = null
      await table.close()
    }
  }

  /** Takes over what is on disk; the keys of all samples, or null where nothing is kept there. */
  async #find(): Promise<readonly (string | null)[] | null> {
    const { features } = this.#options
    if (!this.#table || !features) return null
    const keys = await features.keysOf(this.#samples)
    const wanted = new Map<string, number>()
    for (const [i, key] of keys.entries()) if (key !== null && !wanted.has(key)) wanted.set(key, i)
    this.#places = await this.#table.find(wanted, keys.length, (index, row) => {
      this.#memory?.set(row, index * this.#width)
      this.#filled[index] = 1
    })
    this.#repeat(keys, wanted)
    const found = this.#filled.reduce((sum, one) => sum + one, 0)
    if (found > 0) this.#options.onFound?.(found)
    return keys
  }

  /** The same picture twice has one row. */
  #repeat(keys: readonly (string | null)[], firsts: ReadonlyMap<string, number>): void {
    for (const [i, key] of keys.entries()) {
      const first = key === null ? undefined : firsts.get(key)
      if (first === undefined || first === i || !this.#filled[first]) continue
      this.#filled[i] = 1
      this.#places[i] = this.#places[first] ?? -1
      this.#memory?.copyWithin(i * this.#width, first * this.#width, (first + 1) * this.#width)
    }
  }

  async #compute(group: readonly DecodedSample[]): Promise<Float32Array> {
    const { engine, preprocess } = this.#model
    const images = group.map(({ image }) => image)
    const x = preprocessImages(engine, images, preprocess)
    const y = engine.noGrad(() => this.#model.forward(x, { to: this.#from }))
    const rows = await y.data()
    for (const tensor of [x, y]) tensor.dispose()
    return rows
  }

  #labelled(): StoredRows {
    const kept = Uint32Array.from(indicesWhere(this.#filled, 1))
    const labels = Int32Array.from(kept, (index) => this.#samples.at(index)?.label ?? 0)
    const rows = this.#memory ?? { table: this.#table as FeatureTable, places: this.#places }
    return { kept, labels, rows }
  }
}

function indicesWhere(flags: Uint8Array, value: number): number[] {
  const found: number[] = []
  for (const [i, flag] of flags.entries()) if (flag === value) found.push(i)
  return found
}

interface StoredRows {
  /** The samples whose rows are there, by their places in the part. */
  readonly kept: Uint32Array
  /** Their labels. */
  readonly labels: Int32Array
  /** A row for each sample of the part; or where to read it. */
  readonly rows: Float32Array | { readonly table: FeatureTable; readonly places: Int32Array }
}

class StoredSource implements BatchSource {
  readonly from: number
  readonly views = 1
  readonly #model: Network
  readonly #shape: Shape
  readonly #stored: StoredRows

  constructor(model: Network, from: number, shape: Shape, stored: StoredRows) {
    this.#model = model
    this.from = from
    this.#shape = shape
    this.#stored = stored
  }

  get count(): number {
    return this.#stored.kept.length
  }

  async *batches(order: ArrayLike<number>, batchSize: number): AsyncGenerator<Batch> {
    // Two, so that one is read from the disk while the other's step runs.
    const buffers = [0, 1].map(() => new Float32Array(Math.min(batchSize, order.length) * sizeOf(this.#shape)))
    const read = (start: number) => this.#read(order, start, Math.min(batchSize, order.length - start), buffers)
    let next = read(0)
    for (let start = 0; start < order.length; start += batchSize) {
      const { data, targets } = await next
      const x = this.#model.engine.tensor(data, [targets.length, ...this.#shape])
      if (start + batchSize < order.length) {
        next = read(start + batchSize)
        // Met when it is awaited.
        next.catch(() => {})
      }
      yield { x, targets, read: start + targets.length }
    }
  }

  async #read(order: ArrayLike<number>, start: number, count: number, buffers: Float32Array[]) {
    const { kept, labels, rows } = this.#stored
    const size = sizeOf(this.#shape)
    const buffer = buffers.shift() ?? new Float32Array(0)
    buffers.push(buffer)
    const data = buffer.subarray(0, count * size)
    const picked = Uint32Array.from({ length: count }, (_, i) => order[start + i] ?? 0)
    if (rows instanceof Float32Array)
      for (const [i, index] of picked.entries()) {
        const at = (kept[index] ?? 0) * size
        data.set(rows.subarray(at, at + size), i * size)
      }
    else
      await rows.table.read(
        Int32Array.from(picked, (index) => rows.places[kept[index] ?? 0] ?? -1),
        data,
      )
    return { data, targets: Int32Array.from(picked, (index) => labels[index] ?? 0) }
  }

  async close(): Promise<void> {
    if (!(this.#stored.rows instanceof Float32Array)) await this.#stored.rows.table.close()
  }
}

/**
 * What decides the outputs of the layers before `from`: their names, how pictures are prepared, the values of their weights, and what they
 * give for a fixed picture of noise. The last tells apart what nothing else writes down: strides, adapters, kernels that round otherwise.
 */
async function prefixParts(model: Network, from: number): Promise<(string | Float32Array)[]> {
  const { engine, layers, preprocess } = model
  const prefix = layers.slice(0, from)
  const parameters = prefix.flatMap((layer) => layer.parameters())
  const [random, width, height] = [new Random(1), 97, 61]
  const noise = { data: Uint8Array.from({ length: 3 * width * height }, () => random.below(256)), width, height }
  const x = preprocessImages(engine, [noise], preprocess)
  const y = engine.noGrad(() => model.forward(x, { to: from }))
  const values = await engine.read([...parameters.map((parameter) => parameter.tensor), x, y])
  for (const tensor of [x, y]) tensor.dispose()
  const described = prefix.map(({ name, description }) => [name, description])
  return [JSON.stringify([described, model.shapes().slice(0, from + 1), preprocess]), ...values]
}
