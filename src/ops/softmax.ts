import { ShapeError } from '../base/errors.ts'
import { elementKernel } from '../gpu/kernels/kernel.ts'
import { type Shape, showShape, sizeOf } from '../tensor/ndbuffer.ts'
import { defineOp, keptAt, required } from './op.ts'

const forwardKernel = elementKernel<'rows' | 'classes'>('softmax/forward', (p) => p.rows, {
  cost: ({ rows, classes }) => ({ flops: 4 * rows * classes, bytes: 8 * rows * classes }),
})
const backwardKernel = elementKernel<'rows' | 'classes'>('softmax/backward', (p) => p.rows, {
  cost: ({ rows, classes }) => ({ flops: 4 * rows * classes, bytes: 12 * rows * classes }),
})

function rowsOf(shape: Shape) {
  const classes = shape.at(-1) ?? 1
  return { rows: sizeOf(shape) / classes, classes }
}

/**
 * y = exp(x) / Σ exp(x) over the last dimension, shifted by the largest element so that nothing
 * overflows.
 */
export const softmax = defineOp<'x', Record<never, never>>({
  name: 'softmax',
  inputs: ['x'],
  outShape({ x }) {
    if (!x || x.length < 1)
      throw new ShapeError(`softmax: x has at least one dimension, not ${showShape(x ?? [])}`)
    return x
  },
  cost: ({ x }) => ({ flops: 4 * sizeOf(x ?? []), bytes: 8 * sizeOf(x ?? []) }),
  forward(gpu, inputs, y) {
    gpu.run(forwardKernel, { x: required('x', inputs.x).storage, y: y.storage }, rowsOf(y.shape))
    return [y]
  },
  backward(gpu, kept, dy, { x: dx }) {
    if (dx)
      gpu.run(
        backwardKernel,
        { y: keptAt(kept, 0).storage, dy: dy.storage, dx: dx.storage },
        rowsOf(dx.shape),
      )
  },
})
