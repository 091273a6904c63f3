import { type Interval, z95 } from '../base/interval.ts'
import type { Depth, Evidence } from './evidence.ts'

/** The validation accuracy that a training is expected to reach, with a 95 % interval. */
export interface Forecast extends Interval {
  readonly value: number
}

/** The most doublings of the number of images that accuracies are extrapolated over. */
const maxDoublings = 2

/** How often a number of images doubles until it becomes another one. */
export function doublingsTo(images: number, learned: number): number {
  return Math.min(maxDoublings, Math.max(0, Math.log2(images / learned)))
}

/**
 * How trainings of a new layer differ from the linear classifier that the forecast is made with, as
 * measured on many datasets (bench/forecasts.ts, bench/results/forecasts.md).
 */
const measured = {
  /** Steps in which the share of the way that is still to go falls to 1/e. */
  steps: 90,
  /** What share of its lead over guessing a training of no steps at all would lack. */
  lag: 0.35,
  /** Standard deviation from training to training: of long ones, and what short ones add. */
  spread: 0.02,
  lagSpread: 0.1,
  /** Variance from image to image, as a share of that of independent images. */
  disagreement: 0.7,
} as const

/**
 * What a training of a new layer at this depth reaches with the default options. Three things make
 * the cross-validated accuracy of the best depth too high, and are avoided: it is the highest of
 * several (the winner's curse), training images may be nearer to each other and to the pretraining
 * than validation images are, and a short training does not converge. So the forecast begins with
 * the accuracy on validation images, which had no part in choosing the depth, and takes off what a
 * training of that many steps lacks. Its interval holds the differences between trainings, those
 * between the two kinds of classifiers, half of what more images are expected to give, and the
 * choice of the validation images if not all were predicted.
 * @returns null without validation images, and where some classes are not in the sample
 */
export function forecastOf(depth: Depth, evidence: Evidence): Forecast | null {
  const { validation, validationOfHalf } = depth
  const { images, sampled, sampledValidation: seen, validation: all, steps, chance } = evidence
  if (validation === null || validationOfHalf === null || seen === 0) return null
  if (evidence.sampledClasses < evidence.classes) return null
  const [e, h] = [1 - validation, 1 - validationOfHalf]
  const withAll = e < h ? 1 - e * (e / h) ** doublingsTo(images, sampled) : validation
  const unfinished = Math.exp(-steps / measured.steps)
  const lead = Math.max(0, withAll - chance)
  const value = withAll - lead * measured.lag * unfinished
  // Moved toward one half like a count of a few images, so that a value of 1 has an interval too.
  const share = (value * all + 2) / (all + 4)
  const ofOneImage = share * (1 - share)
  const variance =
    (measured.disagreement * ofOneImage) / all +
    Math.max(0, ofOneImage / seen - ofOneImage / all) +
    measured.spread ** 2 +
    (measured.lagSpread * unfinished) ** 2 +
    ((withAll - validation) / 2) ** 2
  const half = z95 * Math.sqrt(variance)
  return { value, low: Math.max(0, value - half), high: Math.min(1, value + half) }
}
