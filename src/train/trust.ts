import { at } from '../base/at.ts'
import { probabilitiesOf } from './metrics.ts'
import type { LabeledReading, Reading } from './readings.ts'

/** From which point on a network's answer is not to be trusted. */
export interface Trust {
  /** What logits are divided by, so that a network that is 80 % sure is right 8 times in 10. */
  readonly temperature: number
  /** Below it, the highest probability is too low. */
  readonly minConfidence: number
  /** Above it, the image lies too far from all that the network was trained on. */
  readonly maxDistance: number
  /** The mean direction of each class's features; null where no image of it was read. */
  readonly centers: readonly (Float64Array | null)[]
  /** Images held out that the network is right about, which the two limits come from. */
  readonly judgedBy: number
}

/** Whether a network's answer can be trusted, and why. */
export interface Verdict {
  /** Whether the image is of a class that the network knows, as far as can be told. */
  readonly known: boolean
  /** The highest probability, after division by the temperature. */
  readonly confidence: number
  /** How far the image lies from those of the predicted class: 0 at their middle, at most 2. */
  readonly distance: number
}

/** The share of images held out, and classified right, that stay accepted. */
export const acceptedShare = 0.95
/** With fewer images that are classified right, nothing can be said. */
export const fewestJudged = 10
/** The temperatures that are tried. */
const temperatures = { from: 0.05, to: 20, steps: 60 }

/**
 * Finds out when an answer is not to be trusted. Temperature scaling (Guo et al. 2017,
 * arXiv:1706.04599) makes the highest probability mean what it says; the angle between an image's
 * features and their mean over the predicted class tells of images of another kind. The two limits
 * are set such that 95 of 100 images held out that the network is right about stay accepted.
 * @param trained readings of images that were trained on, for the classes' middles
 * @param heldOut readings of images that were not
 * @returns null where fewer than ten images held out are classified right
 * @example
 * const trust = trustOf(await readingsOf(model, data.train), await readingsOf(model, data.val))
 */
export function trustOf(
  trained: readonly LabeledReading[],
  heldOut: readonly LabeledReading[],
): Trust | null {
  const right = heldOut.filter(({ logits, sample }) => bestOf(logits) === sample.label)
  if (right.length < fewestJudged) return null
  const temperature = temperatureOf(heldOut)
  const centers = centersOf(trained)
  const confidences = right.map(({ logits }) => confidenceOf(logits, temperature))
  const distances = right.map((reading) => distanceOf(centers, reading))
  const [sure, near] = [ranked(confidences), ranked(distances)]
  // Both limits give up the same number of images; the most for which enough are still accepted.
  let limits = { minConfidence: at(sure, 0), maxDistance: at(near, near.length - 1) }
  for (let given = 0; given < right.length; given++) {
    const tried = { minConfidence: at(sure, given), maxDistance: at(near, near.length - 1 - given) }
    const accepted = right.filter(
      (_, i) => at(confidences, i) >= tried.minConfidence && at(distances, i) <= tried.maxDistance,
    )
    if (accepted.length < acceptedShare * right.length) break
    limits = tried
  }
  return { temperature, ...limits, centers, judgedBy: right.length }
}

/** Judges one answer. */
export function verdictOf(
  { temperature, minConfidence, maxDistance, centers }: Trust,
  reading: Reading,
): Verdict {
  const confidence = confidenceOf(reading.logits, temperature)
  const distance = distanceOf(centers, reading)
  return { known: confidence >= minConfidence && distance <= maxDistance, confidence, distance }
}

/** The probabilities after division by the temperature. */
export function temperedProbabilities(logits: Float32Array, temperature: number): Float64Array {
  return probabilitiesOf(
    logits.map((value) => value / temperature),
    0,
    logits.length,
  )
}

/** How an answer is judged, in a sentence. */
export function describeTrust({ minConfidence, judgedBy }: Trust): string {
  return (
    `“None of these” is said where the answer is less than ${Math.round(100 * minConfidence)} % ` +
    'sure, or where the image looks too unlike those of its class; both limits are ' +
    `set so that 95 of 100 images held out stay accepted (judged by the ${judgedBy} that it is ` +
    'right about).'
  )
}

const confidenceOf = (logits: Float32Array, temperature: number) =>
  Math.max(...temperedProbabilities(logits, temperature))

const bestOf = (logits: Float32Array) => logits.indexOf(Math.max(...logits))

const ranked = (values: readonly number[]) => [...values].sort((a, b) => a - b)

/** The temperature with the lowest mean cross-entropy, of a logarithmic scale. */
function temperatureOf(heldOut: readonly LabeledReading[]): number {
  const { from, to, steps } = temperatures
  let best = { temperature: 1, loss: Number.POSITIVE_INFINITY }
  for (let i = 0; i <= steps; i++) {
    const temperature = from * (to / from) ** (i / steps)
    const loss = heldOut.reduce((sum, { logits, sample }) => {
      const right = at(temperedProbabilities(logits, temperature), sample.label)
      return sum - Math.log(Math.max(right, 1e-12))
    }, 0)
    if (loss < best.loss) best = { temperature, loss }
  }
  return best.temperature
}

/** The mean direction of each class's features. */
function centersOf(trained: readonly LabeledReading[]): (Float64Array | null)[] {
  const classes = trained[0]?.logits.length ?? 0
  const sums: (Float64Array | null)[] = Array.from({ length: classes }, () => null)
  for (const { features, sample } of trained) {
    const direction = normalized(features)
    const sum = sums[sample.label] ?? new Float64Array(direction.length)
    for (const [i, value] of direction.entries()) sum[i] = at(sum, i) + value
    sums[sample.label] = sum
  }
  return sums.map((sum) => sum && normalized(sum))
}

/** Half the squared distance of two directions, 1 − cos of their angle, to the predicted class. */
function distanceOf(centers: Trust['centers'], { logits, features }: Reading): number {
  const center = at(centers, bestOf(logits))
  if (!center) return 2
  const direction = normalized(features)
  return 1 - center.reduce((sum, value, i) => sum + value * at(direction, i), 0)
}

/** A vector of length 1; zeros stay zeros. */
function normalized(vector: ArrayLike<number>): Float64Array {
  const values = Float64Array.from(vector)
  const length = Math.hypot(...values)
  return length === 0 ? values : values.map((value) => value / length)
}
