import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Depth, Evidence } from '../../src/transfer/evidence.ts'
import { doublingsTo, forecastOf } from '../../src/transfer/forecast.ts'

const depth = (validation: number, validationOfHalf: number): Depth => ({
  layer: 'classifier.5',
  part: 'last hidden FC',
  features: 512,
  accuracy: 0.9,
  interval: { low: 0.8, high: 1 },
  expected: 0.95,
  behind: { value: 0, low: 0, high: 0 },
  validation,
  validationOfHalf,
})
const evidence = (more: Partial<Evidence> = {}): Evidence => ({
  images: 800,
  classes: 4,
  pretrained: true,
  sampled: 800,
  sampledClasses: 4,
  folds: 3,
  chance: 0.25,
  validation: 200,
  sampledValidation: 200,
  steps: 5000,
  depths: [],
  seconds: 1,
  readSeconds: 1,
  seed: 0,
  ...more,
})
const forecast = (validation: number, half: number, more: Partial<Evidence> = {}) => {
  const made = forecastOf(depth(validation, half), evidence(more))
  if (!made) throw new Error('there is a forecast')
  return { ...made, width: made.high - made.low }
}

describe('forecastOf', () => {
  test('of a long training on all images: the accuracy on validation images, not the measured one', () => {
    const { value, low, high } = forecast(0.6, 0.5)
    expect(value).toBeCloseTo(0.6, 9)
    expect(low).toBeLessThan(0.55)
    expect(high).toBeGreaterThan(0.65)
  })

  test('a short training lacks a part of its lead over guessing, and varies more', () => {
    const [short, long] = [forecast(0.65, 0.6, { steps: 90 }), forecast(0.65, 0.6)]
    // 0.35 / e of 0.65 − 0.25
    expect(long.value - short.value).toBeCloseTo((0.4 * 0.35) / Math.E, 9)
    expect(short.width).toBeGreaterThan(long.width)
    expect(forecast(0.2, 0.2, { steps: 20 }).value).toBeCloseTo(0.2, 9)
  })

  test('more images than the sample: errors fall on, and the interval holds half of that', () => {
    const more = forecast(0.6, 0.5, { images: 1600 })
    expect(more.value).toBeCloseTo(1 - (0.4 * 0.4) / 0.5, 9)
    expect(more.width).toBeGreaterThan(forecast(0.6, 0.5).width)
    expect(forecast(0.6, 0.65, { images: 1600 }).value).toBeCloseTo(0.6, 9)
    expect([doublingsTo(1600, 800), doublingsTo(400, 800), doublingsTo(80_000, 800)]).toEqual([
      1, 0, 2,
    ])
  })

  test('the fewer validation images there are and are predicted, the wider it is', () => {
    const widths = [
      forecast(0.6, 0.5),
      forecast(0.6, 0.5, { sampledValidation: 100 }),
      forecast(0.6, 0.5, { validation: 20, sampledValidation: 20 }),
    ].map(({ width }) => width)
    expect([...widths].sort((a, b) => a - b)).toEqual(widths)
  })

  test('stays within 0 and 1, and holds its value', () => {
    fc.assert(
      fc.property(
        fc.double({ min: 0, max: 1, noNaN: true }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        fc.record({
          images: fc.integer({ min: 800, max: 1e6 }),
          steps: fc.integer({ min: 1, max: 1e6 }),
          sampledValidation: fc.integer({ min: 1, max: 200 }),
        }),
        (validation, half, more) => {
          const { value, low, high } = forecast(validation, half, more)
          expect(low).toBeGreaterThanOrEqual(0)
          expect(high).toBeLessThanOrEqual(1)
          expect(value).toBeGreaterThanOrEqual(low)
          expect(value).toBeLessThanOrEqual(high)
          expect(high).toBeGreaterThan(low)
        },
      ),
    )
  })

  test('there is none without validation images, nor of classes that were not measured', () => {
    const none = { ...depth(0, 0), validation: null, validationOfHalf: null }
    expect(forecastOf(none, evidence({ validation: 0, sampledValidation: 0 }))).toBeNull()
    expect(forecastOf(depth(0.6, 0.5), evidence({ classes: 200, sampledClasses: 100 }))).toBeNull()
  })
})
