import { DataError, UsageError } from '../gpu/errors.ts'
import { Random } from '../tensor/philox.ts'
import { byCodeUnit, type Sample } from './dataset.ts'

/** The share of each class held out for validation unless the caller says otherwise. */
export const DEFAULT_SPLIT = 0.25

/**
 * Checks the arguments of a split before any file is read.
 *
 * @throws UsageError unless 0 < split < 1 and the seed is a non-negative safe integer
 */
export function requireSplit(split: number, seed: number): void {
  if (!(split > 0 && split < 1)) {
    throw new UsageError(`split is ${split}: give the share of pictures to hold out for validation, between 0 and 1, such as 0.25`)
  }
  if (!Number.isSafeInteger(seed) || seed < 0) throw new UsageError(`seed is ${seed}: give a non-negative integer up to 2^53 - 1`)
}

/**
 * Holds out a share of every class for validation, chosen at random by the seed: the rounded share of the class's pictures, but at least
 * one, and at least one is left to train on. The choice depends on the seed, the class's number and the sorted names only, not on the
 * order in which the pictures are given.
 *
 * @param classes the class names
 * @param samples the pictures, `samples[c]` those of class c
 * @param split the share to hold out, in (0, 1)
 * @param seed any non-negative safe integer
 * @returns both parts, class after class, by name within a class
 * @throws DataError for a class with fewer than two pictures
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
  requireSplit(split, seed)
  const train: Sample[] = []
  const val: Sample[] = []
  for (const [label, ofClass] of samples.entries()) {
    if (ofClass.length < 2) {
      throw new DataError(
        `class "${classes[label]}" has ${ofClass.length === 1 ? 'only one picture' : 'no picture'}: ` +
          'add pictures or remove the class, two are needed to train on one and validate on the other',
      )
    }
    const sorted = [...ofClass].sort((a, b) => byCodeUnit(a.name, b.name))
    const order = Array.from(sorted.keys())
    new Random(seed, label).shuffle(order)
    const held = Math.min(Math.max(Math.round(sorted.length * split), 1), sorted.length - 1)
    const heldOut = new Set(order.slice(0, held))
    for (const [i, sample] of sorted.entries()) (heldOut.has(i) ? val : train).push(sample)
  }
  return { train, val }
}
