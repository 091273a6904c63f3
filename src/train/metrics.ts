/** Precision and recall of one class; null where nothing was predicted, or nothing was there. */
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
  /** Share of images whose likeliest class is the right one, in 0..1. */
  readonly accuracy: number
  /** Share of images whose right class is among the five likeliest. */
  readonly top5: number
  /** Images counted by true class (rows) and predicted class (columns). */
  readonly confusion: readonly (readonly number[])[]
  readonly perClass: readonly ClassResult[]
  readonly count: number
}

/**
 * Classes by one row of their logits or probabilities, likeliest first; equals keep their order.
 */
export function mostLikely(row: Float32Array | Float64Array): number[] {
  return Array.from(row.keys()).sort((a, b) => (row[b] ?? 0) - (row[a] ?? 0))
}

/** The index of the largest logit of a row, the first of equals. */
function argmax(logits: Float32Array, row: number, classes: number): number {
  let best = 0
  for (let c = 1; c < classes; c++)
    if ((logits[row * classes + c] ?? 0) > (logits[row * classes + best] ?? 0)) best = c
  return best
}

/** log Σ exp(value), without overflow, and finite however far apart the values are. */
function logSumExp(values: Float64Array): number {
  const highest = values.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY)
  if (highest === Number.NEGATIVE_INFINITY) return highest
  return highest + Math.log(values.reduce((sum, value) => sum + Math.exp(value - highest), 0))
}

/** The logarithms of one target's probabilities, each the mean over its `views` rows of logits. */
function logProbabilitiesOf(
  logits: Float32Array,
  target: number,
  classes: number,
  views: number,
): Float64Array {
  const rows = Array.from({ length: views }, (_, view) => {
    const start = (target * views + view) * classes
    const row = Float64Array.from(logits.subarray(start, start + classes))
    const all = logSumExp(row)
    return row.map((value) => value - all)
  })
  return Float64Array.from(
    { length: classes },
    (_, c) => logSumExp(Float64Array.from(rows, (row) => row[c] ?? Number.NaN)) - Math.log(views),
  )
}

/** The probabilities of one target: the mean over its `views` rows of logits. */
export function probabilitiesOf(
  logits: Float32Array,
  target: number,
  classes: number,
  views = 1,
): Float64Array {
  return logProbabilitiesOf(logits, target, classes, views).map(Math.exp)
}

/**
 * Logits [N · views, classes] as [N, classes]: the logarithms of the mean probabilities, and the
 * mean cross-entropy they give.
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
    loss -= (row[target] ?? Number.NaN) / targets.length
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

/** Gathers an evaluation batch by batch. */
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
      const counts = this.#confusion[target]
      const predicted = order[0] ?? 0
      if (counts) counts[predicted] = (counts[predicted] ?? 0) + 1
      this.#top5 += Number(order.slice(0, 5).includes(target))
    }
    this.#lossSum += loss * targets.length
    this.#count += targets.length
  }

  result(): Evaluation {
    const confusion = this.#confusion
    const right = this.#names.map((_, c) => confusion[c]?.[c] ?? 0)
    const perClass = this.#names.map((name, c) => {
      const count = (confusion[c] ?? []).reduce((sum, n) => sum + n, 0)
      const predicted = confusion.reduce((sum, row) => sum + (row[c] ?? 0), 0)
      const hits = right[c] ?? 0
      return {
        name,
        count,
        precision: predicted ? hits / predicted : null,
        recall: count ? hits / count : null,
      }
    })
    const n = Math.max(1, this.#count)
    return {
      loss: this.#lossSum / n,
      accuracy: right.reduce((sum, hits) => sum + hits, 0) / n,
      top5: this.#top5 / n,
      confusion,
      perClass,
      count: this.#count,
    }
  }
}
