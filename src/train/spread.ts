import { at } from '../base/at.ts'
import { ShapeError } from '../base/errors.ts'
import { Random } from '../base/random.ts'

/** A vector in whole numbers from -127 to 127, each times `step`. */
export interface PackedVector {
  readonly step: number
  readonly values: Int8Array
}

/** Where vectors of some classes lie, and how far they vary around their classes' means. */
export interface Spread {
  /** Numbers in a vector. */
  readonly width: number
  /** The mean of each class; null for a class without a vector. */
  readonly means: readonly (PackedVector | null)[]
  /** The directions in which vectors vary most around these means, each of length 1. */
  readonly directions: readonly PackedVector[]
  /** The variance in each of these directions. */
  readonly variances: readonly number[]
  /** The variance in every other direction, on average. */
  readonly rest: number
}

/** A vector of a class. */
export interface LabeledRow {
  readonly label: number
  readonly values: ArrayLike<number>
}

/** Directions that are kept, at most: where there are more, bench/strangers.ts is no better. */
const most = 8
/** The part of every variance that is the mean of all of them: few vectors understate some. */
const evened = 0.1
/** Directions that are searched for, so that those that are kept are the right ones. */
const searched = 2 * most
/** Rounds of the search. */
const rounds = 8
/** Below all variances of a network's values, so that vectors that are all alike have one. */
const least = 1e-12

/**
 * Measures where vectors lie: probabilistic PCA (Tipping and Bishop 1999) around the means of the
 * classes. A few rounds of orthogonal iteration find the directions.
 */
export function spreadOf(rows: readonly LabeledRow[], classes: number): Spread {
  const width = at(rows, 0).values.length
  const means = Array.from({ length: classes }, (_, label) => {
    const own = rows.filter((row) => row.label === label)
    return own.length === 0 ? null : packed(meanOf(own, width))
  })
  const middles = means.map((mean) => mean && unpacked(mean))
  const free = rows.length - middles.filter((middle) => middle !== null).length
  const shrink = 1 / Math.sqrt(Math.max(1, free))
  const centered = rows.map(({ label, values }) =>
    Float64Array.from(middles[label] ?? [], (middle, i) => shrink * (at(values, i) - middle)),
  )
  const random = new Random(1, 7003)
  const count = Math.min(searched, width, Math.max(1, free))
  let found: Float64Array[] = Array.from({ length: count }, () =>
    Float64Array.from({ length: width }, () => random.normal()),
  )
  for (let round = 0; round < rounds; round++)
    found = orthogonal(found.map((direction) => pulled(centered, direction)))
  found = found.slice(0, most)
  const directions = found.map(packed)
  const along = found.map((direction) =>
    centered.reduce((sum, row) => sum + dot(row, direction) ** 2, 0),
  )
  const total = centered.reduce((sum, row) => sum + dot(row, row), 0)
  const left = Math.max(0, total - along.reduce((sum, variance) => sum + variance, 0))
  const even = (evened * total) / width + least
  return {
    width,
    means,
    directions,
    variances: along.map((variance) => (1 - evened) * variance + even),
    rest: ((1 - evened) * left) / Math.max(1, width - found.length) + even,
  }
}

/**
 * How far outside a vector lies: the logarithm of its squared Mahalanobis distance to the nearest
 * class's mean.
 * @throws ShapeError when it is of another length
 */
export function outsideness(spread: Spread, row: ArrayLike<number>): number {
  const { width, variances, rest } = spread
  if (row.length !== width)
    throw new ShapeError(
      `this network gives ${row.length} numbers where the one that “none of these” was learned ` +
        `with gave ${width}: call learnTrust with this network`,
    )
  const { means, directions } = prepared(spread)
  const along = directions.map((direction) => dot(direction, row))
  const distances = means.map((mean) => {
    let [distance, left] = [0, 0]
    for (let i = 0; i < width; i++) left += (at(row, i) - at(mean.values, i)) ** 2
    for (const [k, variance] of variances.entries()) {
      const square = (at(along, k) - at(mean.along, k)) ** 2
      distance += square / variance
      left -= square
    }
    return distance + Math.max(0, left) / rest
  })
  return Math.log(least + Math.min(...distances))
}

/** A spread as `outsideness` reads it; computed once for each. */
function prepare({ means, directions }: Spread) {
  const ways = directions.map(unpacked)
  const middles = means.filter((mean) => mean !== null).map(unpacked)
  return {
    directions: ways,
    means: middles.map((values) => ({ values, along: ways.map((way) => dot(way, values)) })),
  }
}

const kept = new WeakMap<Spread, ReturnType<typeof prepare>>()
function prepared(spread: Spread) {
  const made = kept.get(spread) ?? prepare(spread)
  kept.set(spread, made)
  return made
}

function meanOf(rows: readonly LabeledRow[], width: number): Float64Array {
  const sum = new Float64Array(width)
  for (const { values } of rows) add(sum, values, 1 / rows.length)
  return sum
}

/** A direction, turned toward those in which the rows vary most. */
function pulled(rows: readonly Float64Array[], direction: Float64Array): Float64Array {
  const sum = new Float64Array(direction.length)
  for (const row of rows) add(sum, row, dot(row, direction))
  return sum
}

/** Directions of length 1 at right angles; where there are no more, they are zeros. */
function orthogonal(vectors: readonly Float64Array[]): Float64Array[] {
  const done: Float64Array[] = []
  for (const vector of vectors) {
    const before = Math.sqrt(dot(vector, vector))
    // Twice, because of rounding.
    for (const one of [...done, ...done]) add(vector, one, -dot(one, vector))
    const isNew = Math.sqrt(dot(vector, vector)) > 1e-9 * before
    done.push(isNew ? normalized(vector) : new Float64Array(vector.length))
  }
  return done
}

function packed(vector: Float64Array): PackedVector {
  const step = vector.reduce((max, value) => Math.max(max, Math.abs(value)), 0) / 127
  return { step, values: Int8Array.from(vector, (value) => Math.round(value / (step || 1))) }
}

const unpacked = ({ step, values }: PackedVector) =>
  Float64Array.from(values, (value) => step * value)

/** A vector of length 1; zeros stay zeros. */
function normalized(vector: ArrayLike<number>): Float64Array {
  const length = Math.sqrt(dot(vector, vector)) || 1
  return Float64Array.from(vector, (value) => value / length)
}

function dot(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0
  for (let i = 0; i < a.length; i++) sum += at(a, i) * at(b, i)
  return sum
}

function add(sum: Float64Array, vector: ArrayLike<number>, factor: number): void {
  for (let i = 0; i < sum.length; i++) sum[i] = at(sum, i) + factor * at(vector, i)
}
