import type { DataError } from '../base/errors.ts'
import { Random } from '../base/random.ts'
import { type Augmentation, type AugmentDraw, drawAugmentation } from '../data/augment.ts'
import { augmentImages } from '../data/augmentImages.ts'
import type { ImageDataset, Sample, SampleList } from '../data/dataset.ts'
import { type DecodedSample, decodeAhead, decoding, PixelCache } from '../data/loader.ts'
import { preprocessImages, type ViewedImage, viewImages } from '../data/transforms.ts'
import { testViews } from '../data/view.ts'
import type { RgbImage } from '../host/host.ts'
import type { Network } from '../nn/network.ts'
import type { Preprocess } from '../nn/preprocess.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { openStored, type StoreOptions } from './storedSource.ts'

/** Inputs of one step and the classes they belong to. The receiver disposes of `x`. */
export interface Batch {
  readonly x: Tensor
  readonly targets: Int32Array
  /** How many places of the order are behind it: more than images where some were broken. */
  readonly read: number
}

/** One part of a dataset, ready to be read in batches, epoch after epoch. */
export interface BatchSource {
  /** The layer whose input the batches are: 0 for images, past the frozen layers for features. */
  readonly from: number
  /** Rows that a batch has for each target, one after the other: views of the same image. */
  readonly views: number
  /** How many samples there are, broken ones included. */
  readonly count: number
  /** Whether samples have yet to go through the layers before `from`. */
  readonly reads: boolean
  /** @param order positions in the part, in the order wanted */
  batches(order: ArrayLike<number>, batchSize: number, epoch: number): AsyncIterable<Batch>
  /** Lets go of what it holds. */
  close(): Promise<void>
}

/**
 * Reads one batch once more, which comes out the same, for `body`.
 * @param places what it was made of, in the epoch's order
 */
export async function readAgain<T>(
  source: BatchSource,
  places: Uint32Array,
  batchSize: number,
  epoch: number,
  body: (batch: Batch) => Promise<T>,
): Promise<T> {
  for await (const batch of source.batches(places, batchSize, epoch))
    return body(batch).finally(() => batch.x.dispose())
  throw new Error('a batch that was read cannot be read again')
}

/** What reading samples needs to know. */
export interface ReadOptions {
  readonly signal?: AbortSignal
  /** Called for each image that cannot be decoded; a throw ends the reading. */
  readonly onBroken: (sample: Sample, error: DataError) => void
  readonly cache?: PixelCache
}

/** Groups an asynchronous sequence. */
export async function* grouped<T>(items: AsyncIterable<T>, size: number): AsyncGenerator<T[]> {
  let group: T[] = []
  for await (const item of items) {
    group.push(item)
    if (group.length < size) continue
    yield group
    group = []
  }
  if (group.length) yield group
}

/** How images are augmented, and what seeds it. */
export interface SeededAugmentation {
  readonly augmentation: Augmentation
  readonly seed: number
}

/**
 * Images, decoded as they are needed: augmented anew in each epoch, seen in several views, or seen
 * as they are.
 */
export class ImageSource implements BatchSource {
  readonly from = 0
  readonly reads = false
  readonly #model: Network
  readonly #samples: SampleList
  readonly #options: ReadOptions
  readonly #augment: SeededAugmentation | null
  readonly views: number

  constructor(
    model: Network,
    samples: SampleList,
    options: ReadOptions,
    {
      augment = null,
      views = 1,
    }: { readonly augment?: SeededAugmentation | null; readonly views?: number } = {},
  ) {
    this.views = views
    this.#model = model
    this.#samples = samples
    this.#options = options
    this.#augment = augment
  }

  get count(): number {
    return this.#samples.length
  }

  async *batches(
    order: ArrayLike<number>,
    batchSize: number,
    epoch: number,
  ): AsyncGenerator<Batch> {
    let read = 0
    const reading = { ...decoding(this.#model.engine), ...this.#options }
    for await (const group of grouped(decodeAhead(this.#samples, order, reading), batchSize)) {
      for (const { index } of group) while (order[read++] !== index);
      const { engine, preprocess } = this.#model
      const images = group.map(({ image }) => image)
      const x = this.#augment
        ? augmentImages(engine, images, this.#draw(group, this.#augment, epoch), preprocess)
        : this.views > 1
          ? viewImages(engine, viewsOf(images, preprocess, this.views), preprocess)
          : preprocessImages(engine, images, preprocess)
      yield { x, targets: Int32Array.from(group, ({ sample }) => sample.label), read }
    }
  }

  async close(): Promise<void> {}

  #draw(group: readonly DecodedSample[], seeded: SeededAugmentation, epoch: number): AugmentDraw[] {
    return group.map(({ image, index }) =>
      drawInEpoch(seeded, epoch, index, image, this.#model.preprocess),
    )
  }
}

/**
 * What an image undergoes in an epoch. Its random stream is its place in the part and the epoch:
 * the same on every adapter and for every batch size.
 */
export function drawInEpoch(
  { augmentation, seed }: SeededAugmentation,
  epoch: number,
  index: number,
  image: RgbImage,
  preprocess: Preprocess,
): AugmentDraw {
  return drawAugmentation(
    new Random(seed, epoch * streamsPerEpoch + index),
    augmentation,
    image,
    preprocess,
  )
}

/** Each image in the first few of its views for test-time augmentation. */
export function viewsOf(
  images: readonly RgbImage[],
  preprocess: Preprocess,
  views: number,
): ViewedImage[] {
  return images.flatMap((image) =>
    testViews(image, preprocess, views).map((view) => ({ image, view })),
  )
}

/** Apart from the streams below it, which shuffle: one for each epoch. */
const streamsPerEpoch = 2 ** 32

/**
 * The cheapest way to read one part of a dataset: stored where nothing about a sample changes from
 * epoch to epoch and memory allows, else decoded anew.
 * @param options.store whether outputs may be stored at all
 * @param options.augment how images are augmented; null for not at all
 */
export async function openSource(
  model: Network,
  samples: SampleList,
  options: StoreOptions & { readonly store: boolean; readonly augment: SeededAugmentation | null },
): Promise<BatchSource> {
  const { store, augment } = options
  const from = model.frozenPrefix
  if (store && augment === null) {
    const stored = await openStored(model, samples, from, options)
    if (stored) return stored
  }
  return new ImageSource(
    model,
    samples,
    { ...options, ...(store ? { cache: new PixelCache(samples.length) } : {}) },
    { augment },
  )
}

export type { ImageDataset }
