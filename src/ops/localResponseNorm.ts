import { ShapeError } from '../base/errors.ts'
import { planeKernel } from '../gpu/kernels/kernel.ts'
import {
  type NdBuffer,
  type Shape,
  type Shape3,
  scratch,
  showShape,
  sizeOf,
} from '../tensor/ndbuffer.ts'
import { defineOp } from './op.ts'

export interface LocalResponseNormAttrs {
  /** Channels in a window. */
  readonly size: number
  readonly alpha: number
  readonly beta: number
  readonly k: number
}

/** Channels that one thread computes. */
const chunk = 8

const forwardKernel = planeKernel<'pixels', 'KEEP' | 'BEFORE' | 'BEHIND'>(
  'local_response_norm/forward',
  (p) => p.pixels,
  {
    cost: (p, { KEEP, BEFORE, BEHIND }) => ({
      flops: (BEFORE + BEHIND + 8) * chunk * p.planes * p.pixels,
      bytes: 4 * (2 + KEEP) * chunk * p.planes * p.pixels,
    }),
  },
)
const backwardKernel = planeKernel<'pixels', 'BEFORE' | 'BEHIND'>(
  'local_response_norm/backward',
  (p) => p.pixels,
  {
    cost: (p, { BEFORE, BEHIND }) => ({
      flops: (BEFORE + BEHIND + 12) * chunk * p.planes * p.pixels,
      bytes: 16 * chunk * p.planes * p.pixels,
    }),
  },
)

/** x's extents: all pixels of a channel are one. @throws ShapeError below three dimensions */
function extentsOf(x: Shape): Shape3 {
  const [batch, channels, ...pixels] = x
  if (batch === undefined || channels === undefined || pixels.length === 0)
    throw new ShapeError(
      `localResponseNorm: x is [N, C, …] with at least 3 dimensions, not ${showShape(x)}`,
    )
  return [batch, channels, sizeOf(pixels)]
}

function normParams(x: Shape, { size, alpha, beta, k }: LocalResponseNormAttrs) {
  const [batch, channels, pixels] = extentsOf(x)
  const chunks = Math.ceil(channels / chunk)
  return { planes: batch * chunks, chunks, channels, pixels, alpha_n: alpha / size, beta, k }
}

/** How far a sum reaches, which is compiled in; channels that do not exist need not be. */
function normConstants(
  x: Shape,
  { size, beta }: LocalResponseNormAttrs,
  pass: 'forward' | 'backward',
) {
  const [, channels] = extentsOf(x)
  const half = Math.floor(size / 2)
  const [low, high] = [Math.min(half, channels - 1), Math.min(size - 1 - half, channels - 1)]
  const [BEFORE, BEHIND] = pass === 'forward' ? [low, high] : [high, low]
  return { CHUNK: chunk, BEFORE, BEHIND, THREE_QUARTERS: beta === 0.75 ? 1 : 0 }
}

/**
 * y = x / (k + alpha / size · Σ x²)^beta, the sum over a window of channels (Krizhevsky et al.
 * 2012, 3.3), as PyTorch's local_response_norm. `scale` is the sum in brackets.
 */
export const localResponseNorm = defineOp<
  'x',
  LocalResponseNormAttrs,
  { readonly x: { readonly x: NdBuffer; readonly scale: NdBuffer } }
>({
  name: 'localResponseNorm',
  inputs: ['x'],
  outShape({ x }, { size, alpha, beta, k }) {
    extentsOf(x)
    if (!Number.isInteger(size) || size < 1)
      throw new ShapeError(`localResponseNorm: size is a positive integer, not ${size}`)
    for (const [name, value] of Object.entries({ alpha, beta, k }))
      if (!Number.isFinite(value))
        throw new ShapeError(`localResponseNorm: ${name} is a number, not ${value}`)
    return x
  },
  cost: ({ x }, { size }) => ({ flops: (2 * size + 4) * sizeOf(x), bytes: 8 * sizeOf(x) }),
  forward(gpu, { x }, y, attrs, needs) {
    const scale = needs.x ? scratch(gpu, x.shape) : null
    gpu.run(
      forwardKernel,
      { x: x.storage, y: y.storage, ...(scale ? { scale: scale.storage } : {}) },
      normParams(x.shape, attrs),
      { KEEP: scale ? 1 : 0, ...normConstants(x.shape, attrs, 'forward') },
    )
    return { x: scale && { x, scale } }
  },
  backward: {
    x: (gpu, dy, dx, { x, scale }, attrs) =>
      gpu.run(
        backwardKernel,
        { x: x.storage, scale: scale.storage, dy: dy.storage, dx: dx.storage },
        normParams(dx.shape, attrs),
        normConstants(dx.shape, attrs, 'backward'),
      ),
  },
})
