import { describe, expect, test } from 'vitest'
import { gradcheck } from '../../src/reference/gradcheck.ts'
import { ndArray } from '../../src/reference/ndarray.ts'
import { gaussian, uniform } from '../../src/reference/random.ts'
import { coordinates, exact, expectClose, relativeError, sumTolerance } from '../support/compare.ts'

const f32 = (...values: number[]): Float32Array => Float32Array.from(values)

describe('relativeError', () => {
  test('is ||a - b|| / ||b||, or ||a|| beside a zero', () => {
    expect(relativeError([3, 4.5], [3, 4])).toBe(0.1)
    expect(relativeError([3, 4], [0, 0])).toBe(5)
    expect(relativeError([], [])).toBe(0)
  })

  test('is infinite where one side is not finite', () => {
    expect(relativeError([Number.NaN], [1])).toBe(Number.POSITIVE_INFINITY)
    expect(relativeError([1], [Number.POSITIVE_INFINITY])).toBe(Number.POSITIVE_INFINITY)
    expect(relativeError([Number.NaN, 1], [Number.NaN, 1])).toBe(0)
  })
})

describe('expectClose', () => {
  test('passes within the tolerance, and takes 0 for -0', () => {
    expectClose(f32(1, 2.00001), [1, 2], [2])
    expectClose(f32(-0, Number.NaN), [0, Number.NaN], [2], exact)
    expectClose(f32(1.01), [1], [1], { relative: 0, absolute: 0.02 })
  })

  test('names the coordinates, the values and the worst error', () => {
    const call = () =>
      expectClose(f32(1, 2, 3, 4.25, 5, 7), [1, 2, 3, 4, 5, 6], [2, 3], { name: 'conv2d y' })
    expect(call).toThrow(
      /^conv2d y: shape \[2, 3\], 2 of 6 elements off; relative error 1\.08e-1, allowed 0\.00001\n/,
    )
    expect(call).toThrow('[1, 0] got 4.25, expected 4, off by 0.250')
    expect(call).toThrow('worst: [1, 2] got 7, expected 6, off by 1.00')
  })

  test('fails on one wrong value among very many, which the norm hides', () => {
    const n = 2 ** 20
    const expected = new Float32Array(n).fill(1)
    const actual = Float32Array.from(expected)
    actual[777] = 1.005
    expect(relativeError(actual, expected)).toBeLessThan(1e-5)
    expect(() => expectClose(actual, expected, [1024, 1024])).toThrow('[0, 777] got')
  })

  test.each([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])(
    '%s where a number belongs fails, and the reverse',
    (odd) => {
      expect(() => expectClose(f32(1, odd), [1, 1], [2], { relative: 1, absolute: 1e9 })).toThrow(
        '[1] got',
      )
      expect(() => expectClose(f32(1, 1), [1, odd], [2], { relative: 1, absolute: 1e9 })).toThrow(
        '[1] got',
      )
    },
  )

  test('another length, and opposite infinities, fail', () => {
    expect(() => expectClose(f32(1), [1, 2], [2])).toThrow('has 2 elements, but actual has 1')
    expect(() =>
      expectClose(f32(Number.NEGATIVE_INFINITY), [Number.POSITIVE_INFINITY], [1]),
    ).toThrow('[0] got -Infinity')
  })

  test('coordinates are row-major', () => {
    expect(coordinates(23, [2, 3, 4])).toEqual([1, 2, 3])
    expect(coordinates(0, [])).toEqual([])
  })
})

describe('sumTolerance', () => {
  // The model's own claim, without the safety factor, against sums taken in float32 one product
  // after the other.
  test.each([1, 16, 363, 4096])(
    'bounds a sequential float32 dot product of %i terms, and not by far',
    (terms) => {
      for (const center of [0, 1]) {
        const next = uniform(terms + center)
        const actual: number[] = []
        const expected: number[] = []
        for (let sample = 0; sample < 256; sample++) {
          let single = 0
          let double = 0
          for (let i = 0; i < terms; i++) {
            const a = Math.fround(center + next() - 0.5)
            const b = Math.fround(center + next() - 0.5)
            single = Math.fround(single + Math.fround(a * b))
            double += a * b
          }
          actual.push(single)
          expected.push(double)
        }
        const error = relativeError(actual, expected)
        expect(error).toBeLessThan(sumTolerance(terms) / 4)
        expect(error).toBeGreaterThan(sumTolerance(terms) / 64)
      }
    },
  )
})

describe('gradcheck', () => {
  test('finds a gradient that is wrong', () => {
    const [x, dy] = [gaussian([4], 1), gaussian([4], 2)]
    const wrong = ndArray(
      dy.data.map((value) => value * 1.001),
      [4],
    )
    gradcheck('identity', (v) => v, x, dy, dy)
    expect(() => gradcheck('identity', (v) => v, x, dy, wrong)).toThrow(
      'off the finite differences',
    )
  })
})
