import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { pairedDifference, shareInterval, wilson } from '../../src/base/interval.ts'

describe('wilson', () => {
  test('agrees with published values', () => {
    // Newcombe 1998, Statistics in Medicine 17, table I, method 3.
    for (const [hits, of, low, high] of [
      [81, 263, 0.2553, 0.3662],
      [15, 148, 0.0624, 0.1605],
      [0, 20, 0, 0.1611],
      [1, 29, 0.0061, 0.1718],
    ] as const) {
      const share = wilson(hits, of)
      expect(share?.low).toBeCloseTo(low, 4)
      expect(share?.high).toBeCloseTo(high, 4)
    }
    expect(wilson(0, 0)).toBeNull()
    expect(() => shareInterval(0, 0)).toThrow(RangeError)
  })

  test('holds the share, within 0 and 1', () => {
    fc.assert(
      fc.property(fc.nat(1000), fc.nat(1000), (a, b) => {
        const share = wilson(Math.min(a, b), Math.max(a, b, 1))
        if (!share) throw new Error('there is something to count')
        expect(share.low).toBeGreaterThanOrEqual(0)
        expect(share.high).toBeLessThanOrEqual(1)
        expect(share.value).toBeGreaterThanOrEqual(share.low - 1e-12)
        expect(share.value).toBeLessThanOrEqual(share.high + 1e-12)
      }),
    )
  })
})

describe('pairedDifference', () => {
  const repeated = (value: number, times: number) => Array<number>(times).fill(value)

  /** Of images that both predict rightly, only the first, only the second, and neither. */
  const counts = (both: number, first: number, second: number, neither: number) =>
    pairedDifference(
      [...repeated(1, both + first), ...repeated(0, second + neither)],
      [
        ...repeated(1, both),
        ...repeated(0, first),
        ...repeated(1, second),
        ...repeated(0, neither),
      ],
    )

  test.each([
    [[1300, 60, 44, 196], 0.01, -0.0025, 0.0225],
    [[0, 0, 0, 10], 0, -0.1633, 0.1633],
    [[10, 0, 0, 0], 0, -0.1633, 0.1633],
    [[0, 10, 0, 0], 1, 0.5666, 1],
  ] as const)('of %j', ([both, first, second, neither], value, low, high) => {
    const difference = counts(both, first, second, neither)
    expect(difference.value).toBeCloseTo(value, 10)
    expect(difference.low).toBeCloseTo(low, 4)
    expect(difference.high).toBeCloseTo(high, 4)
  })

  test('turns its sign with the order, holds the difference, and takes the same images', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(1), fc.nat(1)), { minLength: 1 }), (pairs) => {
        const [a, b] = [pairs.map(([x]) => x), pairs.map(([, y]) => y)]
        const [one, other] = [pairedDifference(a, b), pairedDifference(b, a)]
        expect(one.value).toBeCloseTo(-other.value, 12)
        expect(one.low).toBeCloseTo(-other.high, 12)
        expect(one.low).toBeLessThanOrEqual(one.value)
        expect(one.high).toBeGreaterThanOrEqual(one.value)
      }),
    )
    expect(() => pairedDifference([], [])).toThrow(RangeError)
    expect(() => pairedDifference([1], [])).toThrow(RangeError)
  })
})
