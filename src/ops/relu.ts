import { stripKernel } from '../gpu/kernels/kernel.ts'
import { sizeOf, vectorsOf } from '../tensor/ndbuffer.ts'
import { defineOp, keptAt, required } from './op.ts'

const reluForward = stripKernel('relu/forward', {
  cost: ({ n }) => ({ flops: 4 * n, bytes: 32 * n }),
})
const reluBackward = stripKernel('relu/backward', {
  cost: ({ n }) => ({ flops: 4 * n, bytes: 48 * n }),
})

export interface ReluAttrs {
  /**
   * Whether the kernel that computed x has stored max(x, 0) already: y is x's own memory, and
   * forward has nothing to do. Default false.
   */
  readonly stored?: boolean
}

/**
 * y = max(x, 0), any shape. Backward reads y, which is positive exactly where x is, so x need not
 * be kept.
 */
export const relu = defineOp<'x', ReluAttrs>({
  name: 'relu',
  inputs: ['x'],
  outShape: ({ x }) => x ?? [],
  cost: ({ x }) => ({ flops: sizeOf(x ?? []), bytes: 8 * sizeOf(x ?? []) }),
  forward(gpu, { x }, y, { stored = false }) {
    if (!stored)
      gpu.run(reluForward, { x: required('x', x).storage, y: y.storage }, { n: vectorsOf(y.shape) })
    return [y]
  },
  backward(gpu, kept, dy, { x: dx }) {
    if (dx)
      gpu.run(
        reluBackward,
        { y: keptAt(kept, 0).storage, dy: dy.storage, dx: dx.storage },
        { n: vectorsOf(dy.shape) },
      )
  },
})
