import { expect, test } from 'vitest'
import { comparisonChart, learningRateChart } from '../../src/cli/charts.ts'
import type { Point } from '../../src/train/compareScenarios.ts'
import { steepest, suggestRate, valley } from '../../src/train/recipe/suggest.ts'
import type { Scenario } from '../../src/transfer/scenario.ts'

const point = (at: number, valAccuracy: number): Point => ({
  at,
  valAccuracy,
  epoch: 1,
  trainLoss: 0,
  trainAccuracy: 0,
  valLoss: 0,
  seconds: 0,
})
const chartOf = (lines: readonly (readonly [Scenario, readonly Point[]])[]) =>
  comparisonChart(
    new Map(lines.map(([name, points]) => [name, { points, seconds: points.at(-1)?.at ?? 0 }])),
    { mostCommon: 0.07 },
  )

test('letters stand at the height of their accuracy, from their first epoch on', () => {
  const lines = chartOf([
    ['small-similar', [point(10, 0.2), point(20, 0.4)]],
    ['large-different', [point(20, 0.1)]],
  ])
  expect(lines.at(-2)).toBe('  s small-similar   X large-different')
  expect(lines.at(-1)).toBe('  ·  always the most common class (7.0 %)')
  // The line at 7 % reaches from side to side.
  expect(lines.filter((line) => line.includes('·'))[0]?.match(/·/g)).toHaveLength(36)
  const row = (tick: string) => lines.find((line) => line.startsWith(tick)) ?? ''
  expect(row('40 %').trimEnd()).toMatch(/^40 %┤ +s$/)
  // From the first epoch, at half time, until the second.
  expect(row('20 %').match(/s/g)).toHaveLength(18)
  expect(row('20 %').indexOf('s')).toBeGreaterThan(36)
  expect(row('10 %')).toMatch(/X$/)
  expect(lines.at(-3)).toMatch(/^ +0 s .*20 s$/)
})

test.each([0, 0.05, 1, 61, 7200])('ticks are round numbers, also of %d seconds', (seconds) => {
  const ticks = [
    ...(chartOf([['small-similar', [point(seconds, 1)]]]).at(-3) ?? '').matchAll(/([\d.]+) s/g),
  ].map(([, tick]) => Number(tick))
  expect(ticks[0]).toBe(0)
  for (const tick of ticks) expect(String(tick).length).toBeLessThanOrEqual(6)
})

/**
 * A search from 1e-7 on: flat, down from 1e-4 on, up from 1e-2 on; its first batch may be an easy
 * one.
 */
function search(first: number) {
  const points = Array.from({ length: 75 }, (_, i) => {
    const lr = 1e-7 * 10 ** (0.08 * i)
    const smoothed =
      i === 0
        ? first
        : 2 - Math.max(0, Math.log10(lr / 1e-4)) * 0.3 + Math.max(0, Math.log10(lr / 1e-2)) * 8
    return { lr, smoothed, loss: smoothed }
  })
  const { rate, fall } = suggestRate(points, 100)
  const compared = { valley: valley(points, 100), steepest: steepest(points, 100) }
  const trend = points.map(({ smoothed }) => smoothed)
  return { points, diverged: true, suggestion: rate, fall, trend, ...compared }
}

test('shows the whole way down and the beginning of the way up, whatever the first batch was like', () => {
  for (const first of [1.3, 2, 2.5]) {
    const lines = learningRateChart(search(first))
    const rows = lines
      .filter((line) => line.includes('┤') || line.startsWith('    │'))
      .map((line) => line.slice(5))
    // Every column of the curve is drawn: from the first rate to where the loss has run away.
    const drawn = Array.from({ length: 60 }, (_, column) =>
      rows.some((row) => /\S/.test(row[column] ?? ' ')),
    )
    expect(drawn.filter(Boolean).length).toBeGreaterThan(55)
    expect(lines.join('\n').match(/●/g)).toHaveLength(1)
    // The bar above: what is ignored, the fall from 1e-4 to 1e-2, and what is ignored.
    expect(lines[0]).toMatch(/^ {5}·{25,36}─{15,26}·{2,14}$/)
    expect(lines[0]).toHaveLength(5 + 64)
    expect(lines.at(-1)).toMatch(/1e-7 +1e-6 +1e-5 +1e-4 +1e-3 +1e-2/)
    // Ticks at even distances, and none that runs away with the loss.
    const ticks = lines.flatMap((line) =>
      /^ *[\d.]+┤/.test(line) ? [Number.parseFloat(line)] : [],
    )
    const steps = ticks.slice(1).map((tick, i) => Number(((ticks[i] ?? 0) - tick).toFixed(6)))
    expect(new Set(steps).size).toBe(1)
    expect(Math.max(...ticks)).toBeLessThan(3.5)
  }
})
