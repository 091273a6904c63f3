/** Charts drawn with letters in the terminal. */
import { plot } from 'simple-ascii-chart'
import { at } from '../base/at.ts'
import { percent } from '../base/format.ts'
import { printable } from '../base/printable.ts'
import { padded, widthOf } from '../base/textWidth.ts'
import type { Chance, Contestant } from '../train/compareScenarios.ts'
import type { LearningRates } from '../train/findLearningRate.ts'
import type { Sweep } from '../train/sweep.ts'
import type { Scenario } from '../transfer/scenario.ts'

/** Each scenario's letter in the comparison chart; others have the first one of their name. */
const letters: Readonly<Partial<Record<string, string>>> = {
  'small-similar': 's',
  'small-different': 'd',
  'large-similar': 'L',
  'large-different': 'X',
} satisfies Record<Scenario, string>
const letterOf = (name: string) => letters[name] ?? name.replace('the ', '').slice(0, 1)
const comparisonSize = { width: 72, height: 14 } as const

/**
 * Accuracy against time: one letter a scenario, at evenly spaced times, and a line of dots at the
 * accuracy of always naming the most common class.
 */
export function comparisonChart(
  scenarios: ReadonlyMap<string, Pick<Contestant, 'points' | 'seconds'>>,
  { mostCommon }: Pick<Chance, 'mostCommon'>,
): string[] {
  const contestants = [...scenarios.values()]
  const seconds = Math.max(1e-3, ...contestants.map((contestant) => contestant.seconds))
  const letterAt = new Map<string, string>()
  const lines = [...scenarios].map(([name, { points }]) => {
    const line = lastKnown(points, seconds, comparisonSize.width / 2)
    for (const point of line) letterAt.set(String(point), letterOf(name))
    return line
  })
  const step = roundStep(seconds / 6)
  const dots = Array.from({ length: comparisonSize.width / 2 }, (_, i): [number, number] => [
    ((i + 0.5) / (comparisonSize.width / 2)) * seconds,
    100 * mostCommon,
  ])
  for (const dot of dots) letterAt.set(String(dot), '·')
  const best = Math.max(
    mostCommon,
    ...contestants.flatMap(({ points }) => points.map(({ valAccuracy }) => valAccuracy)),
  )
  const top = 20 * Math.max(1, Math.ceil(5 * best))
  // The point at [0, 0] makes the time axis begin at 0; it has no letter.
  const chart = plot([dots, ...lines, [[0, 0]]], {
    ...comparisonSize,
    yRange: [0, top],
    customXAxisTicks: multiplesOf(step, 0, Math.floor(seconds / step)),
    customYAxisTicks: multiplesOf(10, 0, top / 10),
    formatter: (value, { axis }) => (axis === 'y' ? `${value} %` : `${value} s`),
    lineFormatter: ({ x, y, plotX, plotY }) => ({
      x: plotX,
      y: plotY,
      symbol: letterAt.get(String([x, y])) ?? ' ',
    }),
  })
  const key = [...scenarios.keys()].map((name) => `${letterOf(name)} ${name}`).join('   ')
  const chance = `·  always the most common class (${percent(mostCommon)})`
  return [...linesOf(chart), `  ${key}`, `  ${chance}`]
}

/** The last known accuracy at evenly spaced times, in percent, from the first epoch on. */
function lastKnown(
  points: Contestant['points'],
  seconds: number,
  count: number,
): [number, number][] {
  const times = Array.from({ length: count }, (_, i) => ((i + 1) / count) * seconds)
  return times.flatMap((time): [number, number][] => {
    const last = points.findLast(({ at }) => at <= time + 1e-9)
    return last ? [[time, 100 * last.valAccuracy]] : []
  })
}

const rateColumns = 64

/**
 * The smoothed loss over the learning rate, in powers of ten, with a mark at the suggestion. The
 * bar above shows where the suggestion comes from.
 */
export function learningRateChart(search: LearningRates): string[] {
  const { points, trend, suggestion, fall } = search
  const losses = beforeDivergence(trend)
  const rates = losses.map((_, i) => at(points, i).lr)
  const [low, high] = [Math.min(...losses), Math.max(...losses)]
  const step = roundStep(Math.max((high - low) / 4, 0.01))
  const [bottom, top] = [Math.floor(low / step), Math.ceil(high / step)]
  const marked = rates.findIndex((lr) => suggestion !== null && lr >= suggestion)
  const chart = plot(
    losses.map((loss, i): [number, number] => [Math.log10(at(rates, i)), loss]),
    {
      width: rateColumns,
      height: 12,
      yRange: [bottom * step, top * step],
      customYAxisTicks: multiplesOf(step, bottom, top),
      formatter: (value, { axis }) => (axis === 'x' ? `1e${Math.round(value)}` : value.toFixed(2)),
      customXAxisTicks: multiplesOf(1, -7, 1).filter(
        (power) => 10 ** power <= Math.max(...rates) && 10 ** power >= Math.min(...rates) / 1.5,
      ),
      ...(marked < 0
        ? {}
        : { points: [{ x: Math.log10(at(rates, marked)), y: at(losses, marked) }] }),
    },
  )
  const lines = linesOf(chart)
  if (!fall) return lines
  const column = (i: number) => Math.round((i / (losses.length - 1)) * (rateColumns - 1))
  const [start, end] = [column(fall.start), column(Math.min(fall.end, losses.length - 1))]
  const bar = '·'.repeat(start) + '─'.repeat(end - start + 1) + '·'.repeat(rateColumns - 1 - end)
  const axis = Math.max(...lines.map((line) => line.indexOf('┤')))
  return [`${' '.repeat(axis + 1)}${bar}`, ...lines]
}

/**
 * The search without its end, where the loss is far above everything in the first half: on that
 * scale the rest would look flat.
 */
function beforeDivergence(losses: readonly number[]): readonly number[] {
  const half = Math.ceil(losses.length / 2)
  const [highest, lowest] = [Math.max(...losses.slice(0, half)), Math.min(...losses)]
  const limit = highest + (highest - lowest) / 4 + 0.1
  const end = losses.findIndex((loss, i) => i >= half && loss > limit)
  return end < 0 ? losses : losses.slice(0, end)
}

/** The distance between two ticks: the smallest of 1, 2, 5, 10, … (or 0.5, 0.2, …) ≥ `least`. */
function roundStep(least: number): number {
  const power = 10 ** Math.floor(Math.log10(least))
  return power * ([1, 2, 5].find((factor) => factor * power >= least) ?? 10)
}

/** `step` times every whole number from `first` to `last`, without rounding noise. */
function multiplesOf(step: number, first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_, i) =>
    Number(((first + i) * step).toPrecision(6)),
  )
}

/** The width of a sweep's bars. */
const barWidth = 50

/**
 * The mean accuracy of every choice as a bar from 0 to 100 %, with its deviation: what is between
 * the two brackets lies within one of it.
 */
export function sweepChart({ rows }: Sweep): string[] {
  const names = rows.map(({ values }) => printable(values.join(', ')))
  const widest = Math.max(...names.map(widthOf))
  const column = (share: number) => Math.round(barWidth * Math.min(1, Math.max(0, share)))
  const bars = rows.map(({ mean, deviation, accuracies }, i) => {
    const bar: string[] = Array.from({ length: barWidth + 1 }, (_, x) =>
      x < column(mean) ? '█' : '·',
    )
    if (deviation !== null) {
      bar[column(mean - deviation)] = '['
      bar[column(mean + deviation)] = ']'
    }
    const text = accuracies.length ? percent(mean) : 'none'
    return `  ${padded(at(names, i), widest)}  ${bar.join('')}  ${text}`
  })
  const axis = `${'0 %'.padEnd(barWidth - 4)}100 %`
  return [...bars, `  ${' '.repeat(widest)}  ${axis}`]
}

function linesOf(chart: string): string[] {
  return chart
    .split('\n')
    .map((line) => line.trimEnd())
    .filter((line) => line !== '')
}
