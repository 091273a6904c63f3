/**
 * Images divided into shards: what one job takes. A shard is a file in the work store, named by its
 * content, that says where its images are; a job names the file.
 */
import { at } from '../base/at.ts'
import { DataError } from '../base/errors.ts'
import { type Form, misfit } from '../base/form.ts'
import { JsonProblem, parseBounded } from '../base/json.ts'
import { numberRule, rule, wholeNumber } from '../base/rule.ts'
import { sha256 } from '../base/sha256.ts'
import type { Sample, SampleList } from '../data/dataset.ts'
import { isStored, type StoredImage } from '../host/host.ts'
import { requirePath, type Store, StoreError } from '../store/store.ts'
import { storedImage } from '../store/storedImage.ts'
import { JobError } from './job.ts'

/** An image of a shard. */
export interface ShardImage {
  /** As it is called in messages and results. */
  readonly name: string
  /** Of its object, below the address of the images' store. */
  readonly path: string
  /** Length of the image. */
  readonly bytes: number
  /** Of the object. */
  readonly version: string
  /** Where it begins, if the object is an archive. */
  readonly start?: number
}

/** The most images of a shard, and the most bytes that they have encoded. */
export const mostImages = 1024
const mostBytes = 64 * 2 ** 20
/** Large data are divided into so many shards at least, which is enough for a hundred workers. */
const shardsWanted = 512
/** Images that are computed together: fewer in a shard take as long as so many. */
const batch = 32
/** Few images make so many shards, where they fill them: four for each of eight workers. */
const shardsOfFew = 32
/** Shards of more images are not smaller: a job costs some milliseconds beside its images. */
const fewestImages = 4 * batch
/** The most bytes of a shard's file. */
const mostFileBytes = 4 * 2 ** 20

/**
 * How many images a shard has: it depends on the images alone, never on the workers.
 * @param bytesEach what a job keeps of each image, where it keeps anything
 */
export function shardSize(images: number, bytesEach = 0): number {
  const even = batch * Math.ceil(images / shardsWanted / batch)
  const few = batch * Math.floor(images / shardsOfFew / batch)
  const fewest = Math.min(Math.max(few, batch), fewestImages)
  const fitting = bytesEach > 0 ? Math.max(1, Math.floor((32 * 2 ** 20) / bytesEach)) : mostImages
  const whole = fitting < batch ? fitting : batch * Math.floor(fitting / batch)
  return Math.min(Math.max(even, fewest), mostImages, whole)
}

/** Images that go into one shard. */
class Pile {
  readonly images: ShardImage[] = []
  #bytes = 0

  /** Whether more images have room beside these. */
  takes(count: number, bytes: number, size: number): boolean {
    const { length } = this.images
    return length === 0 || (length + count <= size && this.#bytes + bytes <= mostBytes)
  }

  takesAll(other: Pile, size: number): boolean {
    return this.takes(other.images.length, other.#bytes, size)
  }

  add(image: ShardImage): void {
    this.images.push(image)
    this.#bytes += image.bytes
  }
}

/**
 * Divides images into shards, in their order. The members of an archive stay together where they
 * fit into one shard.
 */
export async function* divided(
  images: AsyncIterable<ShardImage> | Iterable<ShardImage>,
  size: number,
): AsyncGenerator<readonly ShardImage[]> {
  let shard = new Pile()
  for await (const unit of together(images, size)) {
    if (!shard.takesAll(unit, size)) {
      yield shard.images
      shard = new Pile()
    }
    for (const image of unit.images) shard.add(image)
  }
  if (shard.images.length > 0) yield shard.images
}

/** Images one by one, and those of an archive together, as far as they fit into a shard. */
async function* together(
  images: AsyncIterable<ShardImage> | Iterable<ShardImage>,
  size: number,
): AsyncGenerator<Pile> {
  let unit = new Pile()
  for await (const image of images) {
    const last = unit.images.at(-1)
    const goesOn = last === undefined || (image.start !== undefined && last.path === image.path)
    if (!goesOn || !unit.takes(1, image.bytes, size)) {
      yield unit
      unit = new Pile()
    }
    unit.add(image)
  }
  if (unit.images.length > 0) yield unit
}

/**
 * The images of a part of a dataset in the order in which shards take them: those of an archive one
 * after the other.
 * @param root the address of the store that they are in
 * @throws DataError for images that are in no store
 */
export function* imagesOfShards(samples: SampleList, root: string): Generator<ShardImage> {
  const first = samples.at(0)
  const inArchives = first !== undefined && isStored(first.source) && 'start' in first.source
  for (const { source, name } of inArchives ? byArchive(samples) : samples)
    yield imageOf(storedOf(source, name), name, root)
}

function byArchive(samples: SampleList): Sample[] {
  const keyed = Array.from(samples, (sample) => ({
    sample,
    image: storedOf(sample.source, sample.name),
  }))
  return keyed
    .sort(({ image: a }, { image: b }) =>
      a.address === b.address ? (a.start ?? 0) - (b.start ?? 0) : a.address < b.address ? -1 : 1,
    )
    .map(({ sample }) => sample)
}

function storedOf(source: Sample['source'], name: string): StoredImage {
  if (isStored(source)) return source
  throw new DataError(`${name} is in no store, and only images in one are divided into shards`)
}

/** An image as a shard says where it is. */
export function imageOf(image: StoredImage, name: string, root: string): ShardImage {
  const { address, bytes, version, start } = image
  if (!address.startsWith(`${root}/`)) throw new DataError(`${address} is not below ${root}`)
  const path = address.slice(root.length + 1)
  return { name, path, bytes, version, ...(start === undefined ? {} : { start }) }
}

/** Writes a shard's file, and returns the sha256 that names it. */
export async function putShard(work: Store, images: readonly ShardImage[]): Promise<string> {
  const bytes = new TextEncoder().encode(JSON.stringify(images))
  const hash = await sha256(bytes)
  await work.write(pathOf(hash), bytes, { ifAbsent: true })
  return hash
}

const pathOf = (hash: string) => `shards/${hash}.json`

const anyName = rule(
  'a text of at most 4096 characters',
  (value) => typeof value === 'string' && value.length <= 4096,
)
const shardForm: Form<readonly ShardImage[]> = {
  each: {
    fields: {
      name: anyName,
      path: rule('a path in a store', (value) => typeof value === 'string' && isPath(value)),
      bytes: numberRule({ integer: true, min: 0, max: 2 ** 29 }),
      version: anyName,
      start: { optional: wholeNumber },
    },
  },
}

function isPath(text: string): boolean {
  try {
    return requirePath(text) === text
  } catch {
    return false
  }
}

/**
 * Reads a shard's file, which anybody may have written who reaches the store.
 * @throws JobError for one that is not as its name says, or that Graft would not have written
 */
export async function readShard(work: Store, hash: string): Promise<readonly ShardImage[]> {
  const path = pathOf(hash)
  const wrong = (what: string, options?: ErrorOptions) =>
    new JobError(`${work.address}/${path} ${what}: it is no shard of Graft's`, options)
  const found = await work.stat(path)
  if (found && found.bytes > mostFileBytes) throw wrong(`has more than ${mostFileBytes} bytes`)
  const bytes = await work.read(path)
  if ((await sha256(bytes)) !== hash) throw wrong('has another content than its name says')
  let images: unknown
  try {
    images = parseBounded(bytes)
  } catch (cause) {
    if (!(cause instanceof JsonProblem)) throw cause
    throw wrong(cause.message, { cause })
  }
  const misfits = misfit(images, shardForm, 'the list')
  if (misfits !== null) throw wrong(`is damaged (${misfits})`)
  const { length } = images as readonly ShardImage[]
  if (length > mostImages) throw wrong(`lists ${length} images, and ${mostImages} are the most`)
  return images as readonly ShardImage[]
}

/** How many images are read at a time. */
const atOnce = 16

/**
 * The images of a shard, with their bytes in memory.
 * @throws whatever may go well another time, or on another machine: a store that holds nothing here
 * is not mounted. An image that is not there is broken, and says so when it is read
 */
export async function readImages(
  data: Store,
  images: readonly ShardImage[],
  signal: AbortSignal,
): Promise<Sample[]> {
  const samples = new Array<Sample>(images.length)
  let there: Promise<void> | null = null
  let next = 0
  const reader = async () => {
    for (let i = next++; i < images.length; i = next++) {
      signal.throwIfAborted()
      const { name, path, bytes, version, start } = at(images, i)
      const member = start === undefined ? undefined : { start, bytes }
      const stored = storedImage(data, { path, bytes, version }, member)
      const read = await stored.read().then(
        (content) => () => Promise.resolve(content),
        async (error: unknown) => {
          if (!(error instanceof DataError)) throw error
          there ??= requireObjects(data)
          await there
          return () => Promise.reject(error)
        },
      )
      samples[i] = { source: { ...stored, read }, name, label: 0 }
    }
  }
  await Promise.all(Array.from({ length: atOnce }, reader))
  return samples
}

/** @throws StoreError for a store without any object */
async function requireObjects(store: Store): Promise<void> {
  for await (const _ of store.list('')) return
  throw new StoreError(
    'unreachable',
    `${store.address} holds nothing on this machine: it is not mounted, or not the right one`,
  )
}
