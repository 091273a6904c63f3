/**
 * The matrix core: computes a contraction (contraction.ts). A is packed into panels of rows, unless
 * its rows are neighbors already. B is read in place, four columns or four steps of the sum at a time
 * where they are interleaved: a load of four numbers costs a CPU adapter little more than a load of
 * one. Two kernels compute every contraction, register tiles for CPU adapters and blocks in shared
 * memory for GPUs, so there are two kernels to make fast. docs/kernels.md explains both.
 */
import { UsageError } from '../base/errors.ts'
import type { Gpu } from '../gpu/gpu.ts'
import { type Constants, type Kernel, maxGroups } from '../gpu/kernels/kernel.ts'
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

/** The launch and the cost of both kernels; `width` is how many columns a workgroup computes. */
const contractionKernel = (
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
    // More than 65,535 of both at once would be an output of terabytes.
    return tiles > maxGroups
      ? [maxGroups, Math.ceil(tiles / maxGroups), parts]
      : [tiles, Math.min(parts, maxGroups), Math.ceil(parts / maxGroups)]
  },
  cost(p, { INTERLEAVED }) {
    const { planes = 1, rows = 0, cols = 0, depth0 = 0, depth1 = 0, depth2 = 0, splits = 1 } = p
    const { cols1 = 1, cols2 = 1, b_j0_stride = 0, b_j1_stride = 0, b_j2_stride = 0 } = p
    const { b_k0_stride = 0, b_k1_stride = 0, b_k2_stride = 0 } = p
    const columnsPerVector = INTERLEAVED === interleavedCode.columns ? 4 : 1
    const stepsPerVector = INTERLEAVED === interleavedCode.depth ? 4 : 1
    const depth = depth0 * depth1 * depth2 * stepsPerVector
    // Columns of a convolution overlap, so B is read from its first element to its last, where that
    // is less than all columns together.
    const lastColumn =
      (cols / (cols1 * cols2 * columnsPerVector) - 1) * b_j0_stride +
      (cols1 - 1) * b_j1_stride +
      (cols2 - 1) * b_j2_stride
    const lastStep =
      (depth0 - 1) * b_k0_stride + (depth1 - 1) * b_k1_stride + (depth2 - 1) * b_k2_stride
    const span = (lastColumn + lastStep + 1) * columnsPerVector * stepsPerVector
    const read = depth === 0 ? 0 : rows * depth + Math.min(cols * depth, span)
    return {
      flops: 2 * planes * rows * cols * depth,
      bytes: 4 * planes * (read + rows * cols * splits),
    }
  },
})

const tile = contractionKernel(
  'contract/tile',
  ({ COLS = 1, LANES = 1 }) => COLS * LANES,
  ({ cols = 0, panels = 1, planes = 1, splits = 1 }, { COLS = 1 }) =>
    Math.ceil(cols / COLS) * panels * planes * splits,
)
const block = contractionKernel(
  'contract/block',
  ({ BLOCK_COLS = 1 }) => BLOCK_COLS,
  (
    { cols = 0, panels = 1, planes = 1, splits = 1 },
    { ROWS = 1, THREAD_ROWS = 1, THREAD_COLS = 1 },
  ) => ((Math.ceil(cols / THREAD_COLS) * ROWS) / THREAD_ROWS) * panels * planes * splits,
)

/**
 * Up to so many steps of the sum storing y is most of the work, and register tiles store vectors
 * where they can. Beyond it they always store numbers, so that one kernel serves both: a driver that
 * compiles for the CPU takes half a second for each.
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
  const c = tiling.kernel === 'tile' ? withLongestUnroll(wanted, unrollOf) : wanted
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
  const vectorsPay = tiling.kernel === 'block' || stepCount(c) <= shortSum
  const storesVectors = vectorsPay && canStoreVectors(c, cols) && (splits === 1 || size % 4 === 0)
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
        : blockConstants(tiling)),
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

function blockConstants({ columns, depth, threadRows, threadColumns }: BlockTiling): Constants {
  return {
    BLOCK_COLS: columns,
    BLOCK_DEPTH: depth,
    THREAD_ROWS: threadRows,
    THREAD_COLS: threadColumns,
  }
}

/**
 * The same sum with that index innermost which can be unrolled furthest, if its order does not
 * matter.
 */
function withLongestUnroll(c: Contraction, unrollOf: (innermost: number) => number): Contraction {
  if (c.interleaved === 'depth' || c.split || typeof c.a === 'function') return c
  const reorderings: readonly ((triple: Triple) => Triple)[] = [
    (triple) => triple,
    ([k0, k1, k2]) => [k0, k2, k1],
    ([k0, k1, k2]) => [k1, k2, k0],
  ]
  const unrollAfter = (reorder: (triple: Triple) => Triple) => unrollOf(reorder(c.depth)[2])
  const reorder = reorderings.reduce((best, one) =>
    unrollAfter(one) > unrollAfter(best) ? one : best,
  )
  return {
    ...c,
    depth: reorder(c.depth),
    a: { ...c.a, strides: reorder(c.a.strides) },
    b: { ...c.b, strides: reorder(c.b.strides) },
  }
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
