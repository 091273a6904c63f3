import type { ImageDataset, Sample, SampleList } from '../data/dataset.ts'
import type { RgbImage } from '../data/decode.ts'
import { decodeAhead, PixelCache } from '../data/loader.ts'
import { crop, preprocessImages, randomWindow, resizeTo } from '../data/transforms.ts'
import type { DataError } from '../gpu/errors.ts'
import type { Network } from '../nn/network.ts'
import { type Shape, sizeOf } from '../tensor/ndbuffer.ts'
import { Random } from '../tensor/philox.ts'
import type { Tensor } from '../tensor/tensor.ts'

/** Inputs of one step and the classes they belong to. The receiver disposes of `x`. */
export interface Batch {
  readonly x: Tensor
  readonly targets: Int32Array
}

/** One part of a dataset, ready to be read in batches, epoch after epoch. */
export interface BatchSource {
  /** The layer whose input the batches are: 0 for pictures, past the frozen layers for features. */
  readonly from: number
  /** How many samples there are; broken ones count until they have been met. */
  readonly count: number
  /** @param order positions in the part, in the order wanted */
  batches(order: ArrayLike<number>, batchSize: number, epoch: number): AsyncIterable<Batch>
}

/** What reading samples needs to know. */
export interface ReadOptions {
  readonly signal?: AbortSignal
  /** Called for each picture that cannot be decoded; a throw ends the reading. */
  readonly onBroken: (sample: Sample, error: DataError) => void
  readonly cache?: PixelCache
}

/** Groups an asynchronous sequence. */
async function* grouped<T>(items: AsyncIterable<T>, size: number): AsyncGenerator<T[]> {
  let group: T[] = []
  for await (const item of items) {
    group.push(item)
    if (group.length < size) continue
    yield group
    group = []
  }
  if (group.length) yield group
}

/** Pictures, decoded as they are needed; with `augment`, a random window of each, flipped or not, anew in each epoch. */
export class PictureSource implements BatchSource {
  readonly from = 0
  readonly #model: Network
  readonly #samples: SampleList
  readonly #options: ReadOptions
  readonly #augmentSeed: number | null

  constructor(model: Network, samples: SampleList, options: ReadOptions, augmentSeed: number | null = null) {
    this.#model = model
    this.#samples = samples
    this.#options = options
    this.#augmentSeed = augmentSeed
  }

  get count(): number {
    return this.#samples.length
  }

  async *batches(order: ArrayLike<number>, batchSize: number, epoch: number): AsyncGenerator<Batch> {
    for await (const group of grouped(decodeAhead(this.#samples, order, this.#options), batchSize)) {
      const { engine, preprocess } = this.#model
      const images = group.map(({ image }) => image)
      const x =
        this.#augmentSeed === null
          ? preprocessImages(engine, images, preprocess)
          : this.#augmented(
              images,
              group.map(({ index }) => index),
              this.#augmentSeed,
              epoch,
            )
      yield { x, targets: Int32Array.from(group, ({ sample }) => sample.label) }
    }
  }

  /** The random stream of a picture is its place in the dataset and the epoch: the same on every adapter and for every batch size. */
  #augmented(images: readonly RgbImage[], indices: readonly number[], seed: number, epoch: number): Tensor {
    const { engine, preprocess } = this.#model
    const { size } = preprocess
    // As torchvision's 256 for 224: a window has an eighth of the shorter side to move in.
    const resize = Math.max(preprocess.resize, Math.round((size * 8) / 7))
    const pictures = images.map((image, i) => {
      const tensor = resizeTo(engine, image, resize)
      const [, height = 0, width = 0] = tensor.shape
      return { tensor, ...randomWindow(new Random(seed, epoch * this.count + (indices[i] ?? 0)), height, width, size) }
    })
    const x = crop(engine, pictures, preprocess)
    for (const { tensor } of pictures) tensor.dispose()
    return x
  }
}

/** The outputs of the layers before `from`, computed once and kept on the host: an epoch over them reads no picture and runs no frozen layer. */
export class StoredSource implements BatchSource {
  readonly from: number
  readonly #model: Network
  readonly #shape: Shape
  readonly #rows: readonly Float32Array[]
  readonly #labels: readonly number[]

  private constructor(model: Network, from: number, shape: Shape, rows: readonly Float32Array[], labels: readonly number[]) {
    this.#model = model
    this.from = from
    this.#shape = shape
    this.#rows = rows
    this.#labels = labels
  }

  /** Bytes that storing `count` samples at layer `from` takes. */
  static bytes(model: Network, count: number, from: number): number {
    return 4 * count * sizeOf(model.shapes()[from] ?? [])
  }

  /**
   * Runs the layers before `from` over every sample.
   * @param onProgress told how many samples are done, out of how many
   */
  static async fill(
    model: Network,
    samples: SampleList,
    from: number,
    options: ReadOptions & { readonly onProgress?: (done: number, total: number) => void },
  ): Promise<StoredSource> {
    const { engine } = model
    const shape = model.shapes()[from] ?? []
    const rows: Float32Array[] = []
    const labels: number[] = []
    const order = Uint32Array.from({ length: samples.length }, (_, i) => i)
    const size = sizeOf(shape)
    for await (const group of grouped(decodeAhead(samples, order, options), fillBatch)) {
      const x = preprocessImages(
        engine,
        group.map(({ image }) => image),
        model.preprocess,
      )
      const y = engine.noGrad(() => model.forward(x, { to: from }))
      const data = await y.data()
      y.dispose()
      x.dispose()
      for (const [i, { sample, index }] of group.entries()) {
        rows.push(data.slice(i * size, (i + 1) * size))
        labels.push(sample.label)
        options.onProgress?.(index + 1, samples.length)
      }
    }
    return new StoredSource(model, from, shape, rows, labels)
  }

  get count(): number {
    return this.#rows.length
  }

  async *batches(order: ArrayLike<number>, batchSize: number): AsyncGenerator<Batch> {
    const size = sizeOf(this.#shape)
    for (let start = 0; start < order.length; start += batchSize) {
      const picked = Array.from({ length: Math.min(batchSize, order.length - start) }, (_, i) => order[start + i] ?? 0)
      const data = new Float32Array(picked.length * size)
      for (const [i, index] of picked.entries()) data.set(this.#rows[index] ?? [], i * size)
      const x = this.#model.engine.tensor(data, [picked.length, ...this.#shape])
      yield { x, targets: Int32Array.from(picked, (index) => this.#labels[index] ?? 0) }
    }
  }
}

/** Pictures that go through the frozen layers together while a store is filled. */
const fillBatch = 32
/** Host memory that stored samples may take; beyond it pictures are read anew in every epoch. */
const storeBudget = 4 * 2 ** 30

/**
 * The cheapest way to read one part of a dataset: stored where nothing about a sample changes from epoch to epoch and memory
 * allows, else decoded anew.
 * @param options.store whether outputs may be stored at all
 * @param options.augmentSeed seeds random windows and flips; null for none
 */
export async function openSource(
  model: Network,
  samples: SampleList,
  options: ReadOptions & {
    readonly store: boolean
    readonly augmentSeed: number | null
    readonly onProgress?: (done: number, total: number) => void
  },
): Promise<BatchSource> {
  const { store, augmentSeed } = options
  const from = model.frozenPrefix
  if (store && augmentSeed === null && StoredSource.bytes(model, samples.length, from) <= storeBudget)
    return StoredSource.fill(model, samples, from, options)
  return new PictureSource(model, samples, { ...options, ...(store ? { cache: new PixelCache() } : {}) }, augmentSeed)
}

export type { ImageDataset }
