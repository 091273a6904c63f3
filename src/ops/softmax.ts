import { ShapeError } from '../base/errors.ts'
import { elementKernel } from '../gpu/kernels/kernel.ts'
import { type NdBuffer, type Shape, showShape, sizeOf } from '../tensor/ndbuffer.ts'
import { defineOp, type None } from './op.ts'

const forwardKernel = elementKernel<'rows' | 'classes'>('softmax/forward', (p) => p.rows, {
  cost: ({ rows, classes }) => ({ flops: 4 * rows * classes, bytes: 8 * rows * classes }),
})
const backwardKernel = elementKernel<'rows' | 'classes'>('softmax/backward', (p) => p.rows, {
  cost: ({ rows, classes }) => ({ flops: 4 * rows * classes, bytes: 12 * rows * classes }),
})

function rowsOf(shape: Shape) {
  const classes = shape.at(-1)
  if (classes === undefined)
    throw new ShapeError(`softmax: x has at least one dimension, not ${showShape(shape)}`)
  return { rows: sizeOf(shape) / classes, classes }
}

/**
 * y = exp(x) / Σ exp(x) over the last dimension, shifted by the largest element so that nothing
 * overflows.
 */
export const softmax = defineOp<'x', None, { readonly x: { readonly y: NdBuffer } }>({
  name: 'softmax',
  inputs: ['x'],
  outShape({ x }) {
    rowsOf(x)
    return x
  },
  cost: ({ x }) => ({ flops: 4 * sizeOf(x), bytes: 8 * sizeOf(x) }),
  forward(gpu, { x }, y) {
    gpu.run(forwardKernel, { x: x.storage, y: y.storage }, rowsOf(x.shape))
    return { x: { y } }
  },
  backward: {
    x: (gpu, dy, dx, { y }) =>
      gpu.run(backwardKernel, { y: y.storage, dy: dy.storage, dx: dx.storage }, rowsOf(dx.shape)),
  },
})
