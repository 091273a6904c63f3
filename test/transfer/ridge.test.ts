import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Random } from '../../src/base/random.ts'
import { choleskyInPlace, crossValidate, solveInPlace } from '../../src/transfer/ridge.ts'

/** Feature vectors around their class's own center, and the products of each two. */
function clusters(each: number, classes: number, features: number, spread: number, seed: number) {
  const random = new Random(seed)
  const normal = () => {
    const values = new Float32Array(features)
    random.fillNormal(values, 0, 1)
    return values
  }
  const centers = Array.from({ length: classes }, normal)
  const labels = Array.from({ length: each * classes }, (_, i) => i % classes)
  const rows = labels.map((label) =>
    normal().map((value, j) => (centers[label]?.[j] ?? 0) + spread * value),
  )
  return { labels, gram: gramOf(rows) }
}

function gramOf(rows: readonly Float32Array[]): Float32Array {
  return Float32Array.from(
    rows.flatMap((a) => rows.map((b) => a.reduce((sum, value, j) => sum + value * (b[j] ?? 0), 0))),
  )
}

const share = (values: Float64Array) => values.reduce((a, b) => a + b, 0) / values.length
const threefold = { folds: 3, seed: 5 }

describe('solving', () => {
  test('L Lᵀ x = b gives back b, for any positive definite matrix', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 24 }),
        fc.integer({ min: 1, max: 5 }),
        fc.integer({ min: 0, max: 999 }),
        (n, columns, seed) => {
          const random = new Random(seed)
          const root = Float64Array.from({ length: n * n }, () => random.uniform() - 0.5)
          const a = Float64Array.from({ length: n * n }, (_, at) => {
            const [i, j] = [Math.floor(at / n), at % n]
            let sum = i === j ? 0.1 : 0
            for (let k = 0; k < n; k++) sum += (root[i * n + k] ?? 0) * (root[j * n + k] ?? 0)
            return sum
          })
          const b = Float64Array.from({ length: n * columns }, () => random.uniform())
          const [l, x] = [Float64Array.from(a), Float64Array.from(b)]
          choleskyInPlace(l, n)
          solveInPlace(l, n, x, columns)
          for (let i = 0; i < n; i++)
            for (let c = 0; c < columns; c++) {
              let sum = 0
              for (let k = 0; k < n; k++) sum += (a[i * n + k] ?? 0) * (x[k * columns + c] ?? 0)
              // The condition number is below 24 / 0.1 · n / 4, and float64 holds 16 digits.
              expect(sum).toBeCloseTo(b[i * columns + c] ?? 0, 9)
            }
        },
      ),
    )
  })
})

describe('crossValidate', () => {
  test('reads what a line separates, from more images better than from half of them', () => {
    const easy = clusters(20, 4, 30, 0.3, 1)
    expect(share(crossValidate(easy.gram, easy.labels, 4, threefold).correct)).toBe(1)
    const hard = clusters(40, 4, 60, 3, 2)
    const { correct, halfCorrect } = crossValidate(hard.gram, hard.labels, 4, threefold)
    expect(share(correct)).toBeGreaterThan(0.4)
    expect(share(halfCorrect)).toBeLessThan(share(correct))
    expect(share(halfCorrect)).toBeGreaterThan(0.25)
  })

  test('reads nothing where there is nothing: labels of chance, and features that never differ', () => {
    const { gram } = clusters(60, 1, 40, 1, 3)
    const random = new Random(9)
    const labels = Array.from({ length: 60 }, () => random.below(2))
    // Twice the standard error of 60 throws of a coin, and a little.
    expect(Math.abs(share(crossValidate(gram, labels, 2, threefold).correct) - 0.5)).toBeLessThan(
      0.15,
    )
    const mostCommon = Array.from({ length: 60 }, (_, i) => Number(i % 3 === 0))
    const { correct } = crossValidate(new Float32Array(3600).fill(1), mostCommon, 2, threefold)
    expect([...correct]).toEqual(mostCommon.map((label) => 1 - label))
  })

  test('does not depend on the unit of the features, nor on where their origin lies', () => {
    const { gram, labels } = clusters(15, 3, 20, 1.5, 4)
    const reference = crossValidate(gram, labels, 3, threefold)
    const larger = crossValidate(
      gram.map((product) => 64 * product),
      labels,
      3,
      threefold,
    )
    expect(larger).toEqual(reference)
    const n = labels.length
    // ⟨x + o, y + o⟩ = ⟨x, y⟩ + u(x) + u(y) + c for u(x) = ⟨x, o⟩: what centering takes away.
    const moved = gram.map((product, at) => product + 0.1 * Math.floor(at / n) + 0.1 * (at % n) + 7)
    expect(share(crossValidate(moved, labels, 3, threefold).correct)).toBeCloseTo(
      share(reference.correct),
      2,
    )
  })

  test('images without a fold are predicted from all others, and change nothing for those', () => {
    const { gram, labels } = clusters(30, 4, 60, 3, 7)
    const [n, known] = [labels.length, 90]
    const first = Float32Array.from({ length: known ** 2 }, (_, at) => {
      const [i, j] = [Math.floor(at / known), at % known]
      return gram[i * n + j] ?? Number.NaN
    })
    const alone = crossValidate(first, labels.slice(0, known), 4, threefold)
    const both = crossValidate(gram, labels, 4, { ...threefold, known })
    expect(both.correct).toEqual(alone.correct)
    expect(both.halfCorrect).toEqual(alone.halfCorrect)
    expect([alone.held.length, both.held.length, both.halfHeld.length]).toEqual([0, 30, 30])
    expect(share(both.held)).toBeGreaterThan(0.4)
    expect(share(both.halfHeld)).toBeLessThanOrEqual(share(both.held))
    expect([...both.held].every((right) => right === 0 || right === 1)).toBe(true)
  })

  test('a few images, of one fold each, are no error', () => {
    const { gram, labels } = clusters(2, 2, 5, 0.1, 6)
    expect(crossValidate(gram, labels, 2, threefold).correct.length).toBe(4)
  })
})
