/** What a sweep compares: trainings with several seeds for each choice of options. */

/** One choice of options, and how its trainings ended. */
export interface SweepRow {
  /** The values, in the order of the options. */
  readonly values: readonly string[]
  readonly accuracies: readonly number[]
  /** Of the accuracies. */
  readonly mean: number
  /** Their standard deviation, with n - 1; null for a single one. */
  readonly deviation: number | null
  /** Trainings that failed. */
  readonly failed: number
}

export interface Sweep {
  /** The options that differ, as on the command line. */
  readonly options: readonly string[]
  readonly seeds: number
  readonly rows: readonly SweepRow[]
}

/** The mean and the deviation of some accuracies. */
export function sweepRow(
  values: readonly string[],
  accuracies: readonly number[],
  failed: number,
): SweepRow {
  const count = accuracies.length
  const mean = count ? accuracies.reduce((a, b) => a + b, 0) / count : Number.NaN
  const squares = accuracies.reduce((sum, one) => sum + (one - mean) ** 2, 0)
  const deviation = count > 1 ? Math.sqrt(squares / (count - 1)) : null
  return { values, accuracies, mean, deviation, failed }
}

/** The position of the row with the highest mean; null where no training ended. */
export function bestRow({ rows }: Sweep): number | null {
  let best: number | null = null
  let highest = Number.NEGATIVE_INFINITY
  for (const [i, { mean }] of rows.entries())
    if (mean > highest) {
      highest = mean
      best = i
    }
  return best
}
