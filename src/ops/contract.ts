/**
 * The matrix core: matrix products and the three passes of a convolution as one sum,
 *
 *     y[row, col] = Σ_a Σ_b Σ_c A[row, (a, b, c)] · B[base(col) + a·strideA + b·strideB + c·strideC]
 *
 * A is packed into panels of rows, unless its rows are neighbors already. B is read where it lies:
 * four columns or four steps of c at a time where they are neighbors, since a load of four numbers
 * costs a CPU adapter little more than one of a single number. Two hot kernels serve them all,
 * register tiles for CPU adapters and blocks in shared memory for GPUs, so there is little to make
 * fast.
 */
import { UsageError } from '../base/errors.ts'
import type { Gpu } from '../gpu/gpu.ts'
import { type Constants, elementKernel, type Kernel, maxGroups } from '../gpu/kernels/kernel.ts'
import {
  type BlockTiling,
  type Problem,
  type RegisterTiling,
  type Tiling,
  unrollFactor,
} from '../gpu/tiling/tiling.ts'
import { type NdBuffer, type NdWindow, scratch, sizeOf } from '../tensor/ndbuffer.ts'
import { sumOuter } from './reduce.ts'

/** The summed index or the column index, outermost first. */
export type Triple = readonly [number, number, number]

/**
 * Where the A operand lies. `planes` are independent products side by side: a convolution's groups.
 */
export interface RowOperand {
  readonly src: NdWindow
  readonly base: number
  readonly planeStride: number
  readonly rowStride: number
  readonly strides: Triple
  /** The stride within a group of four steps of c. */
  readonly innerStride?: number
  /** A is 0 where a · 4 + (the step within the group of four) is this or more. Default: nowhere. */
  readonly live?: number
}

/** Packs the A operand in panels of `rows` rows: [planes, panels, depth, rows]. */
export type PackRows = (rows: number) => NdBuffer

/** Chooses how a contraction is computed. */
export type ChooseTiling = (problem: Problem) => Tiling

/**
 * Where the B operand lies: a column (i0, i1, i2) starts at base + plane·planeStride + Σ
 * i·columnStrides.
 */
export interface ColumnOperand {
  readonly src: NdWindow
  readonly base: number
  readonly planeStride: number
  readonly columnStrides: Triple
  readonly strides: Triple
}

/**
 * Where y lies, the bias that is added to it, one value a row, or one a column, and whether a ReLU
 * follows.
 */
export interface Result {
  readonly dst: NdWindow
  readonly base: number
  readonly planeStride: number
  readonly rowStride: number
  readonly columnStrides: Triple
  /** The stride within a group of four columns. */
  readonly innerStride?: number
  /**
   * Columns where i0 · 4 + (the column within the group of four) is this or more are not stored.
   * Default: all are.
   */
  readonly live?: number
  readonly bias?: NdBuffer | null
  readonly biasAlong?: 'rows' | 'columns'
  /** Where in the bias the first row's or column's value lies. Default 0. */
  readonly biasBase?: number
  /** Whether max(y, 0) is stored. Default false. */
  readonly relu?: boolean
}

export interface Contraction {
  readonly planes: number
  readonly rows: number
  /**
   * What the column index and the summed index count fours of, neighbors in B: the innermost extent
   * of columns or of depth is then that of the groups, and every offset and stride of B is a
   * multiple of four.
   */
  readonly fours: 'columns' | 'depth' | 'nothing'
  /** The column index's extents (i0, i1, i2). */
  readonly columns: Triple
  readonly depth: Triple
  readonly a: RowOperand | PackRows
  readonly b: ColumnOperand
  readonly y: Result
  /**
   * Whether the sum may be split over `a` into parts that are added afterwards. Then y is
   * contiguous from its base 0 and takes neither bias nor ReLU.
   */
  readonly split?: boolean
}

const pack = elementKernel<'n'>('contract/pack', (p) => p.n, {
  cost: ({ n }) => ({ flops: 0, bytes: 32 * n }),
})

/** What the two kernels say of themselves; `width` is how many columns a workgroup computes. */
const contractKernel = (
  name: string,
  width: (constants: Constants) => number,
  threads: Kernel['threads'],
): Kernel => ({
  name,
  constants: {},
  threads,
  grid({ cols = 0, panels = 1, planes = 1, splits = 1 }, constants) {
    const tiles = Math.ceil(cols / width(constants))
    const parts = panels * planes * splits
    // Many tiles and many parts at once would be an output of terabytes.
    return tiles > maxGroups
      ? [maxGroups, Math.ceil(tiles / maxGroups), parts]
      : [tiles, Math.min(parts, maxGroups), Math.ceil(parts / maxGroups)]
  },
  cost(p, { FOURS_COLS = 1, FOURS_DEPTH = 1 }) {
    const { planes = 1, rows = 0, cols = 0, depth_a = 0, depth_b = 0, groups_c = 0, splits = 1 } = p
    const depth = depth_a * depth_b * groups_c * FOURS_DEPTH
    // Columns of a convolution overlap: what b spans from its first element to its last, where that
    // is less.
    const {
      col1 = 1,
      col2 = 1,
      b0 = 0,
      b1 = 0,
      b2 = 0,
      stride_a = 0,
      stride_b = 0,
      stride_c = 0,
    } = p
    const reach = (cols / (col1 * col2 * FOURS_COLS) - 1) * b0 + (col1 - 1) * b1 + (col2 - 1) * b2
    const span =
      (reach +
        (depth_a - 1) * stride_a +
        (depth_b - 1) * stride_b +
        (groups_c - 1) * stride_c +
        1) *
      FOURS_COLS *
      FOURS_DEPTH
    const read = depth === 0 ? 0 : rows * depth + Math.min(cols * depth, span)
    return {
      flops: 2 * planes * rows * cols * depth,
      bytes: 4 * planes * (read + rows * cols * splits),
    }
  },
})

const tile = contractKernel(
  'contract/tile',
  ({ COLS = 1, LANES = 1 }) => COLS * LANES,
  ({ cols = 0, panels = 1, planes = 1, splits = 1 }, { COLS = 1 }) =>
    Math.ceil(cols / COLS) * panels * planes * splits,
)
const block = contractKernel(
  'contract/block',
  ({ BLOCK_COLS = 1 }) => BLOCK_COLS,
  (
    { cols = 0, panels = 1, planes = 1, splits = 1 },
    { ROWS = 1, THREAD_ROWS = 1, THREAD_COLS = 1 },
  ) => ((Math.ceil(cols / THREAD_COLS) * ROWS) / THREAD_ROWS) * panels * planes * splits,
)

/** How many columns, and how many steps of the sum, a group holds. */
export const foursIn = ({ fours }: Contraction) => ({
  FOURS_COLS: fours === 'columns' ? 4 : 1,
  FOURS_DEPTH: fours === 'depth' ? 4 : 1,
})

/**
 * Up to so many steps storing y is most of the work, and register tiles store its fours as vectors.
 * Beyond it they store numbers either way, so that one kernel serves both: a driver that compiles
 * for the CPU takes half a second for each.
 */
const shortSum = 32

const observers = new WeakMap<Gpu, (contraction: Contraction) => void>()

/** Tells of every contraction from now on, until the result is called. */
export function observeContractions(
  gpu: Gpu,
  observer: (contraction: Contraction) => void,
): () => void {
  observers.set(gpu, observer)
  return () => observers.delete(gpu)
}

/** What a tiling is chosen by. */
export function problemOf(c: Contraction): Problem {
  const { FOURS_COLS, FOURS_DEPTH } = foursIn(c)
  const { planes, rows, fours } = c
  return {
    planes,
    rows,
    columns: sizeOf(c.columns) * FOURS_COLS,
    depth: sizeOf(c.depth) * FOURS_DEPTH,
    fours,
    mostSplits: c.split ? Math.max(1, c.depth[0]) : 1,
  }
}

/** Runs a contraction in the tiling that is chosen for it. */
export function contract(gpu: Gpu, choose: ChooseTiling, wanted: Contraction): void {
  observers.get(gpu)?.(wanted)
  const tiling = choose(problemOf(wanted))
  const fours = foursIn(wanted)
  const unroll = (groups: number) =>
    tiling.kernel === 'tile'
      ? fours.FOURS_DEPTH * unrollFactor(tiling.steps / fours.FOURS_DEPTH, groups)
      : 1
  const c = tiling.kernel === 'tile' ? arrangeDepth(wanted, unroll) : wanted
  const UNROLL = unroll(c.depth[2])
  const [depthA, depthB, groupsC] = c.depth
  const ROWS = tiling.rows
  const panels = Math.ceil(c.rows / ROWS)
  const a = readyRows(gpu, c, ROWS)
  const cols = sizeOf(c.columns) * fours.FOURS_COLS
  // Register tiles split the sum at steps of a, blocks wherever a block of steps ends.
  const steps = tiling.kernel === 'tile' ? depthA : sizeOf(c.depth) * fours.FOURS_DEPTH
  const unit = tiling.kernel === 'tile' ? 1 : tiling.depth
  const chunk = Math.max(1, Math.ceil(steps / unit / (c.split ? tiling.splits : 1))) * unit
  const splits = Math.max(1, Math.ceil(steps / chunk))
  const size = sizeOf(c.y.dst.shape)
  const target = splits > 1 ? scratch(gpu, [splits, size]) : c.y.dst
  const bias = c.y.bias ?? null
  const worthwhile = tiling.kernel === 'block' || sizeOf(c.depth) * fours.FOURS_DEPTH <= shortSum
  const storesFours = worthwhile && liesInFours(c, cols) && (splits === 1 || size % 4 === 0)
  const [bUnit, yUnit] = [c.fours === 'nothing' ? 1 : 4, storesFours ? 4 : 1]
  // exact, but for strides of an extent of 1
  const units = (offset: number, unit: number) => Math.floor(offset / unit)
  gpu.run(
    tiling.kernel === 'tile' ? tile : block,
    { a: a.src.storage, b: c.b.src.storage, y: target.storage, bias: (bias ?? a.src).storage },
    {
      rows: c.rows,
      cols,
      planes: c.planes,
      panels,
      panel_rows: ROWS,
      depth_a: depthA,
      depth_b: depthB,
      groups_c: groupsC,
      splits,
      chunk,
      a_base: a.base / 4,
      a_panel: a.panel / 4,
      a_step: a.step / 4,
      stride_a: units(c.b.strides[0], bUnit),
      stride_b: units(c.b.strides[1], bUnit),
      stride_c: units(c.b.strides[2], bUnit),
      col1: c.columns[1],
      col2: c.columns[2],
      live: c.y.live ?? c.columns[0] * fours.FOURS_COLS,
      b_base: units(c.b.base, bUnit),
      b_plane: units(c.b.planeStride, bUnit),
      b0: units(c.b.columnStrides[0], bUnit),
      b1: units(c.b.columnStrides[1], bUnit),
      b2: units(c.b.columnStrides[2], bUnit),
      y_base: units(c.y.base, yUnit),
      y_plane: units(c.y.planeStride, yUnit),
      y_row: units(c.y.rowStride, yUnit),
      y_split: units(size, yUnit),
      y0: units(c.y.columnStrides[0], yUnit),
      y1: units(c.y.columnStrides[1], yUnit),
      y2: units(c.y.columnStrides[2], yUnit),
      y_inner: c.y.innerStride ?? 0,
      bias_base: c.y.biasBase ?? 0,
      bias_row: bias && c.y.biasAlong !== 'columns' ? 1 : 0,
      bias_col: bias && c.y.biasAlong === 'columns' ? 1 : 0,
      relu: c.y.relu ? 1 : 0,
    },
    {
      ROWS,
      VECTOR: { nothing: 0, columns: 1, depth: 2 }[c.fours],
      ...fours,
      VECTOR_Y: storesFours ? 1 : 0,
      ...(tiling.kernel === 'tile' ? registers(gpu, tiling, UNROLL) : sharedBlock(tiling)),
    },
  )
  if (splits > 1) sumOuter(gpu, target, c.y.dst, splits, size)
}

function registers(gpu: Gpu, { rows, columns }: RegisterTiling, UNROLL: number): Constants {
  const lanes = gpu.tilings?.lanes
  if (!lanes)
    throw new UsageError(
      'register tiles need subgroups of a known size, which this adapter does not have',
    )
  return { COLS: columns, LANES: lanes, UNROLL, LOADS: Math.min(lanes, (UNROLL * rows) / 4) }
}

function sharedBlock({ columns, depth, threadRows, threadColumns }: BlockTiling): Constants {
  return {
    BLOCK_COLS: columns,
    BLOCK_DEPTH: depth,
    THREAD_ROWS: threadRows,
    THREAD_COLS: threadColumns,
  }
}

/**
 * The same sum with that index innermost which can be unrolled furthest, where the order is free.
 */
function arrangeDepth(c: Contraction, unroll: (groups: number) => number): Contraction {
  if (c.fours === 'depth' || c.split || typeof c.a === 'function') return c
  const orders: Triple[] = [
    [0, 1, 2],
    [0, 2, 1],
    [1, 2, 0],
  ]
  const order = orders.reduce((best, one) =>
    unroll(c.depth[one[2]] ?? 1) > unroll(c.depth[best[2]] ?? 1) ? one : best,
  )
  const reorder = (triple: Triple): Triple => [
    triple[order[0]] ?? 0,
    triple[order[1]] ?? 0,
    triple[order[2]] ?? 0,
  ]
  return {
    ...c,
    depth: reorder(c.depth),
    a: { ...c.a, strides: reorder(c.a.strides) },
    b: { ...c.b, strides: reorder(c.b.strides) },
  }
}

/** Whether four columns of y are neighbors that can be stored as one vector. */
function liesInFours({ fours, columns, planes, rows, y }: Contraction, cols: number): boolean {
  const inFours = (count: number, stride: number) => count === 1 || stride % 4 === 0
  if (y.base % 4 !== 0 || !inFours(planes, y.planeStride) || !inFours(rows, y.rowStride))
    return false
  if (fours === 'columns')
    return (
      y.innerStride === 1 &&
      (y.live ?? 4 * columns[0]) === 4 * columns[0] &&
      columns.every((n, i) => inFours(n, y.columnStrides[i] ?? 1))
    )
  return columns[0] === 1 && columns[1] === 1 && y.columnStrides[2] === 1 && cols % 4 === 0
}

/**
 * Where A's panels lie: element (panel, step of the sum, row) at base + panel · `panel` + step ·
 * `step` + row, all multiples of four.
 */
interface Panels {
  readonly src: NdWindow
  readonly base: number
  readonly panel: number
  readonly step: number
}

/**
 * A as it lies where its rows are neighbors, as those of a dense layer's dyᵀ are; packed otherwise.
 */
function readyRows(gpu: Gpu, c: Contraction, ROWS: number): Panels {
  const { a, depth, planes } = c
  const steps = sizeOf(depth) * foursIn(c).FOURS_DEPTH
  if (
    typeof a !== 'function' &&
    a.rowStride === 1 &&
    planes === 1 &&
    c.fours !== 'depth' &&
    depth[2] === steps &&
    a.live === undefined
  ) {
    const { src, base, strides } = a
    if (base % 4 === 0 && strides[2] % 4 === 0) return { src, base, panel: ROWS, step: strides[2] }
  }
  return { src: panelsOf(gpu, c, ROWS), base: 0, panel: steps * ROWS, step: ROWS }
}

/** A in panels of ROWS rows, zeros below the last one. */
export function panelsOf(gpu: Gpu, c: Contraction, ROWS: number): NdBuffer {
  const { planes, rows, depth, a } = c
  if (typeof a === 'function') return a(ROWS)
  const FOURS = foursIn(c).FOURS_DEPTH
  const steps = sizeOf(depth) * FOURS
  const panels = Math.ceil(rows / ROWS)
  const packed = scratch(gpu, [planes, panels, Math.max(steps, 1), ROWS])
  gpu.run(
    pack,
    { src: a.src.storage, panels: packed.storage },
    {
      n: (planes * panels * steps * ROWS) / 4,
      rows,
      panels,
      depth_a: depth[0],
      depth_b: depth[1],
      depth_c: depth[2],
      live: a.live ?? depth[0] * FOURS,
      base: a.base,
      plane_stride: a.planeStride,
      row_stride: a.rowStride,
      stride_a: a.strides[0],
      stride_b: a.strides[1],
      stride_c: a.strides[2],
      stride_e: a.innerStride ?? 0,
    },
    { ROWS, FOURS },
  )
  return packed
}
