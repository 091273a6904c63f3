import { expect, test } from 'vitest'
import { terminalChart } from '../../src/cli/compareChart.ts'
import type { Point } from '../../src/train/compareScenarios.ts'
import type { Scenario } from '../../src/transfer/scenario.ts'

const point = (at: number, valAccuracy: number): Point => ({
  ...{ at, valAccuracy, epoch: 1, trainLoss: 0, trainAccuracy: 0, valLoss: 0, seconds: 0 },
})
const chartOf = (lines: readonly (readonly [Scenario, readonly Point[]])[]) =>
  terminalChart(
    new Map(lines.map(([name, points]) => [name, { points, seconds: points.at(-1)?.at ?? 0 }])),
  )

test('letters stand at the height of their accuracy, from their first epoch on', () => {
  const lines = chartOf([
    ['small-similar', [point(10, 0.2), point(20, 0.4)]],
    ['large-different', [point(20, 0.1)]],
  ])
  expect(lines.at(-1)).toBe('  s small-similar   X large-different')
  const row = (tick: string) => lines.find((line) => line.startsWith(tick)) ?? ''
  expect(row('40 %').trimEnd()).toMatch(/^40 %┤ +s$/)
  // From the first epoch, at half time, until the second.
  expect(row('20 %').match(/s/g)).toHaveLength(18)
  expect(row('20 %').indexOf('s')).toBeGreaterThan(36)
  expect(row('10 %')).toMatch(/X$/)
  expect(lines.at(-2)).toMatch(/^ +0 s .*20 s$/)
})

test.each([0, 0.05, 1, 61, 7200])('ticks are round numbers, also of %d seconds', (seconds) => {
  const ticks = [
    ...(chartOf([['small-similar', [point(seconds, 1)]]]).at(-2) ?? '').matchAll(/([\d.]+) s/g),
  ].map(([, tick]) => Number(tick))
  expect(ticks[0]).toBe(0)
  for (const tick of ticks) expect(String(tick).length).toBeLessThanOrEqual(6)
})
