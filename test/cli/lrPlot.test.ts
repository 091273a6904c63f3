import { expect, test } from 'vitest'
import { lrPlot } from '../../src/cli/lrPlot.ts'
import { steepest, valley } from '../../src/train/recipe/suggest.ts'

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
  return { points, diverged: true, valley: valley(points, 100), steepest: steepest(points, 100) }
}

test('shows the whole way down and the beginning of the way up, whatever the first batch was like', () => {
  for (const first of [1.3, 2, 2.5]) {
    const lines = lrPlot(search(first))
    const rows = lines
      .filter((line) => line.includes('┤') || line.startsWith('    │'))
      .map((line) => line.slice(5))
    // Every column of the curve is drawn: from the first rate to where the loss has run away.
    const drawn = Array.from({ length: 60 }, (_, column) =>
      rows.some((row) => /\S/.test(row[column] ?? ' ')),
    )
    expect(drawn.filter(Boolean).length).toBeGreaterThan(55)
    expect(lines.join('\n').match(/●/g)).toHaveLength(1)
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
