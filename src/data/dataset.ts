import { at } from '../base/at.ts'
import { DataError } from '../base/errors.ts'
import type { Source } from '../host/host.ts'

export type { FileRange, Source, StoredImage } from '../host/host.ts'

/** One labeled image, not yet decoded. */
export interface Sample {
  readonly source: Source
  /**
   * Its name in messages: for files the path below the dataset's root, with `/` on every system.
   */
  readonly name: string
  /** Index into the dataset's `classes`. */
  readonly label: number
}

/**
 * Labeled images in a fixed order, such as an array of samples. Datasets on disk keep only a few
 * dozen bytes per image and make a sample when it is asked for, so that a million images take
 * megabytes; `[...list]` makes an array of all samples.
 */
export interface SampleList extends Iterable<Sample> {
  readonly length: number
  /** The sample at a position, or undefined past the end. */
  at(index: number): Sample | undefined
}

/** Labeled images in two parts without common images: one to train on, one to validate on. */
export interface ImageDataset {
  /** The folder or file it came from. */
  readonly root: string
  /** Class names, sorted by code unit; a label is an index into them. */
  readonly classes: readonly string[]
  readonly train: SampleList
  readonly val: SampleList
  /**
   * Images in formats that Graft does not read, which are in neither part: how many of each
   * ending, such as { '.heic': 12 }.
   */
  readonly passedOver?: Readonly<Record<string, number>>
  /** What a person should know about how the data were read, in sentences. */
  readonly remarks?: readonly string[]
}

/** A dataset whose samples are in arrays. */
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
  for (const { label } of samples) counts[label] = at(counts, label) + 1
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

/** A list whose labels are other numbers: `labels[label]` for each sample's own. */
function relabeled(samples: SampleList, labels: readonly number[]): SampleList {
  const change = (sample: Sample): Sample => ({ ...sample, label: at(labels, sample.label) })
  return {
    length: samples.length,
    at: (index) => {
      const sample = samples.at(index)
      return sample && change(sample)
    },
    *[Symbol.iterator]() {
      for (const sample of samples) yield change(sample)
    },
  }
}

/**
 * A dataset with the classes of a network, found by their names in the composed form of Unicode.
 * Classes of the network that the dataset does not have stay without images.
 * @param classes the network's, in the order of its outputs
 * @param whose the network, or the run's folder, in messages
 * @throws DataError naming the dataset's classes that the network does not know
 */
export function withClassesOf(
  data: ImageDataset,
  classes: readonly string[],
  whose: string,
  knower: 'network' | 'run',
): ImageDataset {
  const outputs = new Map(classes.map((name, output) => [name.normalize('NFC'), output]))
  const labels = data.classes.map((name) => outputs.get(name.normalize('NFC')))
  const known = labels.filter((label) => label !== undefined)
  if (known.length < labels.length) {
    const here = new Set(data.classes.map((name) => name.normalize('NFC')))
    const missing = classes.filter((name) => !here.has(name.normalize('NFC')))
    const extra = data.classes.filter((_, i) => labels[i] === undefined)
    const lacks = missing.length ? `it lacks ${missing.join(', ')}; ` : ''
    throw new DataError(
      `${data.root} has other classes than ${whose}: ${lacks}` +
        `the ${knower} does not know ${extra.join(', ')}`,
    )
  }
  if (classes.every((name, output) => name === data.classes[output])) return data
  const { train, val } = data
  return { ...data, classes, train: relabeled(train, known), val: relabeled(val, known) }
}
