import type { Gpu } from '../gpu/gpu.ts'
import { type Kernel, linearGrid, type Numbers, stripKernel } from '../gpu/kernels/kernel.ts'
import type { Storage } from '../gpu/memory/pool.ts'
import { eachPart } from '../gpu/memory/windows.ts'
import type { Parameter } from '../nn/parameter.ts'
import { sumOuter } from '../ops/reduce.ts'
import { type NdBuffer, scratch, sizeOf } from '../tensor/ndbuffer.ts'

/** The number of columns that partial sums are added up in. */
const columns = 256
/** The most threads that sum the squares of one gradient. A multiple of `columns`. */
const maxThreads = 16_384

const squares: Kernel = {
  name: 'optim/squares',
  constants: { WG: 64 },
  threads: ({ stride }: Numbers<'stride'>) => stride,
  cost: ({ n, stride }: Numbers<'n' | 'stride'>) => ({ flops: 2 * n, bytes: 4 * (n + stride) }),
  grid: ({ stride }: Numbers<'stride'>, { WG }: Numbers<'WG'>) => linearGrid(stride, WG),
}
const clip: Kernel = {
  name: 'optim/clip',
  constants: { WG: 1 },
  threads: () => 1,
  grid: () => [1, 1, 1],
}
const scale = stripKernel('optim/scale', { cost: ({ n }) => ({ flops: 4 * n, bytes: 32 * n }) })

/**
 * Scales the gradients so that their norm, taken over all of them as one vector, is at most
 * `maxNorm`: torch.nn.utils.clip_grad_norm_ (Pascanu et al. 2013, arXiv:1211.5063). Norm and factor
 * stay on the GPU; nothing waits for them.
 * @param parameters those without a gradient are left out
 * @param norm f32[2]: receives the norm before clipping and the factor that gradients are
 * multiplied by, 0 if the norm is not finite
 * @example clipGradNorm(engine.gpu, model.parameters(), 1, norm.buffer)
 */
export function clipGradNorm(
  gpu: Gpu,
  parameters: readonly Parameter[],
  maxNorm: number,
  norm: NdBuffer,
): void {
  const parts: {
    readonly launch: (sums: Storage, first: number) => void
    readonly stride: number
  }[] = []
  for (const { grad } of parameters) {
    if (!grad) continue
    eachPart(gpu.bindingLimits, grad.size, { g: grad.buffer.storage }, ({ g }, n) => {
      const vectors = Math.ceil(n / 4)
      const stride = Math.ceil(Math.min(vectors, maxThreads) / columns) * columns
      parts.push({
        stride,
        launch: (sums, first) => gpu.run(squares, { g, sums }, { n, vectors, stride, first }),
      })
    })
  }
  const total = parts.reduce((sum, { stride }) => sum + stride, 0)
  if (total === 0) return
  gpu.withScratch(() => {
    const sums = scratch(gpu, [total])
    let first = 0
    for (const { launch, stride } of parts) {
      launch(sums.storage, first)
      first += stride
    }
    const column = scratch(gpu, [columns])
    sumOuter(gpu, sums, column, total / columns, columns)
    gpu.run(clip, { sums: column.storage, norm: norm.storage }, { n: columns, limit: maxNorm })
  })
  scaleGradients(gpu, parameters, norm.storage, 1)
}

/**
 * Multiplies every gradient by factor[at].
 * @param factor f32, on the GPU
 */
export function scaleGradients(
  gpu: Gpu,
  parameters: readonly Parameter[],
  factor: Storage,
  at = 0,
): void {
  for (const { grad } of parameters)
    if (grad)
      eachPart(gpu.bindingLimits, sizeOf(grad.shape), { g: grad.buffer.storage }, ({ g }, n) =>
        gpu.run(scale, { g, factor }, { n: Math.ceil(n / 4), at }),
      )
}
