import type { Gpu } from '../gpu/gpu.ts'
import { elementKernel } from '../gpu/kernels/kernel.ts'
import { type NdBuffer, type NdWindow, scratch } from '../tensor/ndbuffer.ts'
import { type Contraction, stepCount, vectorWidths } from './contraction.ts'

const pack = elementKernel<'n'>('contract/pack', (p) => p.n, {
  cost: ({ n }) => ({ flops: 0, bytes: 32 * n }),
})

/**
 * Where A's panels are. The element of a panel, a step of the sum and a row has the index
 *
 *     base + panel · panelStride + step · stepStride + row
 *
 * base and both strides are multiples of four.
 */
export interface Panels {
  readonly src: NdWindow
  readonly base: number
  readonly panelStride: number
  readonly stepStride: number
}

/**
 * A in panels of `panelRows` rows: read in place if its rows are neighbors in memory, as those of
 * dyᵀ in a dense layer are; packed otherwise.
 */
export function panelsOf(gpu: Gpu, c: Contraction, panelRows: number): Panels {
  const { a, depth, planes } = c
  const steps = stepCount(c)
  if (
    typeof a !== 'function' &&
    a.rowStride === 1 &&
    planes === 1 &&
    c.interleaved !== 'depth' &&
    depth[2] === steps &&
    a.outerSteps === undefined
  ) {
    const { src, base } = a
    const [, , stepStride] = a.strides
    if (base % 4 === 0 && stepStride % 4 === 0)
      return { src, base, panelStride: panelRows, stepStride }
  }
  const src = packedRows(gpu, c, panelRows)
  return { src, base: 0, panelStride: steps * panelRows, stepStride: panelRows }
}

/** A packed in panels of `panelRows` rows, with zeros below the last row. */
export function packedRows(gpu: Gpu, c: Contraction, panelRows: number): NdBuffer {
  const { planes, rows, depth, a } = c
  if (typeof a === 'function') return a(panelRows)
  const { stepsPerVector } = vectorWidths(c)
  const panels = Math.ceil(rows / panelRows)
  const packed = scratch(gpu, [planes, panels, Math.max(stepCount(c), 1), panelRows])
  gpu.run(
    pack,
    { src: a.src.storage, panels: packed.storage },
    {
      n: (planes * panels * stepCount(c) * panelRows) / 4,
      rows,
      panels,
      depth0: depth[0],
      depth1: depth[1],
      depth2: depth[2],
      outer_steps: a.outerSteps ?? depth[0] * stepsPerVector,
      base: a.base,
      plane_stride: a.planeStride,
      row_stride: a.rowStride,
      k0_stride: a.strides[0],
      k1_stride: a.strides[1],
      k2_stride: a.strides[2],
      element_stride: a.elementStride ?? 0,
    },
    { ROWS: panelRows, STEPS_PER_VECTOR: stepsPerVector },
  )
  return packed
}
