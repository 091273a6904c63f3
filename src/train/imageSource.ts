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
import { sizeOf } from '../tensor/ndbuffer.ts'
import type { Engine, Tensor } from '../tensor/tensor.ts'
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
    let input = new BatchInput(this.#model.engine)
    let labels: number[] = []
    const reading = { ...decoding(this.#model.engine), ...this.#options }
    const finished = async (): Promise<Batch> => {
      const batch = { x: await input.finish(), targets: Int32Array.from(labels), read }
      input.dispose()
      input = new BatchInput(this.#model.engine)
      labels = []
      return batch
    }
    try {
      for await (const part of grouped(decodeAhead(this.#samples, order, reading), batchSize)) {
        for (const { index, sample } of part) {
          while (order[read++] !== index);
          labels.push(sample.label)
        }
        await input.add(this.#prepare(part, epoch))
        if (labels.length === batchSize) yield await finished()
      }
      if (labels.length > 0) yield await finished()
    } finally {
      input.dispose()
    }
  }

  #prepare(part: readonly DecodedSample[], epoch: number): Tensor {
    const { engine, preprocess } = this.#model
    const images = part.map(({ image }) => image)
    if (this.#augment)
      return augmentImages(engine, images, this.#draw(part, this.#augment, epoch), preprocess)
    if (this.views > 1)
      return viewImages(engine, viewsOf(images, preprocess, this.views), preprocess)
    return preprocessImages(engine, images, preprocess)
  }

  async close(): Promise<void> {}

  #draw(group: readonly DecodedSample[], seeded: SeededAugmentation, epoch: number): AugmentDraw[] {
    return group.map(({ image, index }) =>
      drawInEpoch(seeded, epoch, index, image, this.#model.preprocess),
    )
  }
}

/** A batch's images on the device. Almost always they come in one part. */
class BatchInput {
  readonly #engine: Engine
  /** The rows of all parts but the last one; reading them waits until their images are not used. */
  readonly #rows: Float32Array[] = []
  #last: Tensor | null = null

  constructor(engine: Engine) {
    this.#engine = engine
  }

  /** Takes the next images, [n, 3, size, size]. */
  async add(part: Tensor): Promise<void> {
    const before = this.#last
    this.#last = part
    if (!before) return
    this.#rows.push(await before.data())
    before.dispose()
  }

  /** All images as one tensor, which the caller owns. */
  async finish(): Promise<Tensor> {
    const last = this.#last
    if (!last) throw new Error('a batch has images')
    if (this.#rows.length === 0) {
      this.#last = null
      return last
    }
    const rows = [...this.#rows, await last.data()]
    const values = new Float32Array(rows.reduce((sum, { length }) => sum + length, 0))
    let filled = 0
    for (const row of rows) {
      values.set(row, filled)
      filled += row.length
    }
    const image = last.shape.slice(1)
    return this.#engine.tensor(values, [values.length / sizeOf(image), ...image])
  }

  dispose(): void {
    this.#last?.dispose()
    this.#last = null
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
