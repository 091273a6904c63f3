import plot from 'simple-ascii-chart'
import type { LearningRates } from '../train/findLearningRate.ts'
import type { RatePoint } from '../train/recipe/suggest.ts'
import { roundStep } from './ticks.ts'

/**
 * The smoothed loss over the learning rate, as lines of text: the rate in powers of ten, a mark at
 * the suggestion.
 */
export function lrPlot({ points, valley }: LearningRates): string[] {
  const shown = beforeRunningAway(points)
  const losses = shown.map(({ smoothed }) => smoothed)
  const [low, high] = [Math.min(...losses), Math.max(...losses)]
  const step = roundStep(Math.max((high - low) / 4, 0.01))
  const [bottom, top] = [Math.floor(low / step), Math.ceil(high / step)]
  const [first, last] = [shown[0]?.lr ?? 0, shown.at(-1)?.lr ?? 0]
  const text = plot(
    shown.map(({ lr, smoothed }) => [Math.log10(lr), smoothed] as [number, number]),
    {
      width: 64,
      height: 12,
      yRange: [bottom * step, top * step],
      customYAxisTicks: Array.from({ length: top - bottom + 1 }, (_, i) =>
        Number(((bottom + i) * step).toPrecision(6)),
      ),
      formatter: (value, { axis }) => (axis === 'x' ? `1e${Math.round(value)}` : value.toFixed(2)),
      customXAxisTicks: Array.from({ length: 9 }, (_, i) => i - 7).filter(
        (power) => 10 ** power <= last && 10 ** power >= first / 1.5,
      ),
      points: [{ x: Math.log10(valley), y: shown.find(({ lr }) => lr >= valley)?.smoothed ?? low }],
    },
  )
  return text
    .split('\n')
    .map((line) => line.trimEnd())
    .filter((line) => line !== '')
}

/**
 * All but the end, where the loss is far above all that it was in the first half of the search:
 * that would flatten everything else.
 */
function beforeRunningAway(points: readonly RatePoint[]): readonly RatePoint[] {
  const losses = points.map(({ smoothed }) => smoothed)
  const half = Math.ceil(losses.length / 2)
  const [highest, lowest] = [Math.max(...losses.slice(0, half)), Math.min(...losses)]
  const limit = highest + (highest - lowest) / 4 + 0.1
  const end = losses.findIndex((loss, i) => i >= half && loss > limit)
  return end < 0 ? points : points.slice(0, end)
}
