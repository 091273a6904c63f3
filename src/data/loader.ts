import { at } from '../base/at.ts'
import { DataError, UsageError } from '../base/errors.ts'
import type { Reserve, RgbImage, Source } from '../host/host.ts'
import type { Engine } from '../tensor/tensor.ts'
import type { Sample, SampleList } from './dataset.ts'

/** A sample with its pixels. */
export interface DecodedSample {
  /** Its position in the samples given. */
  readonly index: number
  readonly sample: Sample
  readonly image: RgbImage
}

interface AheadOptions {
  /** How many images may be in decoding or decoded beyond the one in use; 8 by default. */
  readonly ahead?: number
  /** Stops the generator: its next step throws the signal's reason. */
  readonly signal?: AbortSignal
  /**
   * Called for each image that cannot be decoded, in order. The image is skipped; if this function
   * throws, the generator throws the same error.
   */
  readonly onBroken: (sample: Sample, error: DataError) => void
}

/** How images are decoded ahead of their use. */
export interface DecodeAheadOptions extends AheadOptions {
  /**
   * Keeps decoded images, so that another pass over the same samples need not decode them again.
   */
  readonly cache?: PixelCache
  /** How a sample becomes an image. */
  readonly decode: (source: Source, name: string, reserve: Reserve) => Promise<RgbImage>
}

/** How anything made from a sample is loaded ahead of its use. */
export interface LoadAheadOptions<T> extends AheadOptions {
  readonly load: (sample: Sample, index: number, reserve: Reserve) => Promise<T>
  /** Bytes that it takes while it waits to be used. */
  readonly bytesOf: (loaded: T) => number
}

const DEFAULT_AHEAD = 8
const MAX_AHEAD = 32
/** Bytes that images may take while they are decoded, wait, and are in use. */
const WAITING_BYTES = 512 * 2 ** 20
/** Bytes of them that are in use: images that are collected to be prepared together. */
export const GROUP_BYTES = 128 * 2 ** 20
/**
 * How many images are decoded at a time until the size of one is known: the number of libuv's
 * threads.
 */
const UNKNOWN_AHEAD = 4
const DEFAULT_CACHE_BYTES = 512 * 2 ** 20

type Outcome<T> = { readonly value: T } | { readonly error: unknown }

interface Pending<T> {
  readonly index: number
  readonly sample: Sample
  readonly share: Share
  readonly outcome: Promise<Outcome<T>>
}

/**
 * Keeps decoded images up to a number of bytes. Images in the cache stay in it. No image is added
 * if the whole list, estimated from the mean size so far, would not fit: so long a list is decoded
 * again in every pass, and memory does not grow during one.
 *
 * Images are found by their index in the list of samples, so one cache serves one list.
 *
 * @example
 * const cache = new PixelCache(data.train.length, 2 ** 30)
 * const options = { ...decoding(engine), cache, onBroken }
 * for await (const { image } of decodeAhead(data.train, order, options)) show(image)
 */
export class PixelCache {
  /** The most bytes of pixels it holds. */
  readonly capacity: number
  readonly #count: number
  readonly #images = new Map<number, RgbImage>()
  readonly #met = { images: 0, bytes: 0 }
  #bytes = 0

  /**
   * @param count how many images the list has
   * @param capacity bytes of pixels, 512 MiB by default; 0 keeps nothing
   * @throws UsageError for a negative capacity
   */
  constructor(count: number, capacity = DEFAULT_CACHE_BYTES) {
    if (!(capacity >= 0))
      throw new UsageError(
        `the pixel cache's capacity is ${capacity}: give a number of bytes, 0 or more`,
      )
    this.#count = count
    this.capacity = capacity
  }

  /** Bytes of pixels held. */
  get bytes(): number {
    return this.#bytes
  }

  /** Images held. */
  get size(): number {
    return this.#images.size
  }

  get(index: number): RgbImage | undefined {
    return this.#images.get(index)
  }

  /** Adds an image if it fits; returns whether the cache holds it now. */
  add(index: number, image: RgbImage): boolean {
    if (this.#images.has(index)) return true
    const bytes = image.data.byteLength
    this.#met.images++
    this.#met.bytes += bytes
    const estimate = (this.#met.bytes / this.#met.images) * this.#count
    if (estimate > this.capacity || this.#bytes + bytes > this.capacity) return false
    this.#images.set(index, image)
    this.#bytes += bytes
    return true
  }

  clear(): void {
    this.#images.clear()
    this.#bytes = 0
  }
}

/**
 * How an engine's host decodes: with its own decoder, and twice as many images ahead as it has
 * cores, but at most 32.
 */
export function decoding({ host }: Engine): Pick<DecodeAheadOptions, 'ahead' | 'decode'> {
  return { ahead: Math.min(2 * host.cores, MAX_AHEAD), decode: host.decodeImage }
}

/**
 * The outcome of a promise; never rejects, so that an image that is no longer needed cannot cause
 * an unhandled rejection.
 */
async function settle<T>(loading: Promise<T>): Promise<Outcome<T>> {
  try {
    return { value: await loading }
  } catch (error) {
    return { error }
  }
}

/** What is waited for; an abort ends the waiting at once. */
async function unlessAborted<T>(waiting: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  signal?.throwIfAborted()
  if (!signal) return waiting
  let abort = (): void => {}
  const aborted = new Promise<never>((_, reject) => {
    abort = () => reject(signal.reason)
    signal.addEventListener('abort', abort)
  })
  try {
    const value = await Promise.race([waiting, aborted])
    signal.throwIfAborted()
    return value
  } finally {
    signal.removeEventListener('abort', abort)
  }
}

/**
 * How many images may be in decoding or decoded at a time: `ahead`, or as many of the largest one
 * so far as fit into WAITING_BYTES. Until the first size is known, only a few.
 */
class Room {
  readonly #ahead: number
  #largest: number | null = null

  constructor(ahead: number) {
    this.#ahead = ahead
  }

  note(bytes: number): void {
    this.#largest = Math.max(this.#largest ?? 0, bytes)
  }

  get images(): number {
    if (this.#largest === null) return Math.min(this.#ahead, UNKNOWN_AHEAD)
    return Math.max(
      1,
      Math.min(this.#ahead, Math.floor(WAITING_BYTES / Math.max(this.#largest, 1))),
    )
  }
}

/** What one image takes of the memory. */
interface Share {
  /** Bytes that it was granted, or is asking for; null until its size is known. */
  bytes: number | null
  /** Starts its decoding; null once it has started. */
  grant: (() => void) | null
}

/**
 * Shares the memory among images, less what is kept for a group of them, in their order: an image
 * never waits for a later one, which is used after it. One that is larger than all of it is decoded
 * while there is no other.
 */
class Shares {
  readonly #undecided: Share[] = []
  #used = 0

  /** The share of the next image. */
  add(): Share {
    const share: Share = { bytes: null, grant: null }
    this.#undecided.push(share)
    return share
  }

  /** Resolves once there is room. */
  reserve(share: Share, bytes: number): Promise<void> {
    return new Promise((resolve) => {
      share.bytes = bytes
      share.grant = resolve
      this.#grant()
    })
  }

  /** Notes what an image takes from now on: its pixels, or nothing. */
  keep(share: Share, bytes: number): void {
    const place = this.#undecided.indexOf(share)
    if (place >= 0) this.#undecided.splice(place, 1)
    else this.#used -= share.bytes ?? 0
    this.#used += bytes
    share.bytes = bytes
    this.#grant()
  }

  #grant(): void {
    for (;;) {
      const [next] = this.#undecided
      if (!next?.grant || next.bytes === null) return
      if (this.#used > 0 && this.#used + next.bytes > WAITING_BYTES - GROUP_BYTES) return
      this.#undecided.shift()
      this.#used += next.bytes
      next.grant()
      next.grant = null
    }
  }
}

/**
 * Yields decoded samples in the given order, while worker threads decode the next ones. An image
 * that cannot be decoded is passed to `onBroken` and skipped; a strict caller throws there. The
 * images that are decoded, wait, or were yielded last take at most 384 MiB together, with what the
 * decoder holds, or are a single larger one. A caller that collects images keeps to GROUP_BYTES.
 *
 * @param samples what `order` indexes
 * @param order the indices to yield; an index may occur several times
 * @returns a generator; it may be left early, and only the images in progress are lost
 * @throws UsageError for an index outside the samples, or an `ahead` that is not a positive integer
 * @throws the signal's reason after an abort, and whatever `onBroken` throws
 * @throws GraftError if the decoder itself cannot be loaded
 * @example
 * const broken: string[] = []
 * for await (const { image, sample } of decodeAhead(data.val, [...Array(data.val.length).keys()], {
 *   ...decoding(engine),
 *   onBroken: (sample) => broken.push(sample.name),
 * })) {
 *   console.log(sample.name, image.width, image.height)
 * }
 */
export async function* decodeAhead(
  samples: SampleList,
  order: ArrayLike<number>,
  options: DecodeAheadOptions,
): AsyncGenerator<DecodedSample, void, undefined> {
  const { cache, decode, ...ahead } = options
  const load = async ({ source, name }: Sample, index: number, reserve: Reserve) => {
    const kept = cache?.get(index)
    if (kept) return kept
    const image = await decode(source, name, reserve)
    cache?.add(index, image)
    return image
  }
  for await (const { index, sample, loaded } of loadAhead(samples, order, {
    ...ahead,
    load,
    bytesOf: ({ data }) => data.byteLength,
  }))
    yield { index, sample, image: loaded }
}

/** As `decodeAhead`, for anything that is loaded for a sample: an image, or its stored features. */
export async function* loadAhead<T>(
  samples: SampleList,
  order: ArrayLike<number>,
  options: LoadAheadOptions<T>,
): AsyncGenerator<
  { readonly index: number; readonly sample: Sample; readonly loaded: T },
  void,
  undefined
> {
  const { ahead = DEFAULT_AHEAD, signal, onBroken, load, bytesOf } = options
  if (!Number.isInteger(ahead) || ahead < 1)
    throw new UsageError(`ahead is ${ahead}: give the number of images to decode ahead, 1 or more`)
  const queue: Pending<T>[] = []
  const room = new Room(ahead)
  const shares = new Shares()
  let next = 0

  const fill = (): void => {
    for (; queue.length < room.images && next < order.length; next++) {
      const index = at(order, next)
      const sample = Number.isInteger(index) && index >= 0 ? samples.at(index) : undefined
      if (!sample) throw new UsageError(`the order names sample ${index} of ${samples.length}`)
      const share = shares.add()
      const loading = load(sample, index, (bytes) => shares.reserve(share, bytes))
      const outcome = settle(loading).then((settled) => {
        shares.keep(share, 'value' in settled ? bytesOf(settled.value) : 0)
        return settled
      })
      queue.push({ index, sample, share, outcome })
    }
  }

  for (;;) {
    signal?.throwIfAborted()
    fill()
    const head = queue.shift()
    if (!head) return
    const outcome = await unlessAborted(head.outcome, signal)
    if ('value' in outcome) room.note(bytesOf(outcome.value))
    fill()
    if ('value' in outcome) {
      yield { index: head.index, sample: head.sample, loaded: outcome.value }
      shares.keep(head.share, 0)
    } else if (outcome.error instanceof DataError) {
      onBroken(head.sample, outcome.error)
    } else {
      throw outcome.error
    }
  }
}
