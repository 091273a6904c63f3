/** Whether what a kernel computed in float32 agrees with what it should have computed. */

/**
 * How far, in units of the tensor's tolerance, one element may be off when the tensor as a whole is
 * within it.
 */
const ELEMENT_SLACK = 16

const value = (data: ArrayLike<number>, i: number): number => data[i] ?? Number.NaN

const agreesNotFinite = (a: number, b: number): boolean => Object.is(a, b)

/**
 * The relative Frobenius error ||a - b|| / ||b||; where ||b|| = 0 it is ||a||.
 * Elements that are the same infinity, or NaN in both, count as equal; any other non-finite element
 * makes the result Infinity.
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
  /**
   * Bound on the relative Frobenius error of the whole tensor; the default is 1e-5, 0 means bit for
   * bit (but 0 equals -0).
   */
  readonly relative?: number
  /**
   * Root-mean-square error that is allowed on top, for values that are small differences of large
   * ones. Default 0.
   */
  readonly absolute?: number
}

/** What a tolerance allows, with its defaults where it says nothing. */
export function boundsOf({ relative = 1e-5, absolute = 0 }: Tolerance): Required<Tolerance> {
  return { relative, absolute }
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

/** The outcome of one comparison. */
export interface Comparison {
  readonly ok: boolean
  /** The relative Frobenius error, as `relativeError` has it. */
  readonly relative: number
  /** How much of what the tensor as a whole may be off by it is off by: 1 is all of it. */
  readonly used: number
  /** Elements beyond what is allowed. */
  readonly off: number
  /** The first few of them, by flat index. */
  readonly bad: readonly number[]
  /**
   * The element that is furthest off, by flat index: of the wrong ones where there are any; null
   * for an empty tensor.
   */
  readonly worst: {
    readonly index: number
    readonly actual: number
    readonly expected: number
    readonly error: number
  } | null
  /** Whether the tensor as a whole is beyond the tolerance, or only single elements are. */
  readonly wholeIsOff: boolean
}

/** How many wrong elements a comparison lists. */
const SHOWN = 8

/**
 * Compares two tensors. They agree where two things hold:
 *
 *     ||a - b||    <=  relative * ||b|| + absolute * sqrt(n)
 *     |a_i - b_i|  <=  16 * (relative * max(|b_i|, rms(b)) + absolute)
 *
 * The first judges the tensor as a whole, the second each element: one wrong value among millions
 * does not move the norm.
 * An infinity or NaN that is not the same on both sides is always off.
 * @throws RangeError when the two differ in length
 */
export function compareTensors(
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  tolerance: Tolerance,
): Comparison {
  const { relative, absolute } = boundsOf(tolerance)
  const n = expected.length
  if (actual.length !== n)
    throw new RangeError(`${actual.length} values cannot be compared with ${n}`)
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
  // When the norm is exceeded, elements beyond the average allowance are what exceeds it: at least
  // one such exists.
  const slack = wholeIsOff ? 1 : ELEMENT_SLACK

  const bad: number[] = []
  let off = 0
  let worst: Comparison['worst'] = null
  for (let i = 0; i < n; i++) {
    const a = value(actual, i)
    const b = value(expected, i)
    const finitePair = Number.isFinite(a) && Number.isFinite(b)
    const agrees = !finitePair && agreesNotFinite(a, b)
    const error = agrees ? 0 : finitePair ? Math.abs(a - b) : Number.POSITIVE_INFINITY
    if (!worst || error > worst.error) worst = { index: i, actual: a, expected: b, error }
    const limit = wholeIsOff
      ? relative * rms + absolute
      : relative * Math.max(Math.abs(b), rms) + absolute
    if (agrees || (finitePair && error <= slack * limit)) continue
    off++
    if (bad.length < SHOWN) bad.push(i)
  }
  return {
    ok: !wholeIsOff && off === 0,
    relative: relativeError(actual, expected),
    used: difference === 0 ? 0 : Math.sqrt(difference) / allowed,
    off,
    bad,
    worst,
    wholeIsOff,
  }
}

/** Unit roundoff of float32 with rounding to nearest. */
const UNIT_ROUNDOFF = 2 ** -24

/** Safety factor of `sumTolerance`; see there. */
const SUM_SAFETY = 8

/**
 * The relative Frobenius error to allow a float32 dot product of `terms` terms against its float64
 * value:
 *
 *     8 * u * sqrt((terms / 2 + 1) / 3),   u = 2^-24
 *
 * Where it comes from. Each operation rounds by a relative d, |d| <= u, which we take as
 * independent, of mean zero and uniform: its root mean square is at most u / sqrt(3) (the model of
 * Higham and Mary, "A new approach to probabilistic rounding error analysis", 2019; the worst case,
 * terms * u, is never seen on data that nobody chose against us). Adding in sequence products of
 * mean zero and spread s, the partial sum s_k has spread s * sqrt(k), so
 *
 *     rms error of the sums      = u / sqrt(3) * s * sqrt(1 + 2 + ... + terms)
 *                                ~ u / sqrt(3) * s * terms / sqrt(2)
 *     rms error of the products  = u / sqrt(3) * s * sqrt(terms)
 *     rms of the result          = s * sqrt(terms)
 *     relative                   = u * sqrt((terms / 2 + 1) / 3)
 *
 * Products all of one sign have s_k ~ k * m: u / sqrt(3) * m * sqrt(1 + 4 + ... + terms^2) over m *
 * terms is u * sqrt(terms) / 3, below the first. Sums in several registers or by a tree, and fused
 * multiply-adds, round less often and lie below both. The factor of 8 covers what the model leaves
 * out: float32 inputs that the reference saw in float64 (one rounding each), a correlated d, and
 * tensors of few elements, whose own norm may by chance be several times smaller than s *
 * sqrt(terms). It does not cover results that cancel by construction (a sum of a softmax's
 * gradient): pass `absolute` there too.
 */
export function sumTolerance(terms: number): number {
  return SUM_SAFETY * UNIT_ROUNDOFF * Math.sqrt((Math.max(1, terms) / 2 + 1) / 3)
}

/**
 * The tolerance of an operator whose longest sum has `terms` terms of size 1. The absolute part is
 * for sums that cancel: what then remains is the rounding of the terms, sqrt(terms) of them
 * together.
 */
export function weightedTolerance(terms: number): Tolerance {
  return { relative: sumTolerance(terms), absolute: sumTolerance(terms) * Math.sqrt(terms) }
}
