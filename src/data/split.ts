import { at } from '../base/at.ts'
import { DataError, UsageError } from '../base/errors.ts'
import { checkOptions } from '../base/options.ts'
import { option, optionText } from '../base/optionText.ts'
import { Random, requireSeed } from '../base/random.ts'
import { byCodeUnit, type Sample } from './dataset.ts'

/** The default share of each class that is held out for validation. */
export const defaultSplit = 0.25

/** In options that are defaults of a caller: data that divide themselves ignore them. */
const ignorable = Symbol('ignorable options')

/** How to divide a dataset that does not say which images are for validation. */
export interface DataOptions {
  readonly [ignorable]?: readonly DivisionOption[]
  /** The share of each class held out for validation, in (0, 1); 0.25 by default. */
  readonly split?: number
  /** The seed that chooses the held-out images: a non-negative safe integer, 0 by default. */
  readonly seed?: number
  /**
   * Whether the images are only to be evaluated on: then no class has to be in both parts, nothing
   * is held out, and if the data do not say which images are for validation, all of them are in
   * `val`. Default false.
   */
  readonly testSet?: boolean
}

type DivisionOption = 'split' | 'seed'

/** How to divide a dataset that does not say itself which images are for validation. */
export interface Division {
  readonly split: number
  readonly seed: number
  /** Those of the two that a person decided: they are an error where they have no effect. */
  readonly decided?: readonly DivisionOption[]
  /** As in `DataOptions`. */
  readonly testSet?: boolean
}

/**
 * Options of which some are not a person's decision, such as the defaults of a command: where the
 * data say themselves which images are for validation, these are ignored.
 * @example await openData(dir, ignoring({ split: 0.25, seed: 1 }, ['split', 'seed']))
 */
export function ignoring<O extends DataOptions>(options: O, names: readonly DivisionOption[]): O {
  return { ...options, [ignorable]: names }
}

/**
 * Checks the options of a function that opens a dataset, before any file is read, and fills in the
 * defaults.
 *
 * @param opens the function's name
 * @param others further options that it takes
 * @throws UsageError unless 0 < split < 1 and the seed is a non-negative safe integer, and for
 * options that do not exist
 */
export function resolveSplit<O extends DataOptions>(
  opens: string,
  options: O,
  others: readonly (keyof O & string)[] = [],
): Division {
  checkOptions(opens, options, ['split', 'seed', 'testSet', ...others])
  const { split = defaultSplit, seed = 0, testSet = false } = options
  if (!(split > 0 && split < 1)) {
    throw new UsageError(
      optionText`${option('split')} is ${split}: give the share of images to hold out for
        validation, between 0 and 1, such as 0.25`,
    )
  }
  requireSeed(seed)
  const mayIgnore = options[ignorable] ?? []
  const decided = (['split', 'seed'] as const).filter(
    (name) => options[name] !== undefined && !mayIgnore.includes(name),
  )
  return { split, seed, decided, testSet }
}

/**
 * Which images of a class are held out for validation, chosen at random by the seed: the rounded
 * share of them, but at least one, and not all. The choice depends only on the seed, the class's
 * number and the number of images.
 *
 * @param name the class, for the message
 * @param label its number
 * @param count its images, in the order of their names
 * @returns whether each image is held out
 * @throws DataError for fewer than two images
 */
export function heldOut(
  name: string,
  label: number,
  count: number,
  split: number,
  seed: number,
): boolean[] {
  if (count < 2) {
    throw new DataError(
      `class "${name}" has ${count === 1 ? 'only one image' : 'no image'}: ` +
        'add images or remove the class, two are needed to train on one and validate on the other',
    )
  }
  const order = Uint32Array.from({ length: count }, (_, i) => i)
  new Random(seed, label).shuffle(order)
  const held = new Array<boolean>(count).fill(false)
  for (const i of order.subarray(0, Math.min(Math.max(Math.round(count * split), 1), count - 1)))
    held[i] = true
  return held
}

/**
 * Divides images in arrays as `heldOut` does. The order in which they are given does not matter.
 *
 * @param classes the class names
 * @param samples the images; `samples[c]` are those of class c
 * @param split the share to hold out, in (0, 1)
 * @param seed any non-negative safe integer
 * @returns both parts, sorted by class, then by name
 * @throws DataError for a class with fewer than two images
 * @throws UsageError for a split or seed out of range
 * @example
 * const { train, val } = splitByClass(['cat', 'dog'], [cats, dogs], 0.25, 0)
 */
export function splitByClass(
  classes: readonly string[],
  samples: readonly (readonly Sample[])[],
  split: number,
  seed: number,
): { train: Sample[]; val: Sample[] } {
  resolveSplit('splitByClass', { split, seed })
  const train: Sample[] = []
  const val: Sample[] = []
  for (const [label, ofClass] of samples.entries()) {
    const held = heldOut(at(classes, label), label, ofClass.length, split, seed)
    const sorted = [...ofClass].sort((a, b) => byCodeUnit(a.name, b.name))
    for (const [i, sample] of sorted.entries()) (held[i] ? val : train).push(sample)
  }
  return { train, val }
}
