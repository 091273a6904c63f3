import { plot } from 'simple-ascii-chart'
import type { Contestant } from '../train/compareScenarios.ts'
import type { Scenario } from '../transfer/scenario.ts'
import { roundStep } from './ticks.ts'

/** Each scenario's letter in the terminal's chart. */
const letters: Readonly<Record<Scenario, string>> = {
  'small-similar': 's',
  'small-different': 'd',
  'large-similar': 'L',
  'large-different': 'X',
}
const chartSize = { width: 72, height: 14 } as const

/**
 * Accuracy against time, in letters: each scenario's last known accuracy at evenly spaced times.
 */
export function terminalChart(
  scenarios: ReadonlyMap<Scenario, Pick<Contestant, 'points' | 'seconds'>>,
): string[] {
  const seconds = Math.max(1e-3, ...[...scenarios.values()].map((contestant) => contestant.seconds))
  const letterAt = new Map<string, string>()
  const lines = [...scenarios].map(([name, { points }]) => {
    const line = stepwise(points, seconds, chartSize.width / 2)
    for (const point of line) letterAt.set(String(point), letters[name])
    return line
  })
  const step = roundStep(seconds / 6)
  const best = Math.max(
    ...[...scenarios.values()].flatMap(({ points }) =>
      points.map(({ valAccuracy }) => valAccuracy),
    ),
  )
  const top = 20 * Math.max(1, Math.ceil(5 * best))
  // Time begins at 0, where there is nothing to show yet.
  const chart = plot([...lines, [[0, 0]]], {
    ...chartSize,
    yRange: [0, top],
    customXAxisTicks: Array.from({ length: Math.floor(seconds / step) + 1 }, (_, i) =>
      Number((i * step).toPrecision(6)),
    ),
    customYAxisTicks: Array.from({ length: top / 10 + 1 }, (_, i) => 10 * i),
    formatter: (value, { axis }) => (axis === 'y' ? `${value} %` : `${value} s`),
    lineFormatter: ({ x, y, plotX, plotY }) => ({
      x: plotX,
      y: plotY,
      symbol: letterAt.get(String([x, y])) ?? ' ',
    }),
  })
  const key = [...scenarios.keys()].map((name) => `${letters[name]} ${name}`).join('   ')
  return [...chart.split('\n').map((line) => line.trimEnd()), `  ${key}`].filter(
    (line) => line !== '',
  )
}

/** The last known accuracy at evenly spaced times, in percent, from the first epoch on. */
function stepwise(
  points: Contestant['points'],
  seconds: number,
  count: number,
): [number, number][] {
  return Array.from({ length: count }, (_, i) => ((i + 1) / count) * seconds).flatMap(
    (time): [number, number][] => {
      const last = points.findLast(({ at }) => at <= time + 1e-9)
      return last ? [[time, 100 * last.valAccuracy]] : []
    },
  )
}
