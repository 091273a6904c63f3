import type { DataError } from '../base/errors.ts'
import type { Sample } from '../data/dataset.ts'
import { type DecodedSample, GROUP_BYTES, type PixelCache } from '../data/loader.ts'
import type { Tensor } from '../tensor/tensor.ts'

/** The inputs of one step and their classes. The receiver disposes of `x`. */
export interface Batch {
  readonly x: Tensor
  readonly targets: Int32Array
  /**
   * How many positions of the order were read up to the end of this batch: more than its images
   * where some were broken.
   */
  readonly read: number
}

/** One part of a dataset, ready to be read in batches, epoch after epoch. */
export interface BatchSource {
  /** The layer that takes the batches: 0 for images, the first one not frozen for features. */
  readonly from: number
  /** Rows of a batch per target, next to each other: views of the same image. */
  readonly views: number
  /** Number of samples, broken ones included. */
  readonly count: number
  /** Whether samples still have to go through the layers before `from`. */
  readonly reads: boolean
  /** @param order positions in the part, in the order wanted */
  batches(order: ArrayLike<number>, batchSize: number, epoch: number): AsyncIterable<Batch>
  /** Releases what it holds. */
  close(): Promise<void>
}

/** What reading samples needs to know. */
export interface ReadOptions {
  readonly signal?: AbortSignal
  /** Called for each image that cannot be decoded; if it throws, reading ends. */
  readonly onBroken: (sample: Sample, error: DataError) => void
  readonly cache?: PixelCache
}

/**
 * Reads one batch a second time, with the same result, and passes it to `body`.
 * @param positions the part of the epoch's order that the batch was made of
 */
export async function readAgain<T>(
  source: BatchSource,
  positions: Uint32Array,
  batchSize: number,
  epoch: number,
  body: (batch: Batch) => Promise<T>,
): Promise<T> {
  for await (const batch of source.batches(positions, batchSize, epoch))
    return body(batch).finally(() => batch.x.dispose())
  throw new Error('a batch that was read before cannot be read again')
}

/**
 * Groups the samples of an asynchronous sequence; the last group may be smaller. A group whose
 * images take much memory is given out in several parts, one after the other.
 */
export async function* grouped(
  samples: AsyncIterable<DecodedSample>,
  size: number,
): AsyncGenerator<DecodedSample[]> {
  let part: DecodedSample[] = []
  let [missing, bytes] = [size, 0]
  for await (const sample of samples) {
    part.push(sample)
    bytes += sample.image.data.byteLength
    missing--
    if (missing > 0 && bytes < GROUP_BYTES) continue
    yield part
    if (missing === 0) missing = size
    part = []
    bytes = 0
  }
  if (part.length) yield part
}
