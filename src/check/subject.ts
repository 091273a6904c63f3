import type { Random } from '../base/random.ts'
import type { Tolerance } from '../reference/compare.ts'
import { type NdArray, ndArray } from '../reference/ndarray.ts'
import type { Engine } from '../tensor/engine.ts'

/** What a case computed, and what it should have. */
export interface Finding {
  /** 'y', 'dx', 'dweight' … */
  readonly what: string
  /**
   * The passes whose kernels it came from, by the recording's names; null where all the case's
   * kernels did.
   */
  readonly passes: readonly string[] | null
  /** What is expected: of the float64 reference, or by finite differences of it. */
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
  /** The cases at the edges, and `drawn` more of any shape. */
  cases(random: Random, drawn: number): readonly CheckCase[]
  /** Runs it once at a size whose time can be measured, and checks nothing. */
  load?(engine: Engine): void
}

/** An integer from `low` to `high`, both included. */
export function between(random: Random, low: number, high: number): number {
  return low + random.below(high - low + 1)
}

/** The values as float32 has them, so that the reference starts from the same numbers. */
export function rounded({ shape, data }: NdArray): NdArray {
  return ndArray(Float32Array.from(data), shape)
}

/** `x [2, 3], stride 2`: shapes, then options that are set. */
export function describeCase(
  shapes: Readonly<Record<string, readonly number[] | null>>,
  attrs: object,
): string {
  const arrays = Object.entries(shapes).flatMap(([name, shape]) =>
    shape ? [`${name} [${shape.join(', ')}]`] : [],
  )
  const options = Object.entries(attrs).flatMap(([name, value]) =>
    value === null || value === undefined
      ? []
      : [`${name} ${Array.isArray(value) ? value.join(' x ') : value}`],
  )
  return [...arrays, ...options].join(', ')
}
