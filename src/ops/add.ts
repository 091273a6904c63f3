import type { Gpu } from '../gpu/gpu.ts'
import { stripKernel } from '../gpu/kernels/kernel.ts'
import { eachPart } from '../gpu/memory/windows.ts'
import { type NdBuffer, sizeOf } from '../tensor/ndbuffer.ts'

const addKernel = stripKernel('add/forward', { cost: ({ n }) => ({ flops: 4 * n, bytes: 48 * n }) })

/** y = a + b, for the tape, which alone accumulates. */
export function add(gpu: Gpu, a: NdBuffer, b: NdBuffer, y: NdBuffer): void {
  eachPart(
    gpu.bindingLimits,
    sizeOf(y.shape),
    { a: a.storage, b: b.storage, y: y.storage },
    (windows, n) => gpu.run(addKernel, windows, { n: Math.ceil(n / 4) }),
  )
}
