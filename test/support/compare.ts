/** Comparing what a kernel computed in float32 with what it should have computed. */

/** How many wrong elements a failure prints. */
const SHOWN = 8

/** How far, in units of the tensor's tolerance, one element may be off when the tensor as a whole is within it. */
const ELEMENT_SLACK = 16

const value = (data: ArrayLike<number>, i: number): number => data[i] ?? Number.NaN

const agreesNotFinite = (a: number, b: number): boolean => Object.is(a, b)

/**
 * The relative Frobenius error ||a - b|| / ||b||; where ||b|| = 0 it is ||a||.
 * Elements that are the same infinity, or NaN in both, count as equal; any other non-finite element makes the result Infinity.
 */
export function relativeError(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) return Number.POSITIVE_INFINITY
  let difference = 0
  let norm = 0
  for (let i = 0; i < b.length; i++) {
    const p = value(a, i)
    const q = value(b, i)
    if (Number.isFinite(p) && Number.isFinite(q)) {
      difference += (p - q) ** 2
      norm += q * q
    } else if (!agreesNotFinite(p, q)) return Number.POSITIVE_INFINITY
  }
  return Math.sqrt(difference) / (norm > 0 ? Math.sqrt(norm) : 1)
}

export interface Tolerance {
  /** Bound on the relative Frobenius error of the whole tensor; the default is 1e-5, 0 means bit for bit (but 0 equals -0). */
  readonly relative?: number
  /** Root-mean-square error that is allowed on top, for values that are small differences of large ones. Default 0. */
  readonly absolute?: number
}

/** Bit for bit: for operators that only move or choose values. */
export const exact: Tolerance = { relative: 0, absolute: 0 }

/** Row-major position `index` in an array of `shape`, as coordinates. */
export function coordinates(index: number, shape: readonly number[]): number[] {
  const result: number[] = []
  let rest = index
  for (const extent of [...shape].reverse()) {
    result.unshift(rest % extent)
    rest = Math.floor(rest / extent)
  }
  return result
}

/**
 * Throws unless `actual` is `expected` within the tolerance. Two things must hold:
 *
 *     ||a - b||    <=  relative * ||b|| + absolute * sqrt(n)                      (the tensor as a whole)
 *     |a_i - b_i|  <=  16 * (relative * max(|b_i|, rms(b)) + absolute)            (each element: one wrong value among
 *                                                                                  millions does not move the norm)
 *
 * An infinity or NaN that is not the same on both sides always fails. The message names the first wrong elements by their
 * coordinates, and the worst one.
 */
export function expectClose(
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  shape: readonly number[],
  options: Tolerance & { readonly name?: string } = {},
): void {
  const { relative = 1e-5, absolute = 0, name = 'tensor' } = options
  const n = shape.reduce((product, extent) => product * extent, 1)
  if (actual.length !== n || expected.length !== n) {
    throw new Error(`${name}: shape [${shape}] has ${n} elements, but actual has ${actual.length} and expected ${expected.length}`)
  }
  let finite = 0
  let norm = 0
  let difference = 0
  for (let i = 0; i < n; i++) {
    const a = value(actual, i)
    const b = value(expected, i)
    if (!Number.isFinite(a) || !Number.isFinite(b)) continue
    finite++
    norm += b * b
    difference += (a - b) ** 2
  }
  const scale = norm > 0 ? Math.sqrt(norm) : 1
  const allowed = relative * scale + absolute * Math.sqrt(finite)
  const wholeIsOff = Math.sqrt(difference) > allowed
  const rms = finite > 0 ? scale / Math.sqrt(finite) : 0
  // When the norm is exceeded, elements beyond the average allowance are what exceeds it: at least one such exists.
  const slack = wholeIsOff ? 1 : ELEMENT_SLACK

  const bad: number[] = []
  let count = 0
  let worst = -1
  let worstError = 0
  for (let i = 0; i < n; i++) {
    const a = value(actual, i)
    const b = value(expected, i)
    const finitePair = Number.isFinite(a) && Number.isFinite(b)
    if (!finitePair && agreesNotFinite(a, b)) continue
    const error = finitePair ? Math.abs(a - b) : Number.POSITIVE_INFINITY
    const limit = wholeIsOff ? relative * rms + absolute : relative * Math.max(Math.abs(b), rms) + absolute
    if (finitePair && error <= slack * limit) continue
    count++
    if (bad.length < SHOWN) bad.push(i)
    if (error > worstError) {
      worst = i
      worstError = error
    }
  }
  if (!wholeIsOff && count === 0) return

  const line = (i: number): string => {
    const a = value(actual, i)
    const b = value(expected, i)
    return `[${coordinates(i, shape).join(', ')}] got ${a}, expected ${b}, off by ${Math.abs(a - b).toPrecision(3)}`
  }
  const measured = relativeError(actual, expected).toExponential(2)
  const lines = [
    `${name}: shape [${shape.join(', ')}], ${count} of ${n} elements off; relative error ${measured}, allowed ${relative}` +
      (absolute > 0 ? ` and ${absolute} absolute` : '') +
      (wholeIsOff ? '' : ' (the norm is within it, single elements are not)'),
    ...bad.map((i) => `  ${line(i)}`),
  ]
  if (count > bad.length) lines.push(`  and ${count - bad.length} more`)
  if (worst >= 0) lines.push(`  worst: ${line(worst)}`)
  throw new Error(lines.join('\n'))
}

/** Unit roundoff of float32 with rounding to nearest. */
const UNIT_ROUNDOFF = 2 ** -24

/** Safety factor of `sumTolerance`; see there. */
const SUM_SAFETY = 8

/**
 * The relative Frobenius error to allow a float32 dot product of `terms` terms against its float64 value:
 *
 *     8 * u * sqrt((terms / 2 + 1) / 3),   u = 2^-24
 *
 * Where it comes from. Each operation rounds by a relative d, |d| <= u, which we take as independent, of mean zero and uniform:
 * its root mean square is at most u / sqrt(3) (the model of Higham and Mary, "A new approach to probabilistic rounding error
 * analysis", 2019; the worst case, terms * u, is never seen on data that nobody chose against us).
 * Adding in sequence products of mean zero and spread s, the partial sum s_k has spread s * sqrt(k), so
 *
 *     rms error of the sums      = u / sqrt(3) * s * sqrt(1 + 2 + ... + terms)  ~  u / sqrt(3) * s * terms / sqrt(2)
 *     rms error of the products  = u / sqrt(3) * s * sqrt(terms)
 *     rms of the result          = s * sqrt(terms)
 *     relative                   = u * sqrt((terms / 2 + 1) / 3)
 *
 * Products all of one sign have s_k ~ k * m: u / sqrt(3) * m * sqrt(1 + 4 + ... + terms^2) over m * terms is u * sqrt(terms) / 3,
 * below the first. Sums in several registers or by a tree, and fused multiply-adds, round less often and lie below both.
 * The factor of 8 covers what the model leaves out: float32 inputs that the reference saw in float64 (one rounding each), a
 * correlated d, and tensors of few elements, whose own norm may by chance be several times smaller than s * sqrt(terms).
 * It does not cover results that cancel by construction (a sum of a softmax's gradient): pass `absolute` there too.
 */
export function sumTolerance(terms: number): number {
  return SUM_SAFETY * UNIT_ROUNDOFF * Math.sqrt((Math.max(1, terms) / 2 + 1) / 3)
}
