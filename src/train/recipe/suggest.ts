import { at } from '../../base/at.ts'

/** One step of a search for a learning rate. */
export interface RatePoint {
  readonly lr: number
  /** The batch's loss. */
  readonly loss: number
  /** Its exponential average, which fastai's rules use. */
  readonly smoothed: number
}

/** A learning rate to train with, and the part of the search that it comes from. */
export interface RateSuggestion {
  /**
   * The rate at which the loss has done nine tenths of its way down. Null if it never falls by more
   * than batches differ.
   */
  readonly rate: number | null
  /** The first point of the fall, and the lowest one. Those before and after are not used. */
  readonly fall: { readonly start: number; readonly end: number } | null
  /**
   * The losses that the suggestion was read from, one for each point: limited to as far above the
   * first ones as the lowest is below, and smoothed to both sides.
   */
  readonly trend: readonly number[]
}

/**
 * The share of the fall that is done at the suggested rate. Chosen by trained accuracy, of several
 * rules: bench/results/learning-rates.md.
 */
const done = 0.9
/** Standard deviation of the smoothing Gaussian, as a share of the search's steps. */
const width = 0.03
/** How many times its own uncertainty a fall has to be. */
const least = 4
/** The fewest points before the lowest one that a fall can have. */
const fewest = 5

/**
 * Suggests a learning rate: the one at which the loss has done nine tenths of its fall, from where
 * it starts to its lowest.
 *
 * Rules that look for the longest or steepest fall of an exponential average are misled: the
 * average begins with single batches, so that it falls or rises while nothing is learned yet, and
 * it lags behind. Here the loss is smoothed to both sides, and a loss that diverges or a spike at
 * the start counts as a limited one, or it would hide what is beside it. The level that the loss
 * starts from is the median of the first third before its lowest, which a few odd losses do not
 * move, and a fall counts only if it is larger than what single batches differ by.
 * @param share of the fall that is done at the rate
 */
export function suggestRate(
  points: readonly RatePoint[],
  steps: number,
  share = done,
): RateSuggestion {
  const all = points.map(({ loss }) => loss)
  if (all.length < fewest) return { rate: null, fall: null, trend: all }
  const first = startOf(all, all.length)
  const highest = 2 * first - Math.min(...all)
  const losses = all.map((loss) => Math.min(loss, highest))
  const spread = Math.max(1, width * steps)
  const trend = smoothed(losses, spread)
  const lowest = trend.indexOf(Math.min(...trend))
  if (lowest < fewest) return { rate: null, fall: null, trend }
  const level = startOf(losses, lowest)
  const depth = level - at(trend, lowest)
  const before = trend.slice(0, lowest + 1)
  // 1.4826 median deviations are a standard deviation, and 2 √π spread points are averaged.
  const noise = 1.4826 * medianOf(before.map((value, i) => Math.abs(at(losses, i) - value)))
  if (!(depth > (least * noise) / Math.sqrt(2 * Math.sqrt(Math.PI) * spread)))
    return { rate: null, fall: null, trend }
  const lastAbove = (part: number) => before.findLastIndex((value) => value >= level - part * depth)
  // Single batches may lift the loss again, once it is down: the first time counts.
  const half = Math.max(0, lastAbove(0.5))
  const rest = before.slice(half).findIndex((value) => value <= level - share * depth)
  const fall = { start: Math.max(0, lastAbove(0.05)), end: lowest }
  return { rate: at(points, half + rest).lr, fall, trend }
}

/** Where the loss starts: the median of the first third of some points. */
function startOf(losses: readonly number[], points: number): number {
  return medianOf(losses.slice(0, Math.max(fewest, Math.floor(points / 3))))
}

/** Averages with a Gaussian's weights, of the points that there are. */
function smoothed(values: readonly number[], spread: number): number[] {
  return values.map((_, center) => {
    let [sum, mass] = [0, 0]
    for (const [i, value] of values.entries()) {
      const weight = Math.exp(-(((i - center) / spread) ** 2) / 2)
      sum += weight * value
      mass += weight
    }
    return sum / mass
  })
}

function medianOf(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  return (
    (at(sorted, Math.floor((sorted.length - 1) / 2)) + at(sorted, Math.floor(sorted.length / 2))) /
    2
  )
}

/**
 * The points that fastai's suggestions use: without the first tenth of the search and its last five
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
