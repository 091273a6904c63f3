import { describe, expect, test } from 'vitest'
import { Random } from '../../../src/base/random.ts'
import { type RatePoint, steepest, suggestRate, valley } from '../../../src/train/recipe/suggest.ts'

const steps = 100
const rateAt = (step: number) => 1e-7 * 1e8 ** (step / steps)

/** A search whose loss is `loss` of the rate's power of ten, with noise between batches. */
function search(loss: (power: number, step: number) => number, noise = 0, seed = 1, length = 100) {
  const draws = new Float32Array(length)
  new Random(seed).fillNormal(draws, 0, noise)
  let average = 0
  return Array.from({ length }, (_, i): RatePoint => {
    const one = loss(Math.log10(rateAt(i)), i) + (draws[i] ?? 0)
    average = one + 0.98 * (average - one)
    return { lr: rateAt(i), loss: one, smoothed: average / (1 - 0.98 ** (i + 1)) }
  })
}

/** From 2 at 1e-4 to 1 at 1e-2, and steeply up again from 1e-1 on. */
const typical = (power: number) => {
  const down = Math.min(1, Math.max(0, (power + 4) / 2))
  return 2 - down + 20 * Math.max(0, power + 1) ** 2
}
const spiked = (power: number, step: number) => typical(power) + (step < 4 ? 6 - step : 0)

describe('suggestRate', () => {
  test.each<[string, readonly RatePoint[]]>([
    ['a curve without noise', search(typical)],
    ['batches that differ', search(typical, 0.25)],
    ['batches that differ much', search(typical, 0.5, 3)],
    ['a spike at the start', search(spiked)],
    ['a spike at the start, and batches that differ', search(spiked, 0.25, 2)],
    ['an easy first batch', search((power, step) => typical(power) - (step === 0 ? 1.2 : 0), 0.1)],
    ['a start that falls, then levels', search((power, i) => typical(power) + Math.exp(-i / 3))],
    ['a search that ended early, where it diverged', search(typical, 0.1, 4, 85)],
    ['a small dip before the fall', search((p, i) => typical(p) - (i > 10 && i < 20 ? 0.1 : 0))],
  ])('%s: the rate is where nine tenths of the fall are done, near 6e-3', (_, points) => {
    const { rate, fall, trend } = suggestRate(points, steps)
    expect(Math.abs(Math.log10(rate ?? 0) + 2.2)).toBeLessThan(0.6)
    expect(trend).toHaveLength(points.length)
    // From about 1e-4 to between 1e-2 and 1e-1.
    expect(Math.abs((fall?.start ?? 0) - 38)).toBeLessThan(16)
    expect(fall?.end).toBeGreaterThan(58)
    expect(fall?.end).toBeLessThan(78)
  })

  test.each<[string, readonly RatePoint[]]>([
    ['a loss that never moves', search(() => 1.6)],
    ['batches that differ, and nothing else', search(() => 1.6, 0.3, 5)],
    ['a loss that only rises', search((power) => 2 + Math.max(0, power + 3), 0.05)],
    ['a spike at the start, then nothing', search((_, i) => 1.6 + (i < 3 ? 5 : 0), 0.2, 6)],
    ['divergence from the first steps on', search((_, i) => 2 * 2 ** i, 0, 1, 5)],
    ['no points at all', []],
  ])('%s: there is none', (_, points) => {
    expect(suggestRate(points, steps)).toMatchObject({ rate: null, fall: null })
  })

  test('a loss that falls from the first rate to the last: near the last', () => {
    const { rate } = suggestRate(
      search((power) => 2 - (power + 7) / 8, 0.05),
      steps,
    )
    expect(Math.abs(Math.log10(rate ?? 0) - 0.2)).toBeLessThan(0.8)
  })

  test.each([0, 0.1, 0.25])(
    'a long plateau with noise %d: the rate is near its beginning',
    (noise) => {
      const down = (power: number) => Math.min(1, Math.max(0, (power + 5) / 1.5))
      const { rate } = suggestRate(
        search((power) => 2 - down(power) + 20 * Math.max(0, power + 1) ** 2, noise, 7),
        steps,
      )
      expect(Math.abs(Math.log10(rate ?? 0) + 3.65)).toBeLessThan(0.6)
    },
  )

  test.each([5, 1e9, 1e30])(
    'a loss that diverges to %d beside its lowest does not hide it',
    (to) => {
      const { rate, fall } = suggestRate(
        search((power) => (power > -1.9 ? to : typical(power)), 0.05).slice(0, 72),
        steps,
      )
      expect(Math.abs(Math.log10(rate ?? 0) + 2.2)).toBeLessThan(0.45)
      expect(fall?.end).toBeGreaterThan(55)
    },
  )

  test("a spike at the start misleads fastai's rules, not this one", () => {
    const points = search(spiked)
    expect(steepest(points, steps)).toBeLessThan(1e-5)
    expect(valley(points, steps)).toBeLessThan(suggestRate(points, steps).rate ?? 0)
  })
})
