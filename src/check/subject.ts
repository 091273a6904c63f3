import type { Random } from '../base/random.ts'
import type { Tolerance } from '../reference/agreement.ts'
import type { Engine } from '../tensor/tensor.ts'

/** What a case computed, and what it should have. */
export interface Finding {
  /** 'y', 'dx', 'dweight' … */
  readonly what: string
  /**
   * The passes whose kernels it came from, by the recording's names; null where all the case's
   * kernels did.
   */
  readonly passes: readonly string[] | null
  /** What it is compared with: the float64 reference, or finite differences of it. */
  readonly against: 'reference' | 'differences'
  readonly actual: ArrayLike<number>
  readonly expected: ArrayLike<number>
  readonly shape: readonly number[]
  readonly tolerance: Tolerance
}

/** One set of shapes, options and values. */
export interface CheckCase {
  /** 'x [2, 3, 9, 8], weight [6, 3, 3, 3], stride 2', for people. */
  readonly description: string
  run(engine: Engine): Promise<readonly Finding[]>
}

/** Something with kernels to check: an operator, the optimizers, the image transforms. */
export interface Subject {
  readonly name: string
  /** Which engines it has kernels for: fast and plain ones, or one kind alone. */
  readonly kernels: readonly ('fast' | 'plain')[]
  /** Folders and files of shaders/ that it checks, besides the folder of its own name. */
  readonly checks: readonly string[]
  /** Why its results may be off by as much as they may. */
  readonly tolerance: string
  /** The cases at the edges, and `drawn` more of any shape. */
  cases(random: Random, drawn: number): readonly CheckCase[]
  /** Runs it once at a size whose time can be measured, and checks nothing. */
  load?(engine: Engine): void
}

/** A result of a case whose kernels all took part in it, beside the float64 reference. */
export function finding(
  what: string,
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  shape: readonly number[],
  tolerance: Tolerance,
): Finding {
  return { what, passes: null, against: 'reference', actual, expected, shape, tolerance }
}

/** `n` standard normal numbers. */
export function normalValues(random: Random, n: number): Float32Array {
  return Float32Array.from({ length: n }, () => random.normal())
}

/** `x [2, 3], stride 2`: shapes, then options that are set. */
export function describeCase(
  shapes: Readonly<Record<string, readonly number[] | null>>,
  attrs: object,
): string {
  const arrays = Object.entries(shapes).flatMap(([name, shape]) =>
    shape ? [`${name} [${shape.join(', ')}]`] : [],
  )
  const options = Object.entries(attrs).flatMap(([name, value]: [string, unknown]) =>
    value === null || value === undefined ? [] : [`${name} ${describeOption(value)}`],
  )
  return [...arrays, ...options].join(', ')
}

function describeOption(value: unknown): string {
  if (Array.isArray(value)) return value.join(' x ')
  if (value instanceof Int32Array) return `Int32Array(${value.length})`
  return value instanceof Float32Array ? `Float32Array(${value.length})` : String(value)
}
