import { expect, test } from 'vitest'
import { svgOf } from '../../src/report/figure.tsx'
import { lineDrawing } from '../../src/report/sections/charts.ts'

test.each([0.004, 0.033, 0.2, 1])('an axis up to %f names every tick differently', (highest) => {
  const points = [0.2, 0.7, 1].map((part, x) => ({ x, y: part * highest }))
  const drawing = lineDrawing([{ name: 'held out', color: 'red', points }], {
    x: 'epoch',
    y: 'accuracy',
    share: true,
  })
  for (const svg of [720, 340].map((width) => svgOf(drawing, width))) {
    const ticks = [...svg.matchAll(/>([\d.]+ %)</g)].map(([, text]) => text)
    expect(ticks.length).toBeGreaterThan(3)
    expect(new Set(ticks).size).toBe(ticks.length)
    expect(svg).toMatch(
      new RegExp(`<title>held out, epoch 2: ${(100 * highest).toFixed(1)} %</title>`),
    )
  }
})
