/** One step of a search for a learning rate. */
export interface RatePoint {
  readonly lr: number
  /** The batch's loss. */
  readonly loss: number
  /** Its exponential average, as suggestions read it. */
  readonly smoothed: number
}

/**
 * What the suggestions look at: the first tenth of the search and its last five steps say little
 * (as fastai's lr_find).
 */
function middle(points: readonly RatePoint[], steps: number): readonly RatePoint[] {
  const kept = points.slice(Math.floor(steps / 10), -5)
  return kept.length > 1 ? kept : points
}

/**
 * The rate two thirds down the longest valley: the longest run of ever smaller losses, with gaps
 * (fastai's `valley`).
 * @param steps of the whole search
 */
export function valley(points: readonly RatePoint[], steps: number): number {
  const kept = middle(points, steps)
  // lengths[i]: points of the longest falling subsequence that ends with point i.
  const lengths = kept.map(() => 1)
  let [start, end] = [0, 0]
  for (let i = 1; i < kept.length; i++)
    for (let j = 0; j < i; j++) {
      if ((kept[i]?.smoothed ?? 0) < (kept[j]?.smoothed ?? 0))
        lengths[i] = Math.max(lengths[i] ?? 1, (lengths[j] ?? 1) + 1)
      if ((lengths[end] ?? 1) < (lengths[i] ?? 1)) {
        end = i
        start = end - (lengths[end] ?? 1)
      }
    }
  const third = (end - start) / 3
  return kept[Math.max(0, start + Math.floor(third) + Math.floor(third / 2))]?.lr ?? Number.NaN
}

/** The rate at which the loss falls fastest, over the logarithm of the rate (fastai's `steep`). */
export function steepest(points: readonly RatePoint[], steps: number): number {
  const kept = middle(points, steps)
  let [best, lowest] = [kept[0], Number.POSITIVE_INFINITY]
  for (const [i, point] of kept.entries()) {
    const next = kept[i + 1]
    if (!next) break
    const slope = (next.smoothed - point.smoothed) / Math.log(next.lr / point.lr)
    if (slope < lowest) [best, lowest] = [point, slope]
  }
  return best?.lr ?? Number.NaN
}
