import plot from 'simple-ascii-chart'
import type { LearningRates } from '../train/findLearningRate.ts'

/** The smoothed loss over the learning rate, as lines of text: the rate in powers of ten, a mark at the suggestion. */
export function lrPlot({ points, valley }: LearningRates): string[] {
  const lowest = Math.min(...points.map(({ smoothed }) => smoothed))
  const first = points[0]?.smoothed ?? lowest
  // What ran away would flatten everything else.
  const shown = points.filter(({ smoothed }) => smoothed <= Math.max(first, lowest) + (first - lowest) * 0.5 + 0.1)
  const at = Math.log10(valley)
  const text = plot(
    shown.map(({ lr, smoothed }) => [Math.log10(lr), smoothed] as [number, number]),
    {
      width: 64,
      height: 12,
      formatter: (value, { axis }) => (axis === 'x' ? `1e${Math.round(value)}` : value.toFixed(2)),
      customXAxisTicks: Array.from({ length: 9 }, (_, i) => i - 7).filter(
        (power) => 10 ** power <= (shown.at(-1)?.lr ?? 0) && 10 ** power >= (shown[0]?.lr ?? 0) / 1.5,
      ),
      points: [{ x: at, y: points.find(({ lr }) => lr >= valley)?.smoothed ?? lowest }],
    },
  )
  return text
    .split('\n')
    .map((line) => line.trimEnd())
    .filter((line) => line !== '')
}
