import type { Gpu } from '../gpu/gpu.ts'
import { type Kernel, maxGroups, type Numbers } from '../gpu/kernels/kernel.ts'
import type { TilingSelector } from '../gpu/tiling/tilingSelector.ts'
import { type NdBuffer, type NdWindow, shape2 } from '../tensor/ndbuffer.ts'

type Extents = Numbers<'columns' | 'outputs' | 'chunk'>

const outer: Kernel = {
  name: 'linear/outer',
  constants: {},
  threads: ({ columns, outputs, chunk }: Extents, { VECTORS }: Numbers<'VECTORS'>) =>
    Math.ceil(columns / VECTORS) * Math.ceil(outputs / chunk),
  grid: (
    { columns, outputs, chunk }: Extents,
    { THREADS, VECTORS }: Numbers<'THREADS' | 'VECTORS'>,
  ) => [Math.ceil(columns / (THREADS * VECTORS)), Math.ceil(outputs / chunk), 1],
  cost: ({ columns, outputs }: Extents, { BATCH }: Numbers<'BATCH'>) => ({
    flops: 8 * BATCH * outputs * columns,
    bytes: 4 * (BATCH * (outputs + 4 * columns) + 4 * outputs * columns),
  }),
}

/** The largest batch whose x fits into registers. Larger ones are computed as matrix products. */
const largestBatch = 16

/**
 * Whether `outerProduct` computes a weight gradient: rows of x are whole vectors of four, and the
 * batch is so small that storing the gradient is most of the work.
 */
export function isOuter(batch: number, inputs: number, yBase: number): boolean {
  return batch > 0 && batch <= largestBatch && inputs % 4 === 0 && yBase % 4 === 0
}

/**
 * A dense layer's weight gradient for a small batch: y[o, i] = Σ_n dy[n, first + o] · x[n, i], with
 * y starting at element `base`.
 */
export function outerProduct(
  gpu: Gpu,
  { kind, lanes }: TilingSelector,
  dy: NdBuffer,
  x: NdBuffer,
  y: {
    readonly src: NdWindow
    readonly base: number
    readonly first: number
    readonly count: number
  },
): void {
  const [batch, inputs] = shape2(x.shape, 'x is [N, in]')
  const [, outputs] = shape2(dy.shape, 'dy is [N, out]')
  // A CPU adapter is fastest with long rows and few workgroups, since each workgroup has a cost. A
  // GPU hides the latency of memory behind many small workgroups.
  const [THREADS, VECTORS, rows] =
    kind === 'hardware'
      ? [64, 1, 16]
      : [lanes ?? 8, Math.max(1, Math.floor(64 / Math.max(batch, 8))), 256]
  gpu.run(
    outer,
    { dy: dy.storage, x: x.storage, y: y.src.storage },
    {
      columns: inputs / 4,
      outputs: y.count,
      chunk: Math.max(rows, Math.ceil(y.count / maxGroups)),
      dy_row: outputs,
      dy_base: y.first,
      y_base: y.base / 4,
    },
    { THREADS, VECTORS, BATCH: batch },
  )
}
