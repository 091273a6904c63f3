import type { Source } from '../host/host.ts'

export type { FileRange, Source } from '../host/host.ts'

/** One labeled image, not yet decoded. */
export interface Sample {
  readonly source: Source
  /**
   * How messages call it: for files the path below the dataset's root, with `/` on every system.
   */
  readonly name: string
  /** Index into the dataset's `classes`. */
  readonly label: number
}

/**
 * Labeled images in a fixed order. An array of samples is one. Datasets on disk keep a few bytes
 * for each image and make a sample when it is asked for, so that a million of them take megabytes;
 * `[...list]` makes an array of them all.
 */
export interface SampleList extends Iterable<Sample> {
  readonly length: number
  /** The sample at a position, or undefined past the end. */
  at(index: number): Sample | undefined
}

/** Labeled images in two parts that share no image: one to train on, one to validate on. */
export interface ImageDataset {
  /** The folder or file it came from. */
  readonly root: string
  /** Class names, sorted by code unit; a label is an index into them. */
  readonly classes: readonly string[]
  readonly train: SampleList
  readonly val: SampleList
  /**
   * Files that are in neither because images of their format are not read: how many of each ending,
   * such as { '.heic': 12 }.
   */
  readonly passedOver?: Readonly<Record<string, number>>
}

/** A dataset small enough to be held in arrays. */
export interface ArrayDataset extends ImageDataset {
  readonly train: readonly Sample[]
  readonly val: readonly Sample[]
}

/** The sample at a position. @throws RangeError outside the list */
export function sampleAt(samples: SampleList, index: number): Sample {
  const sample = samples.at(index)
  if (!sample) throw new RangeError(`index ${index} is outside a list of ${samples.length} samples`)
  return sample
}

/** How many samples each class has. */
export function countByClass(samples: SampleList, classes: number): number[] {
  const counts = new Array<number>(classes).fill(0)
  for (const { label } of samples) counts[label] = (counts[label] ?? 0) + 1
  return counts
}

/** Two lists one after the other. */
export function joined(first: SampleList, second: SampleList): SampleList {
  return {
    length: first.length + second.length,
    at: (index) => (index < first.length ? first.at(index) : second.at(index - first.length)),
    *[Symbol.iterator]() {
      yield* first
      yield* second
    },
  }
}

/** Orders strings by code unit, which is the same on every system and in every locale. */
export function byCodeUnit(a: string, b: string): number {
  if (a === b) return 0
  return a < b ? -1 : 1
}
