import { ShapeError } from '../gpu/errors.ts'
import { planeKernel } from '../gpu/kernel.ts'
import { type Shape, scratch, showShape, sizeOf } from '../tensor/ndbuffer.ts'
import { defineOp, keptAt, required } from './op.ts'

export interface LocalResponseNormAttrs {
  /** Channels in a window. */
  readonly size: number
  readonly alpha: number
  readonly beta: number
  readonly k: number
}

type Window = 'pixels' | 'before' | 'behind'

const forwardKernel = planeKernel<Window>('local_response_norm/forward', (p) => p.pixels, {
  cost: (p, { KEEP = 0 }) => ({
    flops: (2 * (p.before + p.behind + 1) + 4) * p.planes * p.pixels,
    bytes: 4 * (2 + KEEP) * p.planes * p.pixels,
  }),
})
const backwardKernel = planeKernel<Window>('local_response_norm/backward', (p) => p.pixels, {
  cost: (p) => ({ flops: (5 * (p.before + p.behind + 1) + 6) * p.planes * p.pixels, bytes: 16 * p.planes * p.pixels }),
})

function normParams(x: Shape, { size, alpha, beta }: LocalResponseNormAttrs) {
  const [batch = 0, channels = 0, ...extents] = x
  const before = Math.floor(size / 2)
  return { planes: batch * channels, channels, pixels: sizeOf(extents), before, behind: size - 1 - before, alpha_n: alpha / size, beta }
}

/** y = x / (k + alpha / size · Σ x²)^beta, the sum over a window of channels (Krizhevsky et al. 2012, 3.3), as PyTorch's local_response_norm. */
export const localResponseNorm = defineOp<'x', LocalResponseNormAttrs>({
  name: 'localResponseNorm',
  inputs: ['x'],
  outShape({ x }, { size, alpha, beta, k }) {
    if ((x?.length ?? 0) < 3)
      throw new ShapeError(`localResponseNorm: x is [N, C, …] with at least 3 dimensions, not ${showShape(x ?? [])}`)
    if (!Number.isInteger(size) || size < 1) throw new ShapeError(`localResponseNorm: size is a positive integer, not ${size}`)
    for (const [name, value] of Object.entries({ alpha, beta, k }))
      if (!Number.isFinite(value)) throw new ShapeError(`localResponseNorm: ${name} is a number, not ${value}`)
    return x ?? []
  },
  cost: ({ x }, { size }) => ({ flops: (2 * size + 4) * sizeOf(x ?? []), bytes: 8 * sizeOf(x ?? []) }),
  forward(gpu, inputs, y, attrs, needs) {
    const x = required('x', inputs.x)
    const scale = needs.x ? scratch(gpu, x.shape) : null
    gpu.run(
      forwardKernel,
      { x: x.storage, y: y.storage, ...(scale ? { scale: scale.storage } : {}) },
      { ...normParams(x.shape, attrs), k: attrs.k },
      { KEEP: scale ? 1 : 0 },
    )
    return [x, scale]
  },
  backward(gpu, kept, dy, { x: dx }, attrs) {
    if (!dx) return
    const [x, scale] = [keptAt(kept, 0), keptAt(kept, 1)]
    gpu.run(backwardKernel, { x: x.storage, scale: scale.storage, dy: dy.storage, dx: dx.storage }, normParams(dx.shape, attrs))
  },
})
