/**
 * A contraction: the one sum that every matrix product and all three passes of a convolution are,
 *
 *     y[row, col] = Σ_k0 Σ_k1 Σ_k2 A[row, (k0, k1, k2)] · B[start(col) + Σ k·strides]
 *
 * This file says what is summed and where it is in memory; contract.ts computes it.
 */
import type { Gpu } from '../gpu/gpu.ts'
import type { Problem } from '../gpu/tiling/tiling.ts'
import { type NdBuffer, type NdWindow, sizeOf } from '../tensor/ndbuffer.ts'

/** Three indices, or the extents or strides of them, outermost first. */
export type Triple = readonly [number, number, number]

/** Where the A operand is. Offsets and strides count elements. */
export interface RowOperand {
  readonly src: NdWindow
  readonly base: number
  readonly planeStride: number
  readonly rowStride: number
  readonly strides: Triple
  /** The stride from one step to the next of an interleaved vector of steps. */
  readonly elementStride?: number
  /**
   * Where steps are interleaved: A is 0 where k0 · 4 + (the step within its vector) is this or
   * more. Default: nowhere.
   */
  readonly outerSteps?: number
}

/** Packs the A operand in panels of `rows` rows: [planes, panels, depth, rows]. */
export type PackRows = (rows: number) => NdBuffer

/**
 * Where the B operand is: a column (j0, j1, j2) starts at base + plane · planeStride +
 * Σ j · columnStrides.
 */
export interface ColumnOperand {
  readonly src: NdWindow
  readonly base: number
  readonly planeStride: number
  readonly columnStrides: Triple
  readonly strides: Triple
}

/** Where y is, and what is done to a sum before it is stored. */
export interface Result {
  readonly dst: NdWindow
  readonly base: number
  readonly planeStride: number
  readonly rowStride: number
  readonly columnStrides: Triple
  /** The stride from one column to the next of an interleaved vector of columns. */
  readonly elementStride?: number
  /**
   * Where columns are interleaved: columns with j0 · 4 + (the column within its vector) of this or
   * more are not stored. Default: all are.
   */
  readonly outerColumns?: number
  /** Is added: one value per row of every plane, or one per column. */
  readonly bias?: NdBuffer | null
  readonly biasAlong?: 'rows' | 'columns'
  /** Where in the bias the first value is. Default 0. */
  readonly biasBase?: number
  /** Whether max(y, 0) is stored. Default false. */
  readonly relu?: boolean
}

export interface Contraction {
  /** Independent products side by side: a convolution's groups. */
  readonly planes: number
  readonly rows: number
  /**
   * What the four elements of a vector of B are, so that one load fetches them: four columns, or
   * four steps of the sum. The innermost extent of `columns` or `depth` then counts vectors, and
   * all offsets and strides of B are multiples of four.
   */
  readonly interleaved: 'columns' | 'depth' | 'none'
  /** The extents of the column index (j0, j1, j2). */
  readonly columns: Triple
  /** The extents of the summed index (k0, k1, k2). */
  readonly depth: Triple
  readonly a: RowOperand | PackRows
  readonly b: ColumnOperand
  readonly y: Result
  /**
   * Whether the sum may be split over k0 into parts that are added afterwards. Then y is contiguous
   * from its base 0 and takes neither bias nor ReLU.
   */
  readonly split?: boolean
}

/** How many columns, and how many steps of the sum, one vector of B holds. */
export const vectorWidths = ({ interleaved }: Pick<Contraction, 'interleaved'>) => ({
  columnsPerVector: interleaved === 'columns' ? 4 : 1,
  stepsPerVector: interleaved === 'depth' ? 4 : 1,
})

/** Columns of the result. */
export function columnCount(c: Contraction): number {
  return sizeOf(c.columns) * vectorWidths(c).columnsPerVector
}

/** Steps of the sum. */
export function stepCount(c: Contraction): number {
  return sizeOf(c.depth) * vectorWidths(c).stepsPerVector
}

/** What a tiling is chosen by. */
export function problemOf(c: Contraction): Problem {
  const { planes, rows, interleaved } = c
  return {
    planes,
    rows,
    columns: columnCount(c),
    depth: stepCount(c),
    interleaved,
    mostSplits: c.split ? Math.max(1, c.depth[0]) : 1,
  }
}

const observers = new WeakMap<Gpu, (contraction: Contraction) => void>()

/** Calls the observer with every contraction from now on, until the result is called. */
export function observeContractions(
  gpu: Gpu,
  observer: (contraction: Contraction) => void,
): () => void {
  observers.set(gpu, observer)
  return () => observers.delete(gpu)
}

/** Tells whoever observes contractions of one that is about to be computed. */
export function noteContraction(gpu: Gpu, contraction: Contraction): void {
  observers.get(gpu)?.(contraction)
}
