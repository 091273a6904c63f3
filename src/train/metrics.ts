import { at } from '../base/at.ts'

/** Precision and recall of one class; null if it was never predicted, or has no images. */
export interface ClassResult {
  readonly name: string
  readonly count: number
  readonly precision: number | null
  readonly recall: number | null
}

/** How well a network does on a set of images. */
export interface Evaluation {
  /** Mean cross-entropy. */
  readonly loss: number
  /** Share of images whose most likely class is the right one, in 0..1. */
  readonly accuracy: number
  /** Share of images whose right class is among the five most likely. */
  readonly top5: number
  /** Images counted by true class (rows) and predicted class (columns). */
  readonly confusion: readonly (readonly number[])[]
  readonly perClass: readonly ClassResult[]
  readonly count: number
}

/** The classes of one row of logits or probabilities, most likely first; ties keep their order. */
export function mostLikely(row: Float32Array | Float64Array): number[] {
  return Array.from(row.keys()).sort((a, b) => at(row, b) - at(row, a))
}

/** The index of the largest logit of a row, the first one in a tie. */
function argmax(logits: Float32Array, row: number, classes: number): number {
  let best = 0
  for (let c = 1; c < classes; c++)
    if (at(logits, row * classes + c) > at(logits, row * classes + best)) best = c
  return best
}

/** log Σ exp(value), without overflow. */
function logSumExp(values: Float64Array): number {
  const highest = values.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY)
  if (highest === Number.NEGATIVE_INFINITY) return highest
  return highest + Math.log(values.reduce((sum, value) => sum + Math.exp(value - highest), 0))
}

/** The logarithms of one image's probabilities: the mean over its `views` rows of logits. */
function logProbabilitiesOf(
  logits: Float32Array,
  image: number,
  classes: number,
  views: number,
): Float64Array {
  const rows = Array.from({ length: views }, (_, view) => {
    const start = (image * views + view) * classes
    const row = Float64Array.from(logits.subarray(start, start + classes))
    const all = logSumExp(row)
    return row.map((value) => value - all)
  })
  return Float64Array.from(
    { length: classes },
    (_, c) => logSumExp(Float64Array.from(rows, (row) => at(row, c))) - Math.log(views),
  )
}

/** The probabilities of one image: the mean over its `views` rows of logits. */
export function probabilitiesOf(
  logits: Float32Array,
  image: number,
  classes: number,
  views = 1,
): Float64Array {
  return logProbabilitiesOf(logits, image, classes, views).map(Math.exp)
}

/**
 * Averages logits of shape [N · views, classes] to [N, classes]: the logarithms of the mean
 * probabilities, and their mean cross-entropy.
 */
export function averageViews(
  logits: Float32Array,
  targets: Int32Array,
  classes: number,
  views: number,
): { readonly loss: number; readonly logits: Float32Array } {
  const averaged = new Float32Array(targets.length * classes)
  let loss = 0
  for (const [i, target] of targets.entries()) {
    const row = logProbabilitiesOf(logits, i, classes, views)
    averaged.set(row, i * classes)
    loss -= at(row, target) / targets.length
  }
  return { loss, logits: averaged }
}

/** How many rows of [N, classes] logits have their largest value at the target. */
export function countCorrect(logits: Float32Array, targets: Int32Array): number {
  const classes = logits.length / targets.length
  return targets.reduce(
    (sum, target, row) => sum + Number(argmax(logits, row, classes) === target),
    0,
  )
}

/** Adds up an evaluation batch by batch. */
export class EvaluationCounter {
  readonly #names: readonly string[]
  readonly #confusion: number[][]
  #lossSum = 0
  #top5 = 0
  #count = 0

  constructor(names: readonly string[]) {
    this.#names = names
    this.#confusion = names.map(() => names.map(() => 0))
  }

  /** @param loss the batch's mean loss */
  add(loss: number, logits: Float32Array, targets: Int32Array): void {
    const classes = this.#names.length
    for (const [row, target] of targets.entries()) {
      const order = mostLikely(logits.subarray(row * classes, (row + 1) * classes))
      const counts = at(this.#confusion, target)
      const predicted = at(order, 0)
      counts[predicted] = at(counts, predicted) + 1
      this.#top5 += Number(order.slice(0, 5).includes(target))
    }
    this.#lossSum += loss * targets.length
    this.#count += targets.length
  }

  result(): Evaluation {
    const confusion = this.#confusion
    const perClass = this.#names.map((name, c) => {
      const row = at(confusion, c)
      const count = row.reduce((sum, n) => sum + n, 0)
      const predicted = confusion.reduce((sum, counts) => sum + at(counts, c), 0)
      const correct = at(row, c)
      return {
        name,
        count,
        precision: predicted ? correct / predicted : null,
        recall: count ? correct / count : null,
      }
    })
    const n = Math.max(1, this.#count)
    return {
      loss: this.#lossSum / n,
      accuracy: confusion.reduce((sum, row, c) => sum + at(row, c), 0) / n,
      top5: this.#top5 / n,
      confusion,
      perClass,
      count: this.#count,
    }
  }
}
