/** The rules that bench/strangers.ts compares: higher scores are farther from the known classes. */

import { at } from '../src/base/at.ts'
import type { LabeledReading, Reading } from '../src/train/readings.ts'
import { distancesOf, trustOf } from '../src/train/trust.ts'

type Score = (reading: Reading) => number

export interface Rule {
  readonly name: string
  readonly scoring: (
    trained: readonly LabeledReading[],
    heldOut: readonly LabeledReading[],
  ) => Score
}

const maxOf = (values: ArrayLike<number>) => Math.max(...Array.from(values))

/** The logarithm of the sum of the exponentials: minus the energy (Liu et al. 2020). */
function logSumExp(logits: Float32Array): number {
  const most = maxOf(logits)
  return most + Math.log(logits.reduce((sum, value) => sum + Math.exp(value - most), 0))
}

function direction(values: Float32Array): Float64Array {
  const length = Math.hypot(...values) || 1
  return Float64Array.from(values, (value) => value / length)
}

const dot = (a: ArrayLike<number>, b: ArrayLike<number>) => {
  let sum = 0
  for (let i = 0; i < a.length; i++) sum += at(a, i) * at(b, i)
  return sum
}

/** Minus the mean cosine of the ten most similar images (Sun et al. 2022). */
function nearestNeighbors(trained: readonly LabeledReading[], of: (r: Reading) => Float32Array) {
  const all = trained.map((reading) => direction(of(reading)))
  return (reading: Reading) => {
    const own = direction(of(reading))
    const cosines = all.map((other) => dot(own, other)).sort((a, b) => b - a)
    return -cosines.slice(0, 10).reduce((sum, value) => sum + value, 0) / 10
  }
}

/**
 * The Mahalanobis distance to the nearest class's mean, with one covariance for all classes (Lee et
 * al. 2018), which is mixed with a tenth of a multiple of the identity.
 */
function mahalanobis(trained: readonly LabeledReading[]): Score {
  const rows = trained.map(({ features, sample }) => ({
    x: Float64Array.from(features),
    label: sample.label,
  }))
  const labels = [...new Set(rows.map(({ label }) => label))]
  const means = new Map(
    labels.map((label) => {
      const own = rows.filter((row) => row.label === label)
      const mean = at(own, 0).x.map(
        (_, i) => own.reduce((s, { x }) => s + at(x, i), 0) / own.length,
      )
      return [label, mean]
    }),
  )
  const centered = rows.map(({ x, label }) => {
    const mean = means.get(label) ?? x
    return x.map((value, i) => value - at(mean, i))
  })
  const width = at(rows, 0).x.length
  const covariance = Array.from({ length: width }, () => new Float64Array(width))
  for (const row of centered)
    for (let i = 0; i < width; i++) {
      const own = at(covariance, i)
      const factor = at(row, i) / rows.length
      if (factor !== 0) for (let k = 0; k <= i; k++) own[k] = at(own, k) + factor * at(row, k)
    }
  const trace = covariance.reduce((sum, row, i) => sum + at(row, i), 0)
  const lower = covariance.map((row, i) =>
    row.map((value, k) => 0.9 * value + (i === k ? (0.1 * trace) / width : 0)),
  )
  cholesky(lower)
  return ({ features }) =>
    Math.min(
      ...[...means.values()].map((mean) => {
        // Solves L z = x - mean.
        const z = Float64Array.from(features, (value, i) => value - at(mean, i))
        for (let i = 0; i < width; i++) {
          const row = at(lower, i)
          let rest = at(z, i)
          for (let k = 0; k < i; k++) rest -= at(row, k) * at(z, k)
          z[i] = rest / at(row, i)
        }
        return dot(z, z)
      }),
    )
}

/** Replaces the lower half of a matrix by its Cholesky factor. */
function cholesky(lower: readonly Float64Array[]): void {
  for (let i = 0; i < lower.length; i++)
    for (let k = 0; k <= i; k++) {
      const [a, b] = [at(lower, i), at(lower, k)]
      let rest = at(a, k)
      for (let j = 0; j < k; j++) rest -= at(a, j) * at(b, j)
      a[k] = i === k ? Math.sqrt(rest) : rest / at(b, k)
    }
}

function ownRule(trained: readonly LabeledReading[], heldOut: readonly LabeledReading[]) {
  const trust = trustOf(trained, heldOut, false)
  if (!trust) throw new Error('there are too few images')
  return trust
}

export const rules: readonly Rule[] = [
  {
    name: 'probability',
    scoring: () => (r) => -Math.exp(maxOf(r.logits) - logSumExp(r.logits)),
  },
  { name: 'max logit', scoring: () => (r) => -maxOf(r.logits) },
  { name: 'energy', scoring: () => (r) => -logSumExp(r.logits) },
  { name: 'Mahalanobis', scoring: mahalanobis },
  { name: 'neighbors', scoring: (trained) => nearestNeighbors(trained, (r) => r.features) },
  {
    name: 'neighbors, all layers',
    scoring: (trained) =>
      nearestNeighbors(trained, (r) => Float32Array.of(...r.look, ...direction(r.features))),
  },
  {
    name: 'features',
    scoring: (trained, heldOut) => {
      const trust = ownRule(trained, heldOut)
      return (r) => distancesOf(trust, r).features
    },
  },
  {
    name: 'look + features',
    scoring: (trained, heldOut) => {
      const trust = ownRule(trained, heldOut)
      return (r) => distancesOf(trust, r).combined
    },
  },
]
