import { describe, expect, test } from 'vitest'
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

describe('lines', () => {
  const lines = (values: readonly (readonly number[])[]) =>
    values.map((ys, i) => ({
      name: `line ${i}`,
      color: 'red',
      points: ys.map((y, x) => ({ x, y })),
    }))
  const draw = (values: readonly (readonly number[])[], width = 600) =>
    svgOf(lineDrawing(lines(values), { x: 'epoch', y: 'accuracy', share: true }), width)
  const ticksOf = (svg: string) =>
    [...svg.matchAll(/>([\d.]+) %</g)].map(([, text]) => Number(text))

  test('fill the height: an axis begins at 0 only where a value is near it', () => {
    expect(Math.min(...ticksOf(draw([[0.8, 0.85, 0.9]])))).toBeGreaterThan(70)
    expect(Math.min(...ticksOf(draw([[0.05, 0.6, 0.9]])))).toBe(0)
    expect(Math.max(...ticksOf(draw([[0.8, 1]])))).toBe(100)
  })

  test('have their names at their ends where there is room, apart from each other', () => {
    const svg = draw([
      [0.5, 0.9],
      [0.4, 0.9],
      [0.3, 0.899],
    ])
    const places =
      /<g transform="translate\(8,([\d.-]+)\)"[^>]*><text transform="translate\([\d.]+,([\d.]+)\)"/g
    const heights = [...svg.matchAll(places)].map(([, dy, y]) => Number(dy) + Number(y))
    expect(svg.match(/>line \d</g)).toEqual(['>line 0<', '>line 1<', '>line 2<'])
    const [first = 0, second = 0, third = 0] = heights
    expect(heights.length).toBe(3)
    expect(Math.min(second - first, third - second)).toBeGreaterThan(13.9)
    expect(draw([[0.5, 0.9]], 340)).not.toMatch(/>line 0</)
  })

  test('have no name over a line that goes on past their ends', () => {
    const svg = draw([
      [0.5, 0.6],
      [0.4, 0.6, 0.6, 0.6],
    ])
    const dy = /translate\(8,([\d.-]+)\)"[^>]*><text[^>]*>line 0</.exec(svg)?.[1]
    expect(Math.abs(Number(dy))).toBeGreaterThan(13.9)
    expect(svg).toMatch(/translate\(8,0\)"[^>]*><text[^>]*>line 1</)
  })

  test.each([2, 41, 200])('of %i points tell each value to a pointer', (length) => {
    const svg = draw([Array.from({ length }, (_, i) => i / length)])
    expect(svg.match(/<title>line 0, epoch \d+: [\d.]+ %<\/title>/g)?.length).toBe(length)
  })
})
