import { describe, expect, test } from 'vitest'
import { philox4x32 } from '../../src/base/random.ts'
import { dropout, dropoutMask } from '../../src/reference/dropout.ts'
import { ndArray } from '../../src/reference/ndarray.ts'
import { gaussian } from '../../src/reference/random.ts'

/**
 * Philox4x32-10 written out with big integers, from the paper: Salmon and others, "Parallel random
 * numbers: as easy as 1, 2, 3", 2011.
 */
function philoxOfThePaper(counter: readonly number[], key: readonly number[]): number[] {
  const low = (value: bigint): bigint => value & 0xffffffffn
  let [c0 = 0n, c1 = 0n, c2 = 0n, c3 = 0n] = counter.map(BigInt)
  let [k0 = 0n, k1 = 0n] = key.map(BigInt)
  for (let round = 0; round < 10; round++) {
    const first = 0xd2511f53n * c0
    const second = 0xcd9e8d57n * c2
    ;[c0, c1, c2, c3] = [
      (second >> 32n) ^ c1 ^ k0,
      low(second),
      (first >> 32n) ^ c3 ^ k1,
      low(first),
    ]
    k0 = low(k0 + 0x9e3779b9n)
    k1 = low(k1 + 0xbb67ae85n)
  }
  return [c0, c1, c2, c3].map(Number)
}

describe('dropout', () => {
  test('the generator gives what the paper says', () => {
    // Random123's known answer for counter and key of pi's digits.
    const pi: [number, number, number, number] = [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344]
    expect(philoxOfThePaper(pi, [0xa4093822, 0x299f31d0])).toEqual([
      0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1,
    ])
    for (const block of [0, 1, 77, 0xffffffff]) {
      expect(philox4x32([block, 3, 0, 0], [block ^ 5, 9])).toEqual(
        philoxOfThePaper([block, 3, 0, 0], [(block ^ 5) >>> 0, 9]),
      )
    }
  })

  test('element i takes word i mod 4 of block floor(i / 4)', () => {
    const options = { seed: 2 ** 32 * 3 + 11, stream: 4 }
    const expected = Array.from({ length: 7 }, (_, i) => {
      const word = philoxOfThePaper([i >>> 2, 4, 0, 0], [11, 3])[i % 4] ?? Number.NaN
      return (word >>> 8) / 2 ** 24 >= 0.5
    })
    expect(dropoutMask(7, 0.5, options)).toEqual(expected)
  })

  test('keeps a share of 1 - p, and the mean', () => {
    const n = 40_000
    const kept = dropoutMask(n, 0.3, { seed: 1 }).filter(Boolean).length / n
    // five standard deviations of a binomial share
    expect(Math.abs(kept - 0.7)).toBeLessThan(5 * Math.sqrt((0.3 * 0.7) / n))
    const y = dropout(ndArray(new Float64Array(n).fill(2), [n]), 0.3, {
      seed: 1,
    })
    expect(new Set(y.data)).toEqual(new Set([0, 2 / 0.7]))
  })

  test('p = 0 keeps all, p = 1 none; another seed or stream gives another mask', () => {
    const x = gaussian([9], 1)
    expect([...dropout(x, 0, { seed: 5 }).data]).toEqual([...x.data])
    expect([...dropout(x, 1, { seed: 5 }).data]).toEqual(new Array(9).fill(0))
    const mask = (seed: number, stream: number): string =>
      dropoutMask(64, 0.5, { seed, stream }).join()
    expect(new Set([mask(1, 0), mask(2, 0), mask(1, 1), mask(1 + 2 ** 32, 0)]).size).toBe(4)
  })
})
