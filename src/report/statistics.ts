import { at } from '../base/at.ts'
import { type Share, wilson } from '../base/interval.ts'
import { type Outcome, predictedOf } from '../train/outcomes.ts'

/** −ln of the right class's probability, which is at least 1e-45, the smallest float32. */
export function lossOf({ sample, probabilities }: Outcome): number {
  return -Math.log(Math.max(at(probabilities, sample.label), 1e-45))
}

export interface Bin {
  readonly from: number
  readonly to: number
  readonly count: number
  /** Mean probability of the predicted class. */
  readonly confidence: number
  readonly accuracy: number
}

/**
 * How far confidence can be trusted: predictions in bins of equal width by their probability, and
 * the mean distance between confidence and accuracy, weighted by the bins' counts (expected
 * calibration error; Guo et al. 2017, arXiv:1706.04599).
 */
export function calibrationOf(
  outcomes: readonly Outcome[],
  count = 10,
): { readonly error: number; readonly bins: readonly Bin[] } {
  const sums = Array.from({ length: count }, () => ({ count: 0, confidence: 0, hits: 0 }))
  for (const outcome of outcomes) {
    const predicted = predictedOf(outcome)
    const confidence = at(outcome.probabilities, predicted)
    const bin = at(sums, Math.min(count - 1, Math.floor(confidence * count)))
    bin.count++
    bin.confidence += confidence
    bin.hits += Number(predicted === outcome.sample.label)
  }
  const bins = sums.flatMap(({ count: n, confidence, hits }, i) =>
    n === 0
      ? []
      : [
          {
            from: i / count,
            to: (i + 1) / count,
            count: n,
            confidence: confidence / n,
            accuracy: hits / n,
          },
        ],
  )
  const error = bins.reduce(
    (sum, bin) => sum + (bin.count / outcomes.length) * Math.abs(bin.confidence - bin.accuracy),
    0,
  )
  return { error, bins }
}

export interface ClassFigures {
  readonly name: string
  /** Images of this class. */
  readonly pictures: number
  /** Of the images taken for this class, how many are of it. */
  readonly precision: Share | null
  /** Of the images of this class, how many are found. */
  readonly recall: Share | null
}

/** Images counted by true class (rows) and predicted class (columns). */
export function confusionOf(outcomes: readonly Outcome[], classes: number): number[][] {
  const counts = Array.from({ length: classes }, () => new Array<number>(classes).fill(0))
  for (const outcome of outcomes) {
    const row = at(counts, outcome.sample.label)
    const predicted = predictedOf(outcome)
    row[predicted] = at(row, predicted) + 1
  }
  return counts
}

export function classFigures(
  names: readonly string[],
  confusion: readonly (readonly number[])[],
): ClassFigures[] {
  return names.map((name, c) => {
    const row = at(confusion, c)
    const hits = at(row, c)
    const pictures = row.reduce((a, b) => a + b, 0)
    const predicted = confusion.reduce((sum, counts) => sum + at(counts, c), 0)
    return { name, pictures, precision: wilson(hits, predicted), recall: wilson(hits, pictures) }
  })
}

/** What always naming the most common class of these images reaches. */
export function baselineOf(
  names: readonly string[],
  confusion: readonly (readonly number[])[],
): { readonly name: string; readonly share: number } {
  const counts = confusion.map((row) => row.reduce((a, b) => a + b, 0))
  const most = Math.max(...counts)
  return { name: at(names, counts.indexOf(most)), share: most / counts.reduce((a, b) => a + b, 0) }
}

/** A network that is right less often than this is no judge of labels. */
const trusted = 0.8

/**
 * The names of images whose label is likely wrong: a network that is right on most others gives
 * another class 95 % or more, and the label's less than 1 %.
 */
export function suspectsOf(outcomes: readonly Outcome[]): string[] {
  const wrong = outcomes.filter((outcome) => predictedOf(outcome) !== outcome.sample.label)
  if (1 - wrong.length / outcomes.length < trusted) return []
  return worstOf(wrong, wrong.length)
    .filter(
      ({ sample, probabilities }) =>
        Math.max(...probabilities) >= 0.95 && at(probabilities, sample.label) < 0.01,
    )
    .map(({ sample }) => sample.name)
}

/** Image counts by pair of true and predicted class where they differ, the most frequent first. */
export function mistakesOf(confusion: readonly (readonly number[])[]) {
  return confusion
    .flatMap((row, actual) => row.map((count, predicted) => ({ actual, predicted, count })))
    .filter(({ actual, predicted, count }) => actual !== predicted && count > 0)
    .sort((a, b) => b.count - a.count)
}

/** The outcomes with the largest losses, the largest first. */
export function worstOf(outcomes: readonly Outcome[], count: number): Outcome[] {
  return [...outcomes].sort((a, b) => lossOf(b) - lossOf(a)).slice(0, count)
}

/** An image that the network is wrong about, or unsure of, as the report shows it. */
export interface TopLoss {
  readonly name: string
  readonly actual: string
  readonly predicted: string
  /** Of the predicted class; `actualProbability` is of the right one. */
  readonly probability: number
  readonly actualProbability: number
  readonly loss: number
}

export function topLossOf(outcome: Outcome, classes: readonly string[]): TopLoss {
  const { sample, probabilities } = outcome
  const predicted = predictedOf(outcome)
  return {
    name: sample.name,
    actual: at(classes, sample.label),
    predicted: at(classes, predicted),
    probability: at(probabilities, predicted),
    actualProbability: at(probabilities, sample.label),
    loss: lossOf(outcome),
  }
}
