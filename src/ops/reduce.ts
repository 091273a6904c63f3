import type { Gpu } from '../gpu/gpu.ts'
import { elementKernel } from '../gpu/kernels/kernel.ts'
import { type NdBuffer, type NdWindow, scratch } from '../tensor/ndbuffer.ts'

const sum = elementKernel<'n' | 'count'>('reduce/sum', (p) => p.n, {
  cost: ({ n, count }) => ({ flops: n * count, bytes: 4 * n * (count + 1) }),
})

/** Elements of a row that one thread adds up. */
const segment = 256

const rows = elementKernel<'n' | 'segments' | 'inner'>('reduce/rows', (p) => p.n, {
  cost: ({ n, segments, inner }) => ({
    flops: (n * inner) / segments,
    bytes: 4 * n * (inner / segments + 1),
  }),
})

/** dst[o] = scale · Σ_i src[i, o] for src [outer, width]. */
export function sumOuter(
  gpu: Gpu,
  src: NdWindow,
  dst: NdWindow,
  outer: number,
  width: number,
  scale = 1,
): void {
  gpu.run(
    sum,
    { x: src.storage, y: dst.storage },
    { n: width, width, count: outer, stride_i: 0, stride_o: 1, stride_j: width, scale },
  )
}

/**
 * dst[o] = Σ_i Σ_j src[i, o, j] for src [outer, width, inner]: a bias gradient. Two stages, so that
 * long sums run on many threads.
 */
export function sumOuterInner(
  gpu: Gpu,
  src: NdBuffer,
  dst: NdBuffer,
  outer: number,
  width: number,
  inner: number,
): void {
  if (inner === 1) {
    sumOuter(gpu, src, dst, outer, width)
    return
  }
  const segments = Math.ceil(inner / segment)
  const sums = outer * segments
  const partial = sums > 1 ? scratch(gpu, [sums, width]) : dst
  gpu.run(
    rows,
    { x: src.storage, y: partial.storage },
    { n: sums * width, width, segments, inner },
    { SEGMENT: segment },
  )
  if (sums > 1) sumOuter(gpu, partial, dst, sums, width)
}
