import { at } from '../base/at.ts'
import { probabilitiesOf } from './metrics.ts'
import type { LabeledReading, Reading } from './readings.ts'

/** What an image is compared by: channel means of the convolutions, and the last layer's input. */
export const aspects = ['look', 'features'] as const
type Aspect = (typeof aspects)[number]

/** What tells images of the known classes from all others. `learnTrust` makes it. */
export interface Trust {
  /** What logits are divided by, so that a network that is 80 % sure is right 8 times in 10. */
  readonly temperature: number
  /** For each class and aspect the mean direction; null where no image of the class was read. */
  readonly centers: readonly (Readonly<Record<Aspect, Int8Array>> | null)[]
  /** For each aspect the mean distance of images of the classes, and the standard deviation. */
  readonly scales: Readonly<Record<Aspect, { readonly mean: number; readonly deviation: number }>>
  /** How far images of the classes lie out, from the nearest to the farthest. */
  readonly distances: readonly number[]
}

/** Whether an image is of a class that the network knows. */
export interface Verdict {
  /** Whether it is, as far as can be told; if not, the answer is “none of these”. */
  readonly known: boolean
  /** The share of images of the known classes that lie at least as far out, from 0 to 1. */
  readonly typical: number
}

/** The share of images of the known classes that are refused by mistake, at most. */
export const defaultRefused = 0.05

/** How many images it takes to refuse at most that share of them. */
export const fewestFor = (refused: number) => Math.ceil(1 / refused) - 1

/**
 * Finds out when an image is of none of the classes. Every image has two distances to the nearest
 * class: that of its look (the means of all channels of all convolutions) and that of its features
 * (what the last layer reads), each 1 − the cosine to the class's mean. Both are put on one scale
 * and added. A new image is refused if at most the share `refused` of the images of the classes lie
 * as far out as it does, itself counted: then at most that share of new images of these classes are
 * refused, on average (conformal prediction, Vovk et al. 2005).
 *
 * The images that decide are those held out. Where everything before the last layer is frozen, the
 * images that were trained on decide, too, each compared with means that leave it out.
 * bench/strangers.ts compares this rule with others.
 * @param frozen whether the layers before the last one have not learned from `trained`
 * @returns null where there are too few images to refuse one in twenty
 */
export function trustOf(
  trained: readonly LabeledReading[],
  heldOut: readonly LabeledReading[],
  frozen: boolean,
): Trust | null {
  const sums = sumsOf(trained)
  const centers = sums.map(
    (sum) => sum && { look: quantized(sum.look), features: quantized(sum.features) },
  )
  const nearest = (reading: Reading) => nearestOf(centers.map(directionsOf), reading)
  const judges = [
    ...heldOut.map(nearest),
    ...(frozen ? trained.map((reading) => nearestOf(without(sums, reading), reading)) : []),
  ]
  if (judges.length < fewestFor(defaultRefused)) return null
  const scales = { look: scaleOf(judges, 'look'), features: scaleOf(judges, 'features') }
  const distances = judges.map((one) => combined(scales, one)).sort((a, b) => a - b)
  return { temperature: temperatureOf(heldOut), centers, scales, distances }
}

/**
 * Judges one image.
 * @param refused the share of images of the known classes that may be refused; 0 refuses none
 */
export function verdictOf(trust: Trust, reading: Reading, refused = defaultRefused): Verdict {
  const { distances } = trust
  const distance = distancesOf(trust, reading).combined
  const nearer = distances.findIndex((one) => one >= distance)
  const farther = nearer < 0 ? 0 : distances.length - nearer
  const typical = (1 + farther) / (1 + distances.length)
  return { known: typical > refused, typical }
}

/** How far an image lies from the nearest class: by each aspect, and both together. */
export function distancesOf({ centers, scales }: Trust, reading: Reading) {
  const distances = nearestOf(centers.map(directionsOf), reading)
  return { ...distances, combined: combined(scales, distances) }
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
export function describeTrust(trust: Trust | null): string {
  if (trust)
    return (
      '“None of these” is said where an image looks less like any class than ' +
      `${Math.round(100 * (1 - defaultRefused))} in 100 images of these classes do (judged by ` +
      `${trust.distances.length} images).`
    )
  return (
    `“None of these” is never said: it takes ${fewestFor(defaultRefused)} images to judge that. ` +
    'Add images.'
  )
}

type Directions = Readonly<Record<Aspect, Float64Array>>
type Distances = Readonly<Record<Aspect, number>>

/** For each class the sum of the directions of its images. */
function sumsOf(trained: readonly LabeledReading[]): (Directions | null)[] {
  const classes = trained[0]?.logits.length ?? 0
  const sums: (Directions | null)[] = Array.from({ length: classes }, () => null)
  for (const reading of trained) {
    const { label } = reading.sample
    const one = normalizedOf(reading)
    const sum = at(sums, label)
    sums[label] = sum ? mapped((aspect) => plus(sum[aspect], one[aspect], 1)) : one
  }
  return sums
}

/** The sums without an image that is part of them. */
function without(
  sums: readonly (Directions | null)[],
  reading: LabeledReading,
): (Directions | null)[] {
  const own = normalizedOf(reading)
  return sums.map((sum, label) => {
    if (!sum || label !== reading.sample.label) return sum
    const rest = mapped((aspect) => plus(sum[aspect], own[aspect], -1))
    // The only image of its class leaves rounding errors.
    return Math.hypot(...rest.features) > 1e-6 ? rest : null
  })
}

/** For each aspect the distance to the nearest class, 0 to 2. */
function nearestOf(classes: readonly (Directions | null)[], reading: Reading): Distances {
  const own = normalizedOf(reading)
  const present = classes.filter((one) => one !== null)
  return {
    look: Math.min(2, ...present.map(({ look }) => 1 - cosine(look, own.look))),
    features: Math.min(2, ...present.map(({ features }) => 1 - cosine(features, own.features))),
  }
}

function scaleOf(all: readonly Distances[], aspect: Aspect) {
  const mean = all.reduce((sum, one) => sum + one[aspect], 0) / all.length
  const variance = all.reduce((sum, one) => sum + (one[aspect] - mean) ** 2, 0) / all.length
  return { mean, deviation: Math.sqrt(variance) || 1 }
}

function combined(scales: Trust['scales'], distances: Distances): number {
  return aspects.reduce((sum, aspect) => {
    const { mean, deviation } = scales[aspect]
    return sum + (distances[aspect] - mean) / deviation
  }, 0)
}

const mapped = (of: (aspect: Aspect) => Float64Array): Directions => ({
  look: of('look'),
  features: of('features'),
})

const normalizedOf = (reading: Reading) => mapped((aspect) => normalized(reading[aspect]))

/** What was kept of a class, as directions; computed once for each. */
const kept = new WeakMap<object, Directions>()
function directionsOf(center: Trust['centers'][number]): Directions | null {
  if (!center) return null
  const directions = kept.get(center) ?? mapped((aspect) => normalized(center[aspect]))
  kept.set(center, directions)
  return directions
}

/** A direction in whole numbers from -127 to 127, which is all that a cosine needs. */
function quantized(direction: Float64Array): Int8Array {
  const most = direction.reduce((max, value) => Math.max(max, Math.abs(value)), 0) || 1
  return Int8Array.from(direction, (value) => Math.round((127 * value) / most))
}

const plus = (a: Float64Array, b: Float64Array, factor: number) =>
  a.map((value, i) => value + factor * at(b, i))

/** The cosine of two directions, of which the second has length 1. */
function cosine(a: Float64Array, b: Float64Array): number {
  let [product, square] = [0, 0]
  for (const [i, value] of a.entries()) {
    product += value * at(b, i)
    square += value * value
  }
  return square === 0 ? 0 : product / Math.sqrt(square)
}

/** A vector of length 1; zeros stay zeros. */
function normalized(vector: ArrayLike<number>): Float64Array {
  const values = Float64Array.from(vector)
  const length = Math.sqrt(values.reduce((sum, value) => sum + value * value, 0))
  return length === 0 ? values : values.map((value) => value / length)
}

/** The temperatures that are tried. */
const temperatures = { from: 0.05, to: 20, steps: 60 }

/**
 * The temperature with the lowest mean cross-entropy, of a logarithmic scale (Guo et al. 2017,
 * arXiv:1706.04599): divided by it, the highest probability means what it says.
 */
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
