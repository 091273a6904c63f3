import { stripKernel } from '../gpu/kernels/kernel.ts'
import { type NdBuffer, sizeOf, vectorsOf } from '../tensor/ndbuffer.ts'
import { defineOp, type None } from './op.ts'

const forwardKernel = stripKernel('relu/forward', {
  cost: ({ n }) => ({ flops: 4 * n, bytes: 32 * n }),
})
const backwardKernel = stripKernel('relu/backward', {
  cost: ({ n }) => ({ flops: 4 * n, bytes: 48 * n }),
})

/**
 * y = max(x, 0), any shape. Backward reads y, which is positive exactly where x is, so x need not
 * be kept.
 */
export const relu = defineOp<'x', None, { readonly x: { readonly y: NdBuffer } }>({
  name: 'relu',
  inputs: ['x'],
  outShape: ({ x }) => x,
  cost: ({ x }) => ({ flops: sizeOf(x), bytes: 8 * sizeOf(x) }),
  forward(gpu, { x }, y) {
    gpu.run(forwardKernel, { x: x.storage, y: y.storage }, { n: vectorsOf(y.shape) })
    return { x: { y } }
  },
  backward: {
    x: (gpu, dy, dx, { y }) =>
      gpu.run(
        backwardKernel,
        { y: y.storage, dy: dy.storage, dx: dx.storage },
        { n: vectorsOf(dy.shape) },
      ),
  },
})
