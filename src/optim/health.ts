import type { Gpu } from '../gpu/gpu.ts'
import { elementKernel } from '../gpu/kernels/kernel.ts'
import { type NdBuffer, sizeOf } from '../tensor/ndbuffer.ts'

const healthKernel = elementKernel<'n'>('optim/health', (p) => p.n, {
  cost: ({ n }) => ({ flops: 0, bytes: 4 * n }),
})

/**
 * Sets health[0] to 1 if an element of `loss` is NaN or infinite, else leaves it unchanged. It
 * serves as an optimizer's `guard`: written and read on the GPU, no step waits for a read-back.
 * @param loss any shape
 * @param health one element, 0 at the start of the run
 * @example
 * markNonFinite(engine.gpu, loss.buffer, health.buffer)
 * optimizer.step({ guard: health })
 */
export function markNonFinite(gpu: Gpu, loss: NdBuffer, health: NdBuffer): void {
  gpu.run(healthKernel, { loss: loss.storage, health: health.storage }, { n: sizeOf(loss.shape) })
}
