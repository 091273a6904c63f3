import { ShapeError } from '../base/errors.ts'
import type { Gpu } from '../gpu/gpu.ts'
import { stripKernel } from '../gpu/kernels/kernel.ts'
import { type NdBuffer, sizeOf, vectorsOf } from '../tensor/ndbuffer.ts'
import { defineOp } from './op.ts'

export interface DropoutAttrs {
  /** The probability of an element to become 0. */
  readonly p: number
  /** Decides, with an element's index, whether it stays. */
  readonly seed: number
  /** Where it is false, nothing is dropped. Default true. */
  readonly training?: boolean
}

const kernel = stripKernel('dropout/apply', { cost: ({ n }) => ({ flops: 4 * n, bytes: 32 * n }) })

function run(gpu: Gpu, x: NdBuffer, y: NdBuffer, { p, seed }: DropoutAttrs): void {
  const scale = p < 1 ? 1 / (1 - p) : 0
  gpu.run(
    kernel,
    { x: x.storage, y: y.storage },
    {
      n: vectorsOf(y.shape),
      key_low: seed % 2 ** 32,
      key_high: Math.floor(seed / 2 ** 32),
      p,
      scale,
    },
  )
}

/**
 * y = x / (1 - p) where the element's random number is at least p, else 0 (Srivastava et al. 2014).
 * Backward makes the mask again from the seed.
 */
export const dropout = defineOp<'x', DropoutAttrs>({
  name: 'dropout',
  inputs: ['x'],
  outShape({ x }, { p, seed }) {
    if (!(p >= 0 && p <= 1))
      throw new ShapeError(`dropout: p is a probability between 0 and 1, not ${p}`)
    if (!Number.isSafeInteger(seed) || seed < 0)
      throw new ShapeError(`dropout: seed is an integer of 0 or more, not ${seed}`)
    return x
  },
  cost: ({ x }) => ({ flops: sizeOf(x), bytes: 8 * sizeOf(x) }),
  unchanged: ({ p, training = true }) => !training || p === 0,
  forward(gpu, { x }, y, attrs) {
    run(gpu, x, y, attrs)
    return {}
  },
  backward: { x: (gpu, dy, dx, _, attrs) => run(gpu, dy, dx, attrs) },
})
