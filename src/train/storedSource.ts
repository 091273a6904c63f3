import { at } from '../base/at.ts'
import { Random } from '../base/random.ts'
import { type Sample, type SampleList, sampleAt } from '../data/dataset.ts'
import type { FeatureStore } from '../data/featureStore.ts'
import type { ImageKeys } from '../data/imageKeys.ts'
import { decoding, GROUP_BYTES, loadAhead } from '../data/loader.ts'
import { preprocessImages } from '../data/transforms.ts'
import type { Reserve, RgbImage } from '../host/host.ts'
import type { Network } from '../nn/network.ts'
import { allocate, type Shape, sizeOf } from '../tensor/ndbuffer.ts'
import { Tensor } from '../tensor/tensor.ts'
import type { Batch, BatchSource, ReadOptions } from './batches.ts'
import { FeatureRows } from './featureRows.ts'

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

/**
 * Images that go through the frozen layers together. The number is always the same, so that an
 * image's row does not depend on the batch it was computed in.
 */
const batchOfReading = 32
/** The most samples that are read before the missing rows among them are computed. */
const maxRead = 8 * batchOfReading
/** Fills up an incomplete batch of images. */
const blank: RgbImage = { data: new Uint8Array(3), width: 1, height: 1 }

/**
 * For a rehearsal: does on the device what reading one batch up to the layer `from` does.
 * @returns frees what is held until the rows have been read back
 */
export function readingWork(model: Network, from: number): () => void {
  const { engine } = model
  const x = new Tensor(engine, allocate(engine.gpu, [batchOfReading, ...at(model.shapes(), 0)]))
  const y = engine.noGrad(() => model.forward(x, { to: from }))
  return () => {
    for (const tensor of [x, y]) tensor.dispose()
  }
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

  /**
   * Computes and stores the rows of samples that are not known, group by group.
   * @returns the samples in the order of `indices`, without broken ones
   */
  async *#compute(indices: Uint32Array): AsyncGenerator<Computed> {
    const { decode, ahead } = decoding(this.#model.engine)
    const load = async (
      { source, name }: Pick<Sample, 'source' | 'name'>,
      _index: number,
      reserve: Reserve,
    ): Promise<Loaded> => {
      const found = await this.#rows.table?.seek({ source, name })
      if (found && 'place' in found) return found
      return {
        image: await decode(found?.bytes ?? source, name, reserve),
        keys: found?.keys ?? null,
      }
    }
    const bytesOf = (loaded: Loaded) => ('image' in loaded ? loaded.image.data.byteLength : 0)
    const loading = loadAhead(this.#samples, indices, { ...this.#options, ahead, load, bytesOf })
    for (;;) {
      const group: { readonly index: number; readonly loaded: Loaded }[] = []
      let [decoded, bytes] = [0, 0]
      while (decoded < batchOfReading && bytes < GROUP_BYTES && group.length < maxRead) {
        const { value, done } = await loading.next()
        if (done) break
        group.push(value)
        bytes += bytesOf(value.loaded)
        if ('image' in value.loaded) decoded++
      }
      if (group.length === 0) return
      yield* await this.#store(group)
    }
  }

  /** Computes the missing rows of a group of samples, and stores them. */
  async #store(
    group: readonly { readonly index: number; readonly loaded: Loaded }[],
  ): Promise<Computed[]> {
    const { width } = this.#rows
    const images = group.flatMap(({ loaded }) => ('image' in loaded ? [loaded.image] : []))
    const computed = images.length ? await this.#forward(images) : null
    const result: Computed[] = []
    let start = 0
    for (const { index, loaded } of group) {
      if ('place' in loaded) {
        await this.#rows.setPlace(index, loaded.place)
        this.#found++
        result.push({ index, row: null })
      } else if (computed) {
        const row = computed.subarray(start, start + width)
        start += width
        await this.#rows.put(index, loaded.keys, row)
        result.push({ index, row })
      }
    }
    this.#read += group.length
    const { length } = this.#samples
    if (computed) this.#options.onProgress?.(Math.min(this.#read, length), length)
    return result
  }

  async #forward(images: readonly RgbImage[]): Promise<Float32Array> {
    const { engine, preprocess } = this.#model
    const batch = Array.from({ length: batchOfReading }, (_, i) => images[i] ?? blank)
    const x = preprocessImages(engine, batch, preprocess)
    const y = engine.noGrad(() => this.#model.forward(x, { to: this.from }))
    const rows = await y.data()
    for (const tensor of [x, y]) tensor.dispose()
    return rows
  }

  async close(): Promise<void> {
    await this.#rows.close()
  }
}

/** A sample that was read: its row's place in the table, or its decoded image. */
type Loaded =
  | { readonly place: number }
  | { readonly image: RgbImage; readonly keys: ImageKeys | null }

/** A sample whose row is known now; the row itself if it was computed and not found on disk. */
interface Computed {
  readonly index: number
  readonly row: Float32Array | null
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

/**
 * Everything that the outputs of the layers before `from` depend on: the layers' descriptions, the
 * preprocessing, the weights, and the outputs for a fixed image of noise. The last differ where
 * nothing else does: with strides, with adapters, and with kernels that round differently.
 */
async function cacheKey(model: Network, from: number): Promise<(string | Float32Array)[]> {
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
