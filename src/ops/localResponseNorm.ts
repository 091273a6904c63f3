import { ShapeError } from '../base/errors.ts'
import { planeKernel } from '../gpu/kernels/kernel.ts'
import { type Shape, scratch, showShape, sizeOf } from '../tensor/ndbuffer.ts'
import { defineOp, keptAt, required } from './op.ts'

export interface LocalResponseNormAttrs {
  /** Channels in a window. */
  readonly size: number
  readonly alpha: number
  readonly beta: number
  readonly k: number
}

/** Channels that one thread computes. */
const chunk = 8

const forwardKernel = planeKernel<'pixels'>('local_response_norm/forward', (p) => p.pixels, {
  cost: (p, { KEEP = 0, BEFORE = 0, BEHIND = 0 }) => ({
    flops: (BEFORE + BEHIND + 8) * chunk * p.planes * p.pixels,
    bytes: 4 * (2 + KEEP) * chunk * p.planes * p.pixels,
  }),
})
const backwardKernel = planeKernel<'pixels'>('local_response_norm/backward', (p) => p.pixels, {
  cost: (p, { BEFORE = 0, BEHIND = 0 }) => ({
    flops: (BEFORE + BEHIND + 12) * chunk * p.planes * p.pixels,
    bytes: 16 * chunk * p.planes * p.pixels,
  }),
})

function normParams(x: Shape, { size, alpha, beta, k }: LocalResponseNormAttrs) {
  const [batch = 0, channels = 0, ...extents] = x
  const chunks = Math.ceil(channels / chunk)
  return {
    planes: batch * chunks,
    chunks,
    channels,
    pixels: sizeOf(extents),
    alpha_n: alpha / size,
    beta,
    k,
  }
}

/** How far a sum reaches, which is compiled in; channels that do not exist need not be. */
function normConstants(
  x: Shape,
  { size, beta }: LocalResponseNormAttrs,
  pass: 'forward' | 'backward',
) {
  const most = Math.max(0, (x[1] ?? 1) - 1)
  const [low, high] = [
    Math.min(Math.floor(size / 2), most),
    Math.min(size - 1 - Math.floor(size / 2), most),
  ]
  const [BEFORE, BEHIND] = pass === 'forward' ? [low, high] : [high, low]
  return { CHUNK: chunk, BEFORE, BEHIND, THREE_QUARTERS: beta === 0.75 ? 1 : 0 }
}

/**
 * y = x / (k + alpha / size · Σ x²)^beta, the sum over a window of channels (Krizhevsky et al.
 * 2012, 3.3), as PyTorch's local_response_norm.
 */
export const localResponseNorm = defineOp<'x', LocalResponseNormAttrs>({
  name: 'localResponseNorm',
  inputs: ['x'],
  outShape({ x }, { size, alpha, beta, k }) {
    if ((x?.length ?? 0) < 3)
      throw new ShapeError(
        `localResponseNorm: x is [N, C, …] with at least 3 dimensions, not ${showShape(x ?? [])}`,
      )
    if (!Number.isInteger(size) || size < 1)
      throw new ShapeError(`localResponseNorm: size is a positive integer, not ${size}`)
    for (const [name, value] of Object.entries({ alpha, beta, k }))
      if (!Number.isFinite(value))
        throw new ShapeError(`localResponseNorm: ${name} is a number, not ${value}`)
    return x ?? []
  },
  cost: ({ x }, { size }) => ({
    flops: (2 * size + 4) * sizeOf(x ?? []),
    bytes: 8 * sizeOf(x ?? []),
  }),
  forward(gpu, inputs, y, attrs, needs) {
    const x = required('x', inputs.x)
    const scale = needs.x ? scratch(gpu, x.shape) : null
    gpu.run(
      forwardKernel,
      { x: x.storage, y: y.storage, ...(scale ? { scale: scale.storage } : {}) },
      normParams(x.shape, attrs),
      {
        KEEP: scale ? 1 : 0,
        ...normConstants(x.shape, attrs, 'forward'),
      },
    )
    return [x, scale]
  },
  backward(gpu, kept, dy, { x: dx }, attrs) {
    if (!dx) return
    const bindings = {
      x: keptAt(kept, 0).storage,
      scale: keptAt(kept, 1).storage,
      dy: dy.storage,
      dx: dx.storage,
    }
    gpu.run(
      backwardKernel,
      bindings,
      normParams(dx.shape, attrs),
      normConstants(dx.shape, attrs, 'backward'),
    )
  },
})
