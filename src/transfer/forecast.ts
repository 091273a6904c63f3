import { type Interval, z95 } from '../base/interval.ts'
import type { Depth, Evidence } from './decide.ts'

/** The validation accuracy that a training is expected to reach. */
export interface Forecast extends Interval {
  /** The middle of what is expected. */
  readonly value: number
}

/** The most doublings of the number of images that accuracies are extrapolated over. */
const maxDoublings = 2

/** How often a number of images doubles until it becomes another one. */
export function doublingsTo(images: number, learned: number): number {
  return Math.min(maxDoublings, Math.max(0, Math.log2(images / learned)))
}

/**
 * What a training of a new layer at this depth is expected to reach, with the default options. It
 * is measured on validation images, which had no part in the choice of the depth: the accuracy that
 * was the highest of several is too high (the winner's curse), and training images may be nearer to
 * each other, or to those of the pretraining, than to the validation images.
 */
export function forecastOf(depth: Depth, evidence: Evidence): Forecast | null {
  const { validation, validationOfHalf } = depth
  const { images, sampled, sampledValidation: seen, validation: all } = evidence
  if (validation === null || validationOfHalf === null) return null
  if (evidence.sampledClasses < evidence.classes) return null
  const [e, h] = [1 - validation, 1 - validationOfHalf]
  return null
}
