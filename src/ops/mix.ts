import { at } from '../base/at.ts'
import type { Gpu } from '../gpu/gpu.ts'
import { elementKernel } from '../gpu/kernels/kernel.ts'
import type { Storage } from '../gpu/memory/pool.ts'
import { type NdBuffer, sizeOf } from '../tensor/ndbuffer.ts'

const mixKernel = elementKernel<'n'>('mixup/mix', (p) => p.n, {
  cost: ({ n }) => ({ flops: 3 * n, bytes: 8 * n }),
})

/**
 * y[r] = shares[r] · x[r] + (1 − shares[r]) · x[partners[r]], row by row. For inputs, which no
 * gradient flows to.
 * @param x, y [rows, …], two buffers
 * @param partners i32[rows]
 * @param shares f32[rows], in 0..1
 */
export function mixRows(
  gpu: Gpu,
  x: NdBuffer,
  partners: Storage,
  shares: Storage,
  y: NdBuffer,
): void {
  const n = sizeOf(x.shape)
  gpu.run(
    mixKernel,
    { x: x.storage, partners, shares, y: y.storage },
    { n, width: n / at(x.shape, 0) },
  )
}
