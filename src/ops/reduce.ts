import type { Gpu } from '../gpu/gpu.ts'
import { elementKernel } from '../gpu/kernel.ts'
import { type NdBuffer, type NdWindow, scratch } from '../tensor/ndbuffer.ts'

const sum = elementKernel<'n' | 'count'>('reduce/sum', (p) => p.n, {
  cost: ({ n, count }) => ({ flops: n * count, bytes: 4 * n * (count + 1) }),
})

/** dst[o] = scale · Σ_i src[i, o] for src [outer, width]. */
export function sumOuter(gpu: Gpu, src: NdWindow, dst: NdWindow, outer: number, width: number, scale = 1): void {
  gpu.run(sum, { x: src.storage, y: dst.storage }, { n: width, width, count: outer, stride_i: 0, stride_o: 1, stride_j: width, scale })
}

/** dst[o] = Σ_i Σ_j src[i, o, j] for src [outer, width, inner]: a bias gradient. Two stages, so that long sums run on many threads. */
export function sumOuterInner(gpu: Gpu, src: NdBuffer, dst: NdBuffer, outer: number, width: number, inner: number): void {
  if (inner === 1) {
    sumOuter(gpu, src, dst, outer, width)
    return
  }
  const partial = outer > 1 ? scratch(gpu, [outer, width]) : dst
  gpu.run(
    sum,
    { x: src.storage, y: partial.storage },
    { n: outer * width, width, count: inner, stride_i: width * inner, stride_o: inner, stride_j: 1, scale: 1 },
  )
  if (outer > 1) sumOuter(gpu, partial, dst, outer, width)
}
