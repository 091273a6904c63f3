import type { Difference, Interval } from '../base/interval.ts'

/** How well a linear classifier predicts the classes from the output of one layer. */
export interface Depth {
  /** The layer whose output was probed. */
  readonly layer: string
  /** Whether it is among the convolutions, at their end, or among the FC layers. */
  readonly part: 'early' | 'last features' | 'hidden FC' | 'last hidden FC'
  /** Number of features of one image there. */
  readonly features: number
  /** Share of the sample predicted rightly by classifiers trained on the other folds, in 0..1. */
  readonly accuracy: number
  /** Its 95 % interval. */
  readonly interval: Interval
  /**
   * The accuracy of a classifier trained on all images, if errors keep falling as they do from
   * half of the sample to all of it. Depths are compared by it. The best one's is too high,
   * because it is the highest of several: `forecast` is what to expect.
   */
  readonly expected: number
  /**
   * The best depth's `expected` less this one's, with a 95 % interval from the images on which the
   * two disagree. A tie if the interval contains 0.
   */
  readonly behind: Difference
  /**
   * Share of the validation images predicted rightly by a classifier trained on the whole sample,
   * and by classifiers trained on half of it. Null if there are no validation images.
   */
  readonly validation: number | null
  readonly validationOfHalf: number | null
}

/** The measurements that a choice is based on. */
export interface Evidence {
  /** Number of training images. */
  readonly images: number
  readonly classes: number
  /** Whether the probed weights were trained. */
  readonly pretrained: boolean
  /** Number of images probed, and of their classes: 0 where there are too few to measure. */
  readonly sampled: number
  readonly sampledClasses: number
  readonly folds: number
  /** The share of the most common class in the sample: an accuracy that needs no features. */
  readonly chance: number
  /** Number of validation images, and how many of them the classifiers predicted. */
  readonly validation: number
  readonly sampledValidation: number
  /** Steps of a training on all images with the default options. */
  readonly steps: number
  /** Shallowest first. */
  readonly depths: readonly Depth[]
  /**
   * Seconds of the probe, and of that the part spent reading the sample and running the network.
   */
  readonly seconds: number
  readonly readSeconds: number
  readonly seed: number
}

/** Seconds an image took in the probe, with reading it; null without a probe. */
export function secondsAnImage(evidence: Evidence): number | null {
  const read = evidence.sampled + evidence.sampledValidation
  return read > 0 ? evidence.readSeconds / read : null
}
