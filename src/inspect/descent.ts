/** Gradient descent on one weight, by the update rule that Graft trains with. */
import { sgd } from '../reference/optimizers.ts'

/** A loss that depends on one weight. */
export interface Landscape {
  readonly name: string
  readonly loss: (weight: number) => number
  readonly slope: (weight: number) => number
  readonly start: number
  /** The part of the axis to draw. */
  readonly domain: readonly [number, number]
}

export const landscapes: readonly Landscape[] = [
  {
    name: 'one valley',
    loss: (w) => (w * w) / 2,
    slope: (w) => w,
    start: -2.6,
    domain: [-3, 3],
  },
  {
    name: 'two valleys, the left one too high',
    loss: (w) => (w * w - 2.25) ** 2 / 8 - 0.3 * w + 0.62,
    slope: (w) => (w * (w * w - 2.25)) / 2 - 0.3,
    start: -2.4,
    domain: [-3, 3],
  },
]

/** One place on the way down. */
export interface DescentStep {
  readonly weight: number
  readonly loss: number
}

/** How a descent ended. */
export type Outcome = 'diverged' | 'bounces' | 'slow' | 'arrived'

/** Steps of SGD from the start; it ends early once the weight is out of all bounds. */
export function descend(
  { loss, slope, start }: Landscape,
  options: { readonly lr: number; readonly momentum: number; readonly steps: number },
): DescentStep[] {
  const weight = Float64Array.of(start)
  const optimizer = sgd(options)
  const path = [{ weight: start, loss: loss(start) }]
  for (let step = 0; step < options.steps; step++) {
    optimizer.step(weight, [slope(weight[0] ?? Number.NaN)])
    const here = weight[0] ?? Number.NaN
    path.push({ weight: here, loss: loss(here) })
    if (!(Math.abs(here) < 1e3)) break
  }
  return path
}

/** What the steps came to. */
export function outcomeOf({ slope }: Landscape, path: readonly DescentStep[]): Outcome {
  const [first, ...rest] = path
  const [before, last] = [rest.at(-2), rest.at(-1)]
  if (!first || !before || !last) return 'slow'
  if (!(Math.abs(last.weight) < 10)) return 'diverged'
  if (Math.abs(slope(last.weight)) < 0.05) return 'arrived'
  return Math.sign(slope(before.weight)) === Math.sign(slope(last.weight)) ? 'slow' : 'bounces'
}
