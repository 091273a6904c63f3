/** The rules that bench/strangers.ts compares: higher scores are farther from the known classes. */

import { at } from '../src/base/at.ts'
import type { LabeledReading, Reading } from '../src/train/readings.ts'
import { outsideness, spreadOf } from '../src/train/spread.ts'
import { distancesOf, trustOf } from '../src/train/trust.ts'

type Score = (reading: Reading) => number
type Vector = ArrayLike<number>
type Aspect = (reading: Reading) => Vector

/** What a rule learns from: images that were trained on, and others of the same classes. */
interface Known {
  readonly trained: readonly LabeledReading[]
  readonly heldOut: readonly LabeledReading[]
}

const features: Aspect = (reading) => reading.features
const look: Aspect = (reading) => reading.look
const maxOf = (values: Vector) => Math.max(...Array.from(values))

/** The logarithm of the sum of the exponentials: minus the energy (Liu et al. 2020). */
function logSumExp(logits: Float32Array): number {
  const most = maxOf(logits)
  return most + Math.log(logits.reduce((sum, value) => sum + Math.exp(value - most), 0))
}

function dot(a: Vector, b: Vector): number {
  let sum = 0
  for (let i = 0; i < a.length; i++) sum += at(a, i) * at(b, i)
  return sum
}

function direction(values: Vector): Float64Array {
  const length = Math.sqrt(dot(values, values)) || 1
  return Float64Array.from(values, (value) => value / length)
}

function meanOf(rows: readonly Vector[]): Float64Array {
  const sum = new Float64Array(at(rows, 0).length)
  for (const row of rows) for (const i of sum.keys()) sum[i] = at(sum, i) + at(row, i)
  return sum.map((value) => value / rows.length)
}

function meansOf(
  trained: readonly LabeledReading[],
  of: Aspect,
  classOf: (reading: LabeledReading) => number,
): Map<number, Float64Array> {
  const own = (label: number) => trained.filter((reading) => classOf(reading) === label).map(of)
  return new Map([...new Set(trained.map(classOf))].map((label) => [label, meanOf(own(label))]))
}

/** Minus the mean cosine of the ten most similar images (Sun et al. 2022). */
function nearestNeighbors({ trained }: Known, of: Aspect): Score {
  const all = trained.map((reading) => direction(of(reading)))
  return (reading) => {
    const own = direction(of(reading))
    const cosines = all.map((other) => dot(own, other)).sort((a, b) => b - a)
    return -cosines.slice(0, 10).reduce((sum, value) => sum + value, 0) / 10
  }
}

/** 1 - the cosine to the most similar class's mean direction. */
function classMeans({ trained }: Known, of: Aspect): Score {
  const means = meansOf(
    trained,
    (reading) => direction(of(reading)),
    ({ sample }) => sample.label,
  )
  const directions = [...means.values()].map(direction)
  return (reading) => {
    const own = direction(of(reading))
    return 1 - Math.max(...directions.map((one) => dot(one, own)))
  }
}

/** The sum of two scores, each less its mean over images held out, in standard deviations. */
function sumOf({ heldOut }: Known, scores: readonly Score[]): Score {
  const scales = scores.map((score) => {
    const all = heldOut.map(score)
    const mean = all.reduce((sum, value) => sum + value, 0) / all.length
    const variance = all.reduce((sum, value) => sum + (value - mean) ** 2, 0) / all.length
    return { score, mean, deviation: Math.sqrt(variance) || 1 }
  })
  return (reading) =>
    scales.reduce((sum, { score, mean, deviation }) => {
      return sum + (score(reading) - mean) / deviation
    }, 0)
}

/**
 * The squared Mahalanobis distance to the nearest class's mean, with one covariance for all classes
 * (Lee et al. 2018), or to the mean of all images. The covariance is mixed with a tenth of a
 * multiple of the identity, and inverted by the formula of Woodbury: there are fewer images than
 * features.
 */
function mahalanobis({ trained }: Known, of: Aspect, byClass: boolean): Score {
  const classOf = ({ sample }: LabeledReading) => (byClass ? sample.label : 0)
  const means = meansOf(trained, of, classOf)
  const shrink = Math.sqrt(0.9 / trained.length)
  const rows = trained.map((reading) => {
    const mean = means.get(classOf(reading)) ?? []
    return Float64Array.from(of(reading), (value, i) => shrink * (value - at(mean, i)))
  })
  const width = at(rows, 0).length
  const even = (0.1 / 0.9) * (rows.reduce((sum, row) => sum + dot(row, row), 0) / width) || 1e-12
  const lower = rows.map((a, i) =>
    Float64Array.from(rows, (b, k) => (k > i ? 0 : dot(a, b) + (i === k ? even : 0))),
  )
  cholesky(lower)
  const solved = (x: Vector) =>
    solvedBy(
      lower,
      Float64Array.from(rows, (row) => dot(row, x)),
    )
  const centers = [...means.values()].map((mean) => ({ mean, inside: solved(mean) }))
  return (reading) => {
    const x = of(reading)
    const inside = solved(x)
    const distances = centers.map((center) => {
      const offset = center.mean.map((value, i) => at(x, i) - value)
      const along = center.inside.map((value, i) => at(inside, i) - value)
      return (dot(offset, offset) - dot(along, along)) / even
    })
    return Math.min(...distances)
  }
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

/** Solves L z = y. */
function solvedBy(lower: readonly Float64Array[], y: Float64Array): Float64Array {
  const z = Float64Array.from(y)
  for (const [i, row] of lower.entries()) {
    let rest = at(z, i)
    for (let k = 0; k < i; k++) rest -= at(row, k) * at(z, k)
    z[i] = rest / at(row, i)
  }
  return z
}

function spread({ trained }: Known, of: Aspect): Score {
  const rows = trained.map((reading) => ({ label: reading.sample.label, values: of(reading) }))
  const learned = spreadOf(rows, at(trained, 0).logits.length)
  return (reading) => outsideness(learned, of(reading))
}

export interface Rule {
  readonly name: string
  readonly scoring: (known: Known) => Score
}

export const rules: readonly Rule[] = [
  {
    name: 'probability',
    scoring: () => (r) => -Math.exp(maxOf(r.logits) - logSumExp(r.logits)),
  },
  { name: 'energy', scoring: () => (r) => -logSumExp(r.logits) },
  {
    name: 'relative Mahalanobis',
    scoring: (known) => {
      const nearest = mahalanobis(known, features, true)
      const any = mahalanobis(known, features, false)
      return (reading) => nearest(reading) - any(reading)
    },
  },
  { name: 'neighbors', scoring: (known) => nearestNeighbors(known, features) },
  {
    name: 'class means, both',
    scoring: (known) => sumOf(known, [classMeans(known, look), classMeans(known, features)]),
  },
  { name: 'Mahalanobis', scoring: (known) => mahalanobis(known, features, true) },
  {
    name: 'Mahalanobis, both',
    scoring: (known) => {
      const log = (of: Aspect): Score => {
        const distance = mahalanobis(known, of, true)
        return (reading) => Math.log(distance(reading))
      }
      return sumOf(known, [log(look), log(features)])
    },
  },
  { name: 'spread of features', scoring: (known) => spread(known, features) },
  { name: 'spread of look', scoring: (known) => spread(known, look) },
  {
    name: 'spread of both',
    scoring: ({ trained, heldOut }) => {
      const trust = trustOf(trained, heldOut, false)
      if (!trust) throw new Error('there are too few images')
      return (reading) => distancesOf(trust, reading).combined
    },
  },
]
