import { Random } from '../base/random.ts'
import { type Augmentation, type AugmentDraw, drawAugmentation } from '../data/augment.ts'
import { augmentImages } from '../data/augmentImages.ts'
import type { SampleList } from '../data/dataset.ts'
import { type DecodedSample, decodeAhead, decoding } from '../data/loader.ts'
import { preprocessImages, type ViewedImage, viewImages } from '../data/transforms.ts'
import { testViews } from '../data/view.ts'
import type { RgbImage } from '../host/host.ts'
import type { Network } from '../nn/network.ts'
import type { Preprocess } from '../nn/preprocess.ts'
import { type Batch, type BatchSource, grouped, type ReadOptions } from './batches.ts'

/** How images are augmented, and the seed of it. */
export interface SeededAugmentation {
  readonly augmentation: Augmentation
  readonly seed: number
}

/**
 * Images decoded when they are needed: augmented differently in each epoch, in several views, or
 * plain.
 */
export class ImageSource implements BatchSource {
  readonly from = 0
  readonly reads = false
  readonly views: number
  readonly #model: Network
  readonly #samples: SampleList
  readonly #options: ReadOptions
  readonly #augment: SeededAugmentation | null

  constructor(
    model: Network,
    samples: SampleList,
    options: ReadOptions,
    how: { readonly augment?: SeededAugmentation | null; readonly views?: number } = {},
  ) {
    this.#model = model
    this.#samples = samples
    this.#options = options
    this.#augment = how.augment ?? null
    this.views = how.views ?? 1
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

/** Separates the random streams of augmentation from those that shuffle, one for each epoch. */
const streamsPerEpoch = 2 ** 32

/**
 * The random augmentation of an image in an epoch. Its stream depends on the image's position in
 * the part and on the epoch only: it is the same on every adapter and for every batch size.
 */
export function drawInEpoch(
  { augmentation, seed }: SeededAugmentation,
  epoch: number,
  index: number,
  image: RgbImage,
  preprocess: Preprocess,
): AugmentDraw {
  const random = new Random(seed, epoch * streamsPerEpoch + index)
  return drawAugmentation(random, augmentation, image, preprocess)
}

/** Each image in its first `views` views for test-time augmentation. */
export function viewsOf(
  images: readonly RgbImage[],
  preprocess: Preprocess,
  views: number,
): ViewedImage[] {
  return images.flatMap((image) =>
    testViews(image, preprocess, views).map((view) => ({ image, view })),
  )
}
