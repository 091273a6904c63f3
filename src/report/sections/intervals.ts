import * as Plot from '@observablehq/plot'
import { accuracyWithInterval } from '../../base/format.ts'
import type { Contestant } from '../../train/compareScenarios.ts'
import type { Drawing } from './charts.ts'

/** The accuracies of scenarios as dots with their 95 % intervals, and a line at chance. */
export function intervalDrawing(
  contestants: readonly (readonly [string, Contestant])[],
  chance: number,
): Drawing {
  const rows = contestants.map(([name, { valAccuracy, interval }], i) => ({
    name,
    value: valAccuracy,
    low: interval.low,
    high: interval.high,
    color: `var(--series-${i + 1})`,
    title: `${name}: ${accuracyWithInterval(valAccuracy, interval)}`,
  }))
  const place = { y: 'name', stroke: 'color' }
  return (width) => ({
    height: 60 + 32 * rows.length,
    marginLeft: 112,
    marginRight: 28,
    marginBottom: 40,
    color: { type: 'identity' },
    x: {
      label: 'validation accuracy',
      domain: [0, 1],
      grid: true,
      ticks: width > 500 ? 10 : 5,
      tickFormat: (value: number) => `${Math.round(100 * value)} %`,
    },
    y: { label: null, domain: rows.map(({ name }) => name) },
    marks: [
      Plot.ruleX([chance], { stroke: 'var(--quiet)', strokeDasharray: '5 4' }),
      Plot.ruleY(rows, { ...place, x1: 'low', x2: 'high', strokeWidth: 2 }),
      Plot.tickX(rows, { ...place, x: 'low', inset: 10 }),
      Plot.tickX(rows, { ...place, x: 'high', inset: 10 }),
      Plot.dot(rows, { ...place, x: 'value', fill: 'color', r: 4, title: 'title' }),
    ],
  })
}
