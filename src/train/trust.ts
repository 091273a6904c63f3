import { at } from '../base/at.ts'
import { probabilitiesOf } from './metrics.ts'
import type { LabeledReading, Reading } from './readings.ts'
import { outsideness, type Spread, spreadOf } from './spread.ts'

/** What an image is compared by: channel means of the convolutions, and the last layer's input. */
export const aspects = ['look', 'features'] as const
type Aspect = (typeof aspects)[number]
/** How much each counts: bench/strangers.ts has less to say for equal weights. */
const weights = { look: 2, features: 1 } as const

/** What tells images like those of the known classes from all others. `learnTrust` makes it. */
export interface Trust {
  /** What logits are divided by, so that a network that is 80 % sure is right 8 times in 10. */
  readonly temperature: number
  /** For each aspect where the images of each class lie that were trained on. */
  readonly spreads: Readonly<Record<Aspect, Spread>>
  /** For each aspect how far images of the classes lie outside, and its standard deviation. */
  readonly scales: Readonly<Record<Aspect, { readonly mean: number; readonly deviation: number }>>
  /** How far images of the classes lie outside by both, from the nearest to the farthest. */
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

/** How many images that were trained on say where their kind lies, at least. */
const fewestTrained = 3

/** How many images it takes to refuse at most that share of them. */
export const fewestFor = (refused: number) => Math.ceil(1 / refused) - 1

/** Parts that images are divided into, each judged by what the others teach. */
const folds = 5

/**
 * Finds out when an image is of none of the classes. Where the images lie that were trained on is
 * measured by two aspects: their look (the means of all channels of all convolutions) and their
 * features (what the last layer reads). How far outside a new image lies is put on one scale for
 * both, and added; the look counts twice. It is refused if at most the share `refused` of the
 * images of the classes lie as far out as it does, itself counted: then at most that share of new
 * images of these classes are refused, on average (conformal prediction, Vovk et al. 2005).
 *
 * The images that decide are those held out. Where everything before the last layer is frozen, the
 * images that were trained on decide, too, each judged by what four fifths of the others teach.
 * bench/strangers.ts compares this rule with others.
 * @param frozen whether the layers before the last one have not learned from `trained`
 * @returns null where there are too few images to refuse one in twenty
 */
export function trustOf(
  trained: readonly LabeledReading[],
  heldOut: readonly LabeledReading[],
  frozen: boolean,
): Trust | null {
  const judges = heldOut.length + (frozen ? trained.length : 0)
  if (judges < fewestFor(defaultRefused) || trained.length < fewestTrained) return null
  const spreads = spreadsOf(trained)
  const outside = [
    ...heldOut.map((reading) => outsideOf(spreads, reading)),
    ...(frozen ? crossJudged(trained) : []),
  ]
  const scales = { look: scaleOf(outside, 'look'), features: scaleOf(outside, 'features') }
  const distances = outside.map((one) => combined(scales, one)).sort((a, b) => a - b)
  return { temperature: temperatureOf(heldOut), spreads, scales, distances }
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

/** How far outside an image lies: by each aspect, and by both together. */
export function distancesOf({ spreads, scales }: Trust, reading: Reading) {
  const outside = outsideOf(spreads, reading)
  return { ...outside, combined: combined(scales, outside) }
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

type Spreads = Trust['spreads']
type Outside = Readonly<Record<Aspect, number>>

function spreadsOf(trained: readonly LabeledReading[]): Spreads {
  const classes = at(trained, 0).logits.length
  const of = (aspect: Aspect) =>
    spreadOf(
      trained.map((reading) => ({ label: reading.sample.label, values: reading[aspect] })),
      classes,
    )
  return { look: of('look'), features: of('features') }
}

const outsideOf = (spreads: Spreads, reading: Reading): Outside => ({
  look: outsideness(spreads.look, reading.look),
  features: outsideness(spreads.features, reading.features),
})

/** How far outside each image lies of where those of the other parts do. */
function crossJudged(trained: readonly LabeledReading[]): Outside[] {
  // Every part has images of all classes.
  const counts = new Map<number, number>()
  const parts = trained.map(({ sample: { label } }) => {
    const before = counts.get(label) ?? label
    counts.set(label, before + 1)
    return before % folds
  })
  return Array.from({ length: folds }, (_, fold) => {
    const spreads = spreadsOf(trained.filter((_, i) => parts[i] !== fold))
    return trained.filter((_, i) => parts[i] === fold).map((reading) => outsideOf(spreads, reading))
  }).flat()
}

function scaleOf(all: readonly Outside[], aspect: Aspect) {
  const mean = all.reduce((sum, one) => sum + one[aspect], 0) / all.length
  const variance = all.reduce((sum, one) => sum + (one[aspect] - mean) ** 2, 0) / all.length
  return { mean, deviation: Math.sqrt(variance) || 1 }
}

function combined(scales: Trust['scales'], outside: Outside): number {
  return aspects.reduce((sum, aspect) => {
    const { mean, deviation } = scales[aspect]
    return sum + (weights[aspect] * (outside[aspect] - mean)) / deviation
  }, 0)
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
