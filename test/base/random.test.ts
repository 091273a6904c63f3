import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { UsageError } from '../../src/base/errors.ts'
import { philox4x32, Random } from '../../src/base/random.ts'

type Counter = [number, number, number, number]
type Key = [number, number]

/** The generator as its paper writes it, in integers of unlimited size. */
function referencePhilox(counter: Counter, key: Key): Counter {
  const mask = 0xffffffffn
  let [c0, c1, c2, c3] = counter.map(BigInt) as [bigint, bigint, bigint, bigint]
  let [k0, k1] = key.map(BigInt) as [bigint, bigint]
  for (let round = 0; round < 10; round++) {
    const p0 = 0xd2511f53n * c0
    const p1 = 0xcd9e8d57n * c2
    ;[c0, c1, c2, c3] = [(p1 >> 32n) ^ c1 ^ k0, p1 & mask, (p0 >> 32n) ^ c3 ^ k1, p0 & mask]
    k0 = (k0 + 0x9e3779b9n) & mask
    k1 = (k1 + 0xbb67ae85n) & mask
  }
  return [Number(c0), Number(c1), Number(c2), Number(c3)]
}

function draw(random: Random, n: number): number[] {
  return Array.from({ length: n }, () => random.uint32())
}

function moments(values: ArrayLike<number>): { mean: number; variance: number; kurtosis: number } {
  const all = Array.from(values)
  const mean = all.reduce((sum, x) => sum + x, 0) / all.length
  const central = (power: number) =>
    all.reduce((sum, x) => sum + (x - mean) ** power, 0) / all.length
  return { mean, variance: central(2), kurtosis: central(4) / central(2) ** 2 }
}

describe('philox4x32', () => {
  const ones = 0xffffffff
  const vectors: [string, Counter, Key, Counter][] = [
    ['zeros', [0, 0, 0, 0], [0, 0], [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8]],
    [
      'ones',
      [ones, ones, ones, ones],
      [ones, ones],
      [0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd],
    ],
    [
      'digits of pi',
      [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344],
      [0xa4093822, 0x299f31d0],
      [0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1],
    ],
  ]
  it.each(vectors)("agrees with Random123's known answer: %s", (_name, counter, key, expected) => {
    expect(philox4x32(counter, key)).toEqual(expected)
  })

  it('agrees with exact integers for any counter and key', () => {
    const word = fc.integer({ min: 0, max: ones })
    fc.assert(
      fc.property(fc.tuple(word, word, word, word), fc.tuple(word, word), (counter, key) => {
        expect(philox4x32(counter, key)).toEqual(referencePhilox(counter, key))
      }),
    )
  })
})

describe('Random', () => {
  it('is the generator with the seed as key and blocks counted from zero', () => {
    const seed = 5 * 2 ** 32 + 7
    const stream = 3 * 2 ** 32 + 9
    const expected = [0, 1, 2].flatMap((i) => philox4x32([i, 0, 9, 3], [7, 5]))
    expect(draw(new Random(seed, stream), 12)).toEqual(expected)
  })

  it('repeats from the same seed and differs by seed and stream', () => {
    const first = draw(new Random(1), 8)
    expect(draw(new Random(1, 0), 8)).toEqual(first)
    for (const other of [
      new Random(2),
      new Random(1, 1),
      new Random(1 + 2 ** 32),
      new Random(1, 2 ** 32),
    ]) {
      expect(draw(other, 8)).not.toEqual(first)
    }
  })

  it.each([-1, 0.5, Number.NaN, 2 ** 53, Number.POSITIVE_INFINITY])(
    'refuses the seed %s',
    (seed) => {
      expect(() => new Random(seed)).toThrow(UsageError)
      expect(() => new Random(0, seed)).toThrow(UsageError)
    },
  )

  it('takes the largest seed', () => {
    expect(draw(new Random(Number.MAX_SAFE_INTEGER), 4)).toEqual(
      philox4x32([0, 0, 0, 0], [0xffffffff, 0x1fffff]),
    )
  })

  it('gives uniform values of 24 bits in [0, 1)', () => {
    const random = new Random(3)
    const values = Float64Array.from({ length: 40_000 }, () => random.uniform())
    expect(
      values.every((x) => x >= 0 && x < 1 && Number.isInteger(x * 2 ** 24) && Math.fround(x) === x),
    ).toBe(true)
    const { mean, variance } = moments(values)
    expect(Math.abs(mean - 1 / 2)).toBeLessThan(0.006)
    expect(Math.abs(variance - 1 / 12)).toBeLessThan(0.002)
  })

  it('gives normal values', () => {
    const random = new Random(4)
    const { mean, variance, kurtosis } = moments(
      Float64Array.from({ length: 40_000 }, () => random.normal()),
    )
    expect(Math.abs(mean)).toBeLessThan(0.02)
    expect(Math.abs(variance - 1)).toBeLessThan(0.03)
    expect(Math.abs(kurtosis - 3)).toBeLessThan(0.1)
  })

  it('fills with the values that single draws give', () => {
    const single = new Random(6)
    const filled = new Float32Array(1001)
    new Random(6).fillNormal(filled, 2, 0.5)
    expect(filled).toEqual(Float32Array.from({ length: 1001 }, () => 2 + 0.5 * single.normal()))
    const again = new Random(7)
    new Random(7).fillUniform(filled, -3, 5)
    expect(filled).toEqual(Float32Array.from({ length: 1001 }, () => -3 + 8 * again.uniform()))
  })

  it('draws integers below n, each equally often', () => {
    const random = new Random(8)
    const counts = new Array<number>(6).fill(0)
    for (let i = 0; i < 60_000; i++) {
      const value = random.below(6)
      counts[value] = (counts[value] ?? 0) + 1
    }
    for (const count of counts) expect(Math.abs(count - 10_000)).toBeLessThan(450)
    expect(random.below(1)).toBe(0)
    for (const n of [0, -1, 1.5, 2 ** 32 + 1, Number.NaN])
      expect(() => random.below(n)).toThrow(UsageError)
  })

  it('shuffles into every order equally often', () => {
    const random = new Random(9)
    const counts = new Map<string, number>()
    for (let i = 0; i < 24_000; i++) {
      const letters = ['a', 'b', 'c', 'd']
      random.shuffle(letters)
      const order = letters.join('')
      counts.set(order, (counts.get(order) ?? 0) + 1)
    }
    expect(counts.size).toBe(24)
    for (const count of counts.values()) expect(Math.abs(count - 1000)).toBeLessThan(150)
  })

  it('keeps what it shuffles, typed arrays included', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 1000 })), fc.nat(), (values, seed) => {
        const shuffled = Uint32Array.from(values)
        new Random(seed).shuffle(shuffled)
        expect([...shuffled].sort((a, b) => a - b)).toEqual([...values].sort((a, b) => a - b))
      }),
    )
  })
})
