import { at } from '../../base/at.ts'

/** One step of a search for a learning rate. */
export interface RatePoint {
  readonly lr: number
  /** The batch's loss. */
  readonly loss: number
  /** Its exponential average, which the suggestions use. */
  readonly smoothed: number
}

/**
 * The points that the suggestions use: without the first tenth of the search and its last five
 * steps, as in fastai's lr_find.
 */
function middle(points: readonly RatePoint[], steps: number): readonly RatePoint[] {
  const kept = points.slice(Math.floor(steps / 10), -5)
  return kept.length > 1 ? kept : points
}

/**
 * The rate two thirds down the longest valley: the longest falling subsequence of the losses, gaps
 * allowed (fastai's `valley`).
 * @returns NaN without any points
 * @param steps of the whole search
 */
export function valley(points: readonly RatePoint[], steps: number): number {
  const kept = middle(points, steps)
  if (kept.length === 0) return Number.NaN
  // lengths[i]: points of the longest falling subsequence that ends with point i.
  const lengths = kept.map(() => 1)
  let [start, end] = [0, 0]
  for (let i = 1; i < kept.length; i++)
    for (let j = 0; j < i; j++) {
      if (at(kept, i).smoothed < at(kept, j).smoothed)
        lengths[i] = Math.max(at(lengths, i), at(lengths, j) + 1)
      if (at(lengths, end) < at(lengths, i)) {
        end = i
        start = end - at(lengths, end)
      }
    }
  const third = (end - start) / 3
  return at(kept, Math.max(0, start + Math.floor(third) + Math.floor(third / 2))).lr
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
  return best ? best.lr : Number.NaN
}
