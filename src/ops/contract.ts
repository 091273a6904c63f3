/**
 * The matrix core: computes a contraction (contraction.ts). A is packed into panels of rows, unless
 * its rows are neighbors already. B is read in place. If columns or steps of the sum are
 * interleaved, four are loaded at a time: a load of four numbers costs a CPU adapter little more
 * than a load of one. Two kernels compute every contraction: register tiles for CPU adapters, and
 * blocks in shared memory for GPUs. docs/kernels.md explains both.
 */
import { UsageError } from '../base/errors.ts'
import type { Gpu } from '../gpu/gpu.ts'
import { type Constants, type Kernel, maxGroups, type Numbers } from '../gpu/kernels/kernel.ts'
import { subgroupSizeToAsk } from '../gpu/limits.ts'
import {
  type BlockTiling,
  type Problem,
  type RegisterTiling,
  type Tiling,
  unrollFactor,
} from '../gpu/tiling/tiling.ts'
import { scratch, sizeOf } from '../tensor/ndbuffer.ts'
import {
  type Contraction,
  columnCount,
  noteContraction,
  problemOf,
  type RowOperand,
  stepCount,
  type Triple,
  vectorWidths,
} from './contraction.ts'
import { panelsOf } from './packRows.ts'
import { sumOuter } from './reduce.ts'

/** Chooses how a contraction is computed. */
export type ChooseTiling = (problem: Problem) => Tiling

/** What INTERLEAVED is in shaders/contract/params.wgsl. */
const interleavedCode = { none: 0, columns: 1, depth: 2 } as const

/** Params that give the number of workgroups and threads. */
type Extents = Numbers<'cols' | 'panels' | 'planes' | 'splits'>

/** Params that say how much is computed, and how far apart the elements of B are. */
type CostParams = Numbers<
  | ('planes' | 'rows' | 'cols' | 'depth0' | 'depth1' | 'depth2' | 'splits' | 'cols1' | 'cols2')
  | ('b_j0_stride' | 'b_j1_stride' | 'b_j2_stride')
  | ('b_k0_stride' | 'b_k1_stride' | 'b_k2_stride')
>

/** Products side by side, each of panels and of splits of the sum: each computes all columns. */
const partCount = ({ panels, planes, splits }: Extents) => panels * planes * splits

/**
 * The launch and the cost of both kernels.
 * @param width how many columns a workgroup computes
 * @param threads how many threads compute one part (see `partCount`)
 */
const contractionKernel = <C extends string>(
  name: string,
  width: (constants: Numbers<C>) => number,
  threads: (cols: number, constants: Numbers<C>) => number,
): Kernel => ({
  name,
  constants: {},
  threads: (p: Extents, constants: Numbers<C>) => threads(p.cols, constants) * partCount(p),
  grid(p: Extents, constants: Numbers<C>) {
    const tiles = Math.ceil(p.cols / width(constants))
    const parts = partCount(p)
    // More than 65,535 of both at once would be an output of terabytes.
    return tiles > maxGroups
      ? [maxGroups, Math.ceil(tiles / maxGroups), parts]
      : [tiles, Math.min(parts, maxGroups), Math.ceil(parts / maxGroups)]
  },
  cost(p: CostParams, { INTERLEAVED }: Numbers<'INTERLEAVED'>) {
    const { planes, rows, cols, cols1, cols2, depth0, depth1, depth2, splits } = p
    const columnsPerVector = INTERLEAVED === interleavedCode.columns ? 4 : 1
    const stepsPerVector = INTERLEAVED === interleavedCode.depth ? 4 : 1
    const depth = depth0 * depth1 * depth2 * stepsPerVector
    // Columns of a convolution overlap. So B counts as read once, from its first element to its
    // last, if that is less than all columns together.
    const lastColumn =
      (cols / (cols1 * cols2 * columnsPerVector) - 1) * p.b_j0_stride +
      (cols1 - 1) * p.b_j1_stride +
      (cols2 - 1) * p.b_j2_stride
    const lastStep =
      (depth0 - 1) * p.b_k0_stride + (depth1 - 1) * p.b_k1_stride + (depth2 - 1) * p.b_k2_stride
    const span = (lastColumn + lastStep + 1) * columnsPerVector * stepsPerVector
    const read = depth === 0 ? 0 : rows * depth + Math.min(cols * depth, span)
    return {
      flops: 2 * planes * rows * cols * depth,
      bytes: 4 * planes * (read + rows * cols * splits),
    }
  },
})

const tile = contractionKernel<'COLS' | 'LANES'>(
  'contract/tile',
  ({ COLS, LANES }) => COLS * LANES,
  (cols, { COLS }) => Math.ceil(cols / COLS),
)
const block = contractionKernel<'BLOCK_COLS' | 'ROWS' | 'THREAD_ROWS' | 'THREAD_COLS'>(
  'contract/block',
  ({ BLOCK_COLS }) => BLOCK_COLS,
  (cols, { ROWS, THREAD_ROWS, THREAD_COLS }) =>
    (Math.ceil(cols / THREAD_COLS) * ROWS) / THREAD_ROWS,
)

/**
 * With at most this many steps of the sum, storing y is most of the work, and register tiles store
 * vectors if they can. With more they always store single numbers, so that one kernel serves for
 * both: a driver that compiles for the CPU takes half a second for each kernel.
 */
const shortSum = 32

/** Computes a contraction in the tiling that is chosen for it. */
export function contract(gpu: Gpu, choose: ChooseTiling, wanted: Contraction): void {
  noteContraction(gpu, wanted)
  const tiling = choose(problemOf(wanted))
  const { columnsPerVector, stepsPerVector } = vectorWidths(wanted)
  const unrollOf = (innermost: number) =>
    tiling.kernel === 'tile'
      ? stepsPerVector * unrollFactor(tiling.steps / stepsPerVector, innermost)
      : 1
  const c =
    tiling.kernel === 'tile'
      ? withLongestUnroll(wanted, unrollOf)
      : withAlignedSteps(wanted, tiling.depth)
  const { b, y } = c
  const cols = columnCount(c)
  const a = panelsOf(gpu, c, tiling.rows)
  // Register tiles split the sum between steps of k0, blocks between two blocks of steps.
  const steps = tiling.kernel === 'tile' ? c.depth[0] : stepCount(c)
  const unit = tiling.kernel === 'tile' ? 1 : tiling.depth
  const chunk = Math.max(1, Math.ceil(steps / unit / (c.split ? tiling.splits : 1))) * unit
  const splits = Math.max(1, Math.ceil(steps / chunk))
  const size = sizeOf(y.dst.shape)
  const target = splits > 1 ? scratch(gpu, [splits, size]) : y.dst
  const bias = y.bias ?? null
  const vectorsAreFaster = tiling.kernel === 'block' || stepCount(c) <= shortSum
  const storesVectors =
    vectorsAreFaster && canStoreVectors(c, cols) && (splits === 1 || size % 4 === 0)
  const [bUnit, yUnit] = [columnsPerVector * stepsPerVector, storesVectors ? 4 : 1]
  // The division leaves a remainder only in strides of an extent of 1, which are never used.
  const inB = (offset: number) => Math.floor(offset / bUnit)
  const inY = (offset: number) => Math.floor(offset / yUnit)
  gpu.run(
    tiling.kernel === 'tile' ? tile : block,
    { a: a.src.storage, b: b.src.storage, y: target.storage, bias: (bias ?? a.src).storage },
    {
      rows: c.rows,
      cols,
      planes: c.planes,
      panels: Math.ceil(c.rows / tiling.rows),
      panel_rows: tiling.rows,
      depth0: c.depth[0],
      depth1: c.depth[1],
      depth2: c.depth[2],
      splits,
      chunk,
      a_base: a.base / 4,
      a_panel_stride: a.panelStride / 4,
      a_step_stride: a.stepStride / 4,
      b_k0_stride: inB(b.strides[0]),
      b_k1_stride: inB(b.strides[1]),
      b_k2_stride: inB(b.strides[2]),
      cols1: c.columns[1],
      cols2: c.columns[2],
      outer_cols: y.outerColumns ?? c.columns[0] * columnsPerVector,
      b_base: inB(b.base),
      b_plane_stride: inB(b.planeStride),
      b_j0_stride: inB(b.columnStrides[0]),
      b_j1_stride: inB(b.columnStrides[1]),
      b_j2_stride: inB(b.columnStrides[2]),
      y_base: inY(y.base),
      y_plane_stride: inY(y.planeStride),
      y_row_stride: inY(y.rowStride),
      y_split_stride: inY(size),
      y_j0_stride: inY(y.columnStrides[0]),
      y_j1_stride: inY(y.columnStrides[1]),
      y_j2_stride: inY(y.columnStrides[2]),
      y_element_stride: y.elementStride ?? 0,
      bias_base: y.biasBase ?? 0,
      bias_per_row: bias && y.biasAlong !== 'columns' ? 1 : 0,
      bias_per_col: bias && y.biasAlong === 'columns' ? 1 : 0,
      relu: y.relu ? 1 : 0,
    },
    {
      ROWS: tiling.rows,
      INTERLEAVED: interleavedCode[c.interleaved],
      Y_IS_VEC4: storesVectors ? 1 : 0,
      ...(tiling.kernel === 'tile'
        ? tileConstants(gpu, tiling, unrollOf(c.depth[2]))
        : blockConstants(gpu, tiling, c)),
    },
  )
  if (splits > 1) sumOuter(gpu, target, y.dst, splits, size)
}

function tileConstants(gpu: Gpu, { rows, columns }: RegisterTiling, UNROLL: number): Constants {
  const lanes = gpu.tilings?.lanes
  if (!lanes)
    throw new UsageError(
      'register tiles need subgroups of a known size, which this adapter does not have',
    )
  return {
    COLS: columns,
    LANES: lanes,
    UNROLL,
    LOADING_LANES: Math.min(lanes, (UNROLL * rows) / 4),
  }
}

function blockConstants(
  { device }: Gpu,
  { columns, depth, threadRows, threadColumns, steps }: BlockTiling,
  c: Contraction,
): Constants {
  return {
    BLOCK_COLS: columns,
    BLOCK_DEPTH: depth,
    THREAD_ROWS: threadRows,
    THREAD_COLS: threadColumns,
    STEPS: steps,
    ALIGNED: stepsAreAligned(c, depth) ? 1 : 0,
    WAVE: subgroupSizeToAsk(device) ?? 0,
  }
}

/** Whether all steps of every block have the same k0 and k1. */
function stepsAreAligned(c: Contraction, blockDepth: number): boolean {
  const steps = c.depth[2] * vectorWidths(c).stepsPerVector
  return steps > 0 && steps % blockDepth === 0
}

/** The orders of the sum's indices that are worth trying. */
const reorderings: readonly ((triple: Triple) => Triple)[] = [
  (triple) => triple,
  ([k0, k1, k2]) => [k0, k2, k1],
  ([k0, k1, k2]) => [k1, k2, k0],
]

/** The same sum with its indices in another order. A is not packed by the caller. */
function reordered(
  c: Contraction,
  a: RowOperand,
  reorder: (triple: Triple) => Triple,
): Contraction {
  return {
    ...c,
    depth: reorder(c.depth),
    a: { ...a, strides: reorder(a.strides) },
    b: { ...c.b, strides: reorder(c.b.strides) },
  }
}

/**
 * The same sum, with its indices reordered so that no block of steps has different values of the
 * outer ones. Unchanged if that cannot be, or if the order of the indices matters.
 */
function withAlignedSteps(c: Contraction, blockDepth: number): Contraction {
  const { a, depth } = c
  const vectors = depth[0] * vectorWidths(c).stepsPerVector
  if (typeof a === 'function' || (a.outerSteps ?? vectors) < vectors) return c
  const all = { ...a, outerSteps: undefined } // all steps count: k0 may take any place
  const orders = reorderings.map((reorder) => reordered(c, all, reorder))
  return orders.find((order) => stepsAreAligned(order, blockDepth)) ?? c
}

/**
 * The same sum, with its indices reordered so that the innermost one can be unrolled furthest.
 * Unchanged if the order of the indices matters.
 */
function withLongestUnroll(c: Contraction, unrollOf: (innermost: number) => number): Contraction {
  const { a } = c
  if (c.interleaved === 'depth' || c.split || typeof a === 'function') return c
  const unrollAfter = (reorder: (triple: Triple) => Triple) => unrollOf(reorder(c.depth)[2])
  const reorder = reorderings.reduce((best, one) =>
    unrollAfter(one) > unrollAfter(best) ? one : best,
  )
  return reordered(c, a, reorder)
}

/** Whether four columns of y are always neighbors that can be stored as one vector. */
function canStoreVectors(c: Contraction, cols: number): boolean {
  const { interleaved, columns, planes, rows, y } = c
  const aligned = (count: number, stride: number) => count === 1 || stride % 4 === 0
  if (y.base % 4 !== 0 || !aligned(planes, y.planeStride) || !aligned(rows, y.rowStride))
    return false
  const [j0, j1, j2] = columns
  const [j0Stride, j1Stride, j2Stride] = y.columnStrides
  if (interleaved === 'columns')
    return (
      y.elementStride === 1 &&
      (y.outerColumns ?? 4 * j0) === 4 * j0 &&
      aligned(j0, j0Stride) &&
      aligned(j1, j1Stride) &&
      aligned(j2, j2Stride)
    )
  return j0 === 1 && j1 === 1 && j2Stride === 1 && cols % 4 === 0
}
