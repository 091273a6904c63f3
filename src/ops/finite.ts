import { at } from '../base/at.ts'
import { elementKernel } from '../gpu/kernels/kernel.ts'
import { eachPart } from '../gpu/memory/windows.ts'
import { sizeOf } from '../tensor/ndbuffer.ts'
import type { Engine, Tensor } from '../tensor/tensor.ts'

const workgroup = 64
/** The most threads that count one tensor: enough for any device. */
const maxThreads = 65_536

const countKernel = elementKernel<'n' | 'vectors' | 'stride'>(
  'finite/count',
  (p) => Math.min(p.stride, p.vectors),
  { workgroup, cost: ({ n }) => ({ flops: 0, bytes: 4 * n }) },
)

/**
 * Whether each tensor is free of NaN and infinity; counted on the GPU, and read back in one submit.
 * @param tensors any shapes
 * @returns one answer a tensor, in order
 * @throws AutogradError for a tensor that was disposed of
 * @example const [lossIsFine] = await allFinite(engine, [loss])
 */
export async function allFinite(engine: Engine, tensors: readonly Tensor[]): Promise<boolean[]> {
  const { gpu } = engine
  const buffers = tensors.map((tensor) => tensor.buffer)
  if (buffers.length === 0) return []
  const counts = gpu.upload(new Uint32Array(buffers.length))
  try {
    for (const [slot, { storage, shape }] of buffers.entries()) {
      eachPart(gpu.bindingLimits, sizeOf(shape), { x: storage }, ({ x }, n) => {
        const vectors = Math.ceil(n / 4)
        const stride = Math.ceil(Math.min(vectors, maxThreads) / workgroup) * workgroup
        gpu.run(countKernel, { x, counts }, { n, vectors, stride, slot })
      })
    }
    const read = await gpu.read([{ storage: counts, bytes: 4 * buffers.length }])
    return Array.from(new Uint32Array(at(read, 0)), (count) => count === 0)
  } finally {
    counts.release()
  }
}
