import { stat } from 'node:fs/promises'
import { at } from '../base/at.ts'
import { fsPath } from '../base/node/fileNames.ts'
import { openInput, readRange } from '../base/node/inputFile.ts'
import { sha256Of } from '../base/node/sha256.ts'
import { encodedBytes } from '../host/node/decode.ts'
import { type ImageDataset, joined, type Sample, type SampleList, sampleAt } from './dataset.ts'
import { contentKey } from './imageKeys.ts'

/** An image and a copy of it, by their names. */
export interface Copy {
  readonly name: string
  readonly of: string
}

/** Images that a dataset has more than once, byte for byte. */
export interface Copies {
  /** Images to validate that are trained on too. */
  readonly validated: readonly Copy[]
  /** Images that are in two classes. */
  readonly labeled: readonly Copy[]
  /** Images that share their size with others and were too many to be compared. */
  readonly unread: number
  /** The sizes of the encoded images in bytes, those to train on first; NaN for one not there. */
  readonly sizes: Float64Array
}

/** The most images of which a part is read. */
const mostRead = 100_000
/** What is read of an image to tell it from others of its size; shorter ones are read whole. */
const sampleBytes = 4096
/** Files that are read at a time. */
const atOnce = 32

/**
 * Finds copies of one file that are trained on and validated with, which make an accuracy look
 * better than it is, or that are in two classes. Sizes come first, from the file system: only files
 * of one size are compared, by 4 KiB from their middle, and only those that agree are read whole.
 * A million photographs cost a minute, most of it for asking their sizes.
 * @param most how many images are compared at most; the rest is counted in `unread`
 * @example
 * const { validated } = await findCopies(await openData('photos'))
 * for (const { name, of } of validated) console.log(name, 'is a copy of', of)
 */
export async function findCopies(
  { train, val }: Pick<ImageDataset, 'train' | 'val'>,
  most = mostRead,
): Promise<Copies> {
  const all = joined(train, val)
  const isHeldOut = (index: number) => index >= train.length
  const labelOf = (index: number) => sampleAt(all, index).label
  const nameOf = (index: number) => sampleAt(all, index).name
  // Copies within a class and a part do no harm.
  const matters = ([first, ...others]: readonly number[]) =>
    first !== undefined &&
    others.some(
      (other) => isHeldOut(other) !== isHeldOut(first) || labelOf(other) !== labelOf(first),
    )

  const sizes = await sizesOf(all)
  const compared: number[] = []
  let unread = 0
  for (const group of runsOf(sizes)) {
    if (!matters(group)) continue
    if (compared.length + group.length > most) unread += group.length
    else compared.push(...group)
  }
  const middles = await grouped(compared, (index) =>
    middleOf(sampleAt(all, index), at(sizes, index)),
  )
  const wholes = await grouped(middles.filter(matters).flat(), (index) =>
    contentOf(sampleAt(all, index)),
  )
  const [validated, labeled]: [Copy[], Copy[]] = [[], []]
  for (const group of wholes.filter(matters)) {
    const first = at(group, 0)
    const trained = group.find((index) => !isHeldOut(index))
    for (const index of group) {
      if (isHeldOut(index) && trained !== undefined)
        validated.push({ name: nameOf(index), of: nameOf(trained) })
      if (labelOf(index) !== labelOf(first))
        labeled.push({ name: nameOf(index), of: nameOf(first) })
    }
  }
  return { validated, labeled, unread, sizes }
}

/** Calls a function for each index, some at a time, and waits for all. */
async function each(indices: ArrayLike<number>, work: (index: number) => Promise<void>) {
  let next = 0
  const worker = async () => {
    while (next < indices.length) await work(at(indices, next++))
  }
  await Promise.all(Array.from({ length: atOnce }, worker))
}

async function sizesOf(samples: SampleList): Promise<Float64Array> {
  const sizes = new Float64Array(samples.length).fill(Number.NaN)
  const indices = Uint32Array.from(sizes, (_, i) => i)
  await each(indices, async (index) => {
    const { source } = sampleAt(samples, index)
    if (typeof source === 'string') {
      const found = await stat(fsPath(source)).catch(() => null)
      if (found?.isFile()) sizes[index] = found.size
    } else if (source instanceof Uint8Array) sizes[index] = source.length
    else sizes[index] = source instanceof Blob ? source.size : source.bytes
  })
  return sizes
}

/** The indices of equal sizes, where there are several. */
function* runsOf(sizes: Float64Array): Generator<number[]> {
  const order = Uint32Array.from(sizes, (_, i) => i)
    .filter((index) => !Number.isNaN(at(sizes, index)))
    .sort((a, b) => at(sizes, a) - at(sizes, b) || a - b)
  for (let start = 0, end = 0; start < order.length; start = end) {
    const size = at(sizes, at(order, start))
    while (end < order.length && at(sizes, at(order, end)) === size) end++
    if (end - start > 1) yield [...order.subarray(start, end)]
  }
}

/** The indices by a key of each; those without one are in no group. */
async function grouped(
  indices: readonly number[],
  keyOf: (index: number) => Promise<string | null>,
): Promise<number[][]> {
  const keys = new Map<number, string | null>()
  await each(indices, async (index) => {
    // What cannot be read is reported when it is decoded.
    keys.set(index, await keyOf(index).catch(() => null))
  })
  const groups = new Map<string, number[]>()
  for (const index of indices) {
    const key = keys.get(index) ?? null
    if (key === null) continue
    const group = groups.get(key) ?? []
    groups.set(key, group)
    group.push(index)
  }
  return [...groups.values()]
}

/** A key of an image's size and of a part from its middle; of all of it if it is short. */
async function middleOf({ source, name }: Sample, size: number): Promise<string> {
  const length = Math.min(size, sampleBytes)
  const start = Math.floor((size - length) / 2)
  if (typeof source !== 'string' && !('path' in source)) {
    const bytes = await encodedBytes(source, name)
    return `${size} ${contentKey(bytes.subarray(start, start + length))}`
  }
  const [path, offset] = typeof source === 'string' ? [source, 0] : [source.path, source.start]
  const { file } = await openInput(path)
  try {
    return `${size} ${contentKey(await readRange(path, file, offset + start, length))}`
  } finally {
    await file.close()
  }
}

async function contentOf({ source, name }: Sample): Promise<string> {
  if (typeof source === 'string') return sha256Of(source)
  return contentKey(await encodedBytes(source, name))
}
