/**
 * The matrix core: matrix products and the three passes of a convolution as one sum,
 *
 *     y[row, col] = Σ_a Σ_b Σ_c A[row, (a, b, c)] · B[base(col) + a·strideA + b·strideB + c·strideC]
 *
 * A is packed into panels of rows, B is read where it lies. One hot kernel serves them all, so there is one to make fast.
 */
import type { Gpu } from '../gpu/gpu.ts'
import { elementKernel, type Kernel, maxGroups } from '../gpu/kernel.ts'
import { chooseRows, type TileShape } from '../gpu/tuning.ts'
import { type NdBuffer, type NdWindow, scratch, sizeOf } from '../tensor/ndbuffer.ts'
import { sumOuter } from './reduce.ts'

/** The summed index, outermost first. */
type Triple = readonly [number, number, number]

/** Where the A operand lies. `planes` are independent products side by side: a convolution's groups. */
export interface RowOperand {
  readonly src: NdWindow
  /** May be negative, with `base` at the far end: a flipped filter. */
  readonly base: number
  readonly planeStride: number
  readonly rowStride: number
  readonly strides: Triple
}

/** Where the B operand lies: a column (i0, i1, i2) starts at base + plane·planeStride + Σ i·columnStrides. */
export interface ColumnOperand {
  readonly src: NdWindow
  readonly base: number
  readonly planeStride: number
  readonly columnStrides: Triple
  readonly strides: Triple
}

/** Where y lies, and the bias that is added to it: one value a row, or one a column. */
export interface Result {
  readonly dst: NdWindow
  readonly base: number
  readonly planeStride: number
  readonly rowStride: number
  readonly columnStrides: Triple
  readonly bias?: NdBuffer | null
  readonly biasAlong?: 'rows' | 'columns'
}

export interface Contraction {
  readonly planes: number
  readonly rows: number
  /** The column index's extents (i0, i1, i2); their product is the number of columns. */
  readonly columns: Triple
  readonly depth: Triple
  readonly a: RowOperand
  readonly b: ColumnOperand
  readonly y: Result
  /** Whether the sum may be split over `a` into parts that are added afterwards. Then y is contiguous from its base 0 and takes no bias. */
  readonly split?: boolean
}

const pack = elementKernel<'n'>('contract/pack', (p) => p.n, { cost: ({ n }) => ({ flops: 0, bytes: 8 * n }) })
const padKernel = elementKernel<'n' | 'height' | 'width' | 'out_height' | 'out_width'>('contract/pad', (p) => p.n, {
  cost: (p) => ({ flops: 0, bytes: 4 * (p.n + (p.n / (p.out_height * p.out_width)) * p.height * p.width) }),
})

const tile: Kernel = {
  name: 'contract/tile',
  constants: {},
  grid(p, { COLS = 1, LANES = 1 }) {
    const tiles = Math.ceil((p.cols ?? 0) / (COLS * LANES))
    const splits = Math.ceil((p.depth_a ?? 1) / (p.chunk_a ?? 1))
    const parts = (p.panels ?? 1) * (p.planes ?? 1) * Math.max(splits, 1)
    // Many tiles and many parts at once would be an output of terabytes.
    return tiles > maxGroups
      ? [maxGroups, Math.ceil(tiles / maxGroups), parts]
      : [tiles, Math.min(parts, maxGroups), Math.ceil(parts / maxGroups)]
  },
  threads({ cols = 0, depth_a = 1, chunk_a = 1, panels = 1, planes = 1 }, { COLS = 1 }) {
    return Math.ceil(cols / COLS) * panels * planes * Math.max(Math.ceil(depth_a / chunk_a), 1)
  },
  cost(p) {
    const { planes = 1, rows = 0, cols = 0, depth_a = 0, depth_b = 0, depth_c = 0, chunk_a = 1 } = p
    const depth = depth_a * depth_b * depth_c
    // Columns of a convolution overlap: what b spans from its first element to its last, where that is less.
    const { col1 = 1, col2 = 1, b0 = 0, b1 = 0, b2 = 0, stride_a = 0, stride_b = 0, stride_c = 0 } = p
    const reach = (cols / (col1 * col2) - 1) * b0 + (col1 - 1) * b1 + (col2 - 1) * b2
    const span = reach + (depth_a - 1) * stride_a + (depth_b - 1) * stride_b + (depth_c - 1) * stride_c + 1
    const read = depth === 0 ? 0 : rows * depth + Math.min(cols * depth, span)
    return { flops: 2 * planes * rows * cols * depth, bytes: 4 * planes * (read + rows * cols * Math.max(Math.ceil(depth_a / chunk_a), 1)) }
  },
}

/** Runs a contraction in register tiles. */
export function contract(gpu: Gpu, shape: TileShape, c: Contraction): void {
  const ROWS = chooseRows(shape, c.rows)
  const [depthA, depthB, depthC] = c.depth
  const depth = depthA * depthB * depthC
  const panels = Math.ceil(c.rows / ROWS)
  const packed = scratch(gpu, [c.planes, panels, Math.max(depth, 1), ROWS])
  const [aA, aB, aC] = c.a.strides
  gpu.run(
    pack,
    { src: c.a.src.storage, panels: packed.storage },
    {
      n: c.planes * panels * depth * ROWS,
      rows: c.rows,
      panels,
      depth,
      depth_b: depthB,
      depth_c: depthC,
      base: c.a.base,
      plane_stride: c.a.planeStride,
      row_stride: c.a.rowStride,
      stride_a: aA,
      stride_b: aB,
      stride_c: aC,
    },
    { ROWS },
  )
  const cols = sizeOf(c.columns)
  const tiles = Math.ceil(cols / (shape.columns * shape.lanes)) * panels * c.planes
  const splits = c.split ? Math.min(depthA, Math.ceil(shape.busy / tiles)) : 1
  const chunk = Math.max(1, Math.ceil(depthA / splits))
  const parts = Math.max(1, Math.ceil(depthA / chunk))
  const size = sizeOf(c.y.dst.shape)
  const target = parts > 1 ? scratch(gpu, [parts, size]) : c.y.dst
  const [sA, sB, sC] = c.b.strides
  const [b0, b1, b2] = c.b.columnStrides
  const [y0, y1, y2] = c.y.columnStrides
  const bias = c.y.bias ?? null
  gpu.run(
    tile,
    { a: packed.storage, b: c.b.src.storage, y: target.storage, ...(bias ? { bias: bias.storage } : {}) },
    {
      rows: c.rows,
      cols,
      planes: c.planes,
      panels,
      panel_rows: ROWS,
      depth_a: depthA,
      depth_b: depthB,
      depth_c: depthC,
      chunk_a: chunk,
      stride_a: sA,
      stride_b: sB,
      stride_c: sC,
      col1: c.columns[1],
      col2: c.columns[2],
      b_base: c.b.base,
      b_plane: c.b.planeStride,
      b0,
      b1,
      b2,
      y_base: c.y.base,
      y_plane: c.y.planeStride,
      y_row: c.y.rowStride,
      y_split: size,
      y0,
      y1,
      y2,
    },
    {
      ROWS,
      COLS: shape.columns,
      LANES: shape.lanes,
      LOADS: Math.min(shape.lanes, ROWS / 4),
      BIAS: bias ? (c.y.biasAlong === 'columns' ? 2 : 1) : 0,
    },
  )
  if (parts > 1) sumOuter(gpu, target, c.y.dst, parts, size)
}

/**
 * x with zeros around it, [planes, height, width] to [planes, outHeight, outWidth], x's corner at (top, left); negative ones cut off.
 * x itself where nothing changes.
 */
export function pad(
  gpu: Gpu,
  x: NdBuffer,
  planes: number,
  from: readonly [number, number],
  to: readonly [number, number],
  top: number,
  left: number,
): NdBuffer {
  if (top === 0 && left === 0 && from[0] === to[0] && from[1] === to[1]) return x
  const y = scratch(gpu, [planes, to[0], to[1]])
  gpu.run(
    padKernel,
    { x: x.storage, y: y.storage },
    { n: sizeOf(y.shape), height: from[0], width: from[1], out_height: to[0], out_width: to[1], top, left },
  )
  return y
}
