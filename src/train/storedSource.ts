import { Random } from '../base/random.ts'
import type { SampleList } from '../data/dataset.ts'
import type { FeatureCache } from '../data/featureCache.ts'
import type { ImageKeys } from '../data/imageKeys.ts'
import { decoding, loadAhead } from '../data/loader.ts'
import { preprocessImages } from '../data/transforms.ts'
import type { RgbImage } from '../host/host.ts'
import type { Network } from '../nn/network.ts'
import { allocate, type Shape, sizeOf } from '../tensor/ndbuffer.ts'
import { Tensor } from '../tensor/tensor.ts'
import type { Batch, BatchSource, ReadOptions } from './batches.ts'
import { FeatureRows } from './featureRows.ts'

/** What keeping the outputs of frozen layers needs to know. */
export interface StoreOptions extends ReadOptions {
  /** Keeps them on disk for later runs, and for this one where they are many. */
  readonly features?: FeatureCache
  /**
   * Host memory that rows which are on disk may take; beyond it they are read from there, and
   * memory stays what it is. Default 64 MiB.
   */
  readonly memoryBytes?: number
  /** Told how many samples are known, out of how many, each time that some more were read. */
  readonly onProgress?: (done: number, total: number) => void
  /** Told at the end of a pass how many samples an earlier run had left on disk. */
  readonly onFound?: (count: number) => void
  /** Told why what was computed cannot be kept on disk. */
  readonly onRefused?: (reason: string) => void
}

/**
 * Images that go through the frozen layers together: always so many, for which batch an image was
 * in to leave no trace in its row.
 */
const fillBatch = 32
/**
 * Samples that are met before those whose rows are missing are computed, though these are fewer.
 */
const mostMet = 8 * fillBatch
/** Fills up a batch of images. */
const blank: RgbImage = { data: new Uint8Array(3), width: 1, height: 1 }

/**
 * Does on the device what one batch of reading up to the layer `from` does, for a rehearsal. The
 * result frees what it holds while its rows come back.
 */
export function readingWork(model: Network, from: number): () => void {
  const { engine } = model
  const x = new Tensor(engine, allocate(engine.gpu, [fillBatch, ...(model.shapes()[0] ?? [])]))
  const y = engine.noGrad(() => model.forward(x, { to: from }))
  return () => {
    for (const tensor of [x, y]) tensor.dispose()
  }
}

/** Host memory that rows may take; beyond it images are read anew in every epoch. */
const memoryBudget = 2 * 2 ** 30
const memoryBesideDisk = 64 * 2 ** 20
/**
 * And where no layer is frozen: rows are then prepared images, which save little and are many
 * bytes.
 */
const memoryOfImages = 256 * 2 ** 20

/**
 * The outputs of the layers before `from`, each computed when it is first asked for: training
 * begins with the first batch, and an epoch over known ones reads no image and runs no frozen
 * layer. Those that an earlier run has left on disk are not computed at all.
 * @returns null where they are too many to be held
 */
export async function openStored(
  model: Network,
  samples: SampleList,
  from: number,
  options: StoreOptions,
): Promise<BatchSource | null> {
  const width = sizeOf(model.shapes()[from] ?? [])
  const bytes = 4 * width * samples.length
  // What the first layer takes is larger than the encoded images.
  const features = from > 0 ? options.features : undefined
  const onDisk =
    features !== undefined &&
    bytes > (options.memoryBytes ?? memoryBesideDisk) &&
    bytes <= features.limit
  if (!onDisk && bytes > (from > 0 ? memoryBudget : memoryOfImages)) return null
  const table = features?.table(features.nameOf(await prefixParts(model, from)), width) ?? null
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
  #met = 0
  #found = 0
  #told = 0

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
    this.#shape = model.shapes()[from] ?? []
    this.#rows = rows
    this.#options = options
    // With earlier runs' rows at hand most often nothing.
    this.reads = !rows.table?.rowsInFiles
  }

  get count(): number {
    return this.#samples.length
  }

  async *batches(order: ArrayLike<number>, batchSize: number): AsyncGenerator<Batch> {
    const walk = new Walk(order, this.#rows, (indices) => this.#compute(indices))
    // Two, so that one is filled while the other's step runs.
    const buffers = [0, 1].map(
      () => new Float32Array(Math.min(batchSize, order.length) * this.#rows.width),
    )
    const take = () => {
      const buffer = buffers.shift() ?? new Float32Array(0)
      buffers.push(buffer)
      const taken = walk.take(batchSize, buffer)
      // Met when it is awaited.
      taken.catch(() => {})
      return taken
    }
    let next = take()
    try {
      for (;;) {
        const { members, data, read } = await next
        if (members.length === 0) {
          this.#tell()
          break
        }
        const x = this.#model.engine.tensor(data, [members.length, ...this.#shape])
        next = take()
        yield {
          x,
          targets: Int32Array.from(members, (index) => this.#samples.at(index)?.label ?? 0),
          read,
        }
      }
    } finally {
      await next.catch(() => {})
      await walk.end()
      // Also what an interrupted epoch has computed.
      await this.#rows.flush()
    }
  }

  /** Says, at the end of a pass, what was found on disk. */
  #tell(): void {
    if (this.#found > this.#told) this.#options.onFound?.(this.#found)
    this.#told = this.#found
  }

  /**
   * The rows of samples that are not known, in their order, without those of broken ones; each is
   * kept as it is computed.
   */
  async *#compute(indices: Uint32Array): AsyncGenerator<Computed> {
    const { engine } = this.#model
    const { decode, ahead } = decoding(engine)
    const load = async ({
      source,
      name,
    }: {
      readonly source: Parameters<typeof decode>[0]
      readonly name: string
    }): Promise<Loaded> => {
      const sought = await this.#rows.table?.seek({ source, name })
      if (sought && 'place' in sought) return sought
      return { image: await decode(sought?.bytes ?? source, name), keys: sought?.keys ?? null }
    }
    const bytesOf = (loaded: Loaded) => ('image' in loaded ? loaded.image.data.byteLength : 0)
    const loading = loadAhead(this.#samples, indices, { ...this.#options, ahead, load, bytesOf })
    for (;;) {
      const met: { readonly index: number; readonly loaded: Loaded }[] = []
      for (let decoded = 0; decoded < fillBatch && met.length < mostMet; ) {
        const { value, done } = await loading.next()
        if (done) break
        met.push(value)
        if ('image' in value.loaded) decoded++
      }
      if (met.length === 0) return
      yield* await this.#keep(met)
    }
  }

  /** Computes what is missing of some samples, and keeps it. */
  async #keep(
    met: readonly { readonly index: number; readonly loaded: Loaded }[],
  ): Promise<Computed[]> {
    const { width } = this.#rows
    const images = met.flatMap(({ loaded }) => ('image' in loaded ? [loaded.image] : []))
    const computed = images.length ? await this.#forward(images) : new Float32Array(0)
    const result: Computed[] = []
    let computedRow = 0
    for (const { index, loaded } of met) {
      if ('place' in loaded) {
        await this.#rows.setPlace(index, loaded.place)
        this.#found++
        result.push({ index, row: null })
      } else {
        const row = computed.subarray(computedRow * width, (computedRow + 1) * width)
        computedRow++
        await this.#rows.put(index, loaded.keys, row)
        result.push({ index, row })
      }
    }
    this.#met += met.length
    if (images.length)
      this.#options.onProgress?.(Math.min(this.#met, this.#samples.length), this.#samples.length)
    return result
  }

  async #forward(images: readonly RgbImage[]): Promise<Float32Array> {
    const { engine, preprocess } = this.#model
    const filledUp = Array.from({ length: fillBatch }, (_, i) => images[i] ?? blank)
    const x = preprocessImages(engine, filledUp, preprocess)
    const y = engine.noGrad(() => this.#model.forward(x, { to: this.from }))
    const rows = await y.data()
    for (const tensor of [x, y]) tensor.dispose()
    return rows
  }

  async close(): Promise<void> {
    await this.#rows.close()
  }
}

/** What is known of a sample when it is met for the first time. */
type Loaded =
  | { readonly place: number }
  | { readonly image: RgbImage; readonly keys: ImageKeys | null }

/** A sample whose row is known from now on, with the row where it was computed. */
interface Computed {
  readonly index: number
  readonly row: Float32Array | null
}

/** One pass over samples in some order, batch by batch. */
class Walk {
  readonly #order: ArrayLike<number>
  readonly #rows: FeatureRows
  /** For each place of the order whether its sample was new when the pass began. */
  readonly #fresh: Uint8Array
  readonly #computing: AsyncGenerator<Computed>
  #ahead: Computed | null = null
  #at = 0

  constructor(
    order: ArrayLike<number>,
    rows: FeatureRows,
    compute: (indices: Uint32Array) => AsyncGenerator<Computed>,
  ) {
    this.#order = order
    this.#rows = rows
    this.#fresh = Uint8Array.from(order, (index) => (rows.isNew(index) ? 1 : 0))
    this.#computing = compute(Uint32Array.from(order).filter((_, at) => this.#fresh[at]))
  }

  /**
   * The next samples of the pass, and their rows in `buffer`.
   * @returns `read`: places of the order that are behind them, broken samples' included; no members
   * at the end
   */
  async take(count: number, buffer: Float32Array) {
    const { width } = this.#rows
    const members: number[] = []
    const stored: { readonly index: number; readonly at: number }[] = []
    for (; members.length < count && this.#at < this.#order.length; this.#at++) {
      const index = this.#order[this.#at] ?? 0
      const computed = this.#fresh[this.#at] ? await this.#met(index) : null
      if (computed?.row) buffer.set(computed.row, members.length * width)
      else if (this.#rows.isKnown(index)) stored.push({ index, at: members.length })
      else continue
      members.push(index)
    }
    await this.#rows.read(stored, buffer)
    return { members, data: buffer.subarray(0, members.length * width), read: this.#at }
  }

  /** A fresh sample, or null for one that was passed over because it is broken. */
  async #met(index: number): Promise<Computed | null> {
    this.#ahead ??= (await this.#computing.next()).value ?? null
    if (this.#ahead?.index !== index) {
      this.#rows.setBroken(index)
      return null
    }
    const met = this.#ahead
    this.#ahead = null
    return met
  }

  /** Stops what is being read. */
  async end(): Promise<void> {
    await this.#computing.return(undefined)
  }
}

/**
 * What decides the outputs of the layers before `from`: their names, how images are prepared, the
 * values of their weights, and what they give for a fixed image of noise. The last tells apart what
 * nothing else writes down: strides, adapters, kernels that round otherwise.
 */
async function prefixParts(model: Network, from: number): Promise<(string | Float32Array)[]> {
  const { engine, layers, preprocess } = model
  const prefix = layers.slice(0, from)
  const parameters = prefix.flatMap((layer) => layer.parameters())
  const [random, width, height] = [new Random(1), 97, 61]
  const noise = {
    data: Uint8Array.from({ length: 3 * width * height }, () => random.below(256)),
    width,
    height,
  }
  const x = preprocessImages(engine, [noise], preprocess)
  const y = engine.noGrad(() => model.forward(x, { to: from }))
  const values = await engine.read([...parameters.map((parameter) => parameter.tensor), x, y])
  for (const tensor of [x, y]) tensor.dispose()
  const described = prefix.map(({ name, description }) => [name, description])
  return [JSON.stringify([described, model.shapes().slice(0, from + 1), preprocess]), ...values]
}
