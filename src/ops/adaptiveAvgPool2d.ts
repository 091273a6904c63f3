import { ShapeError } from '../base/errors.ts'
import { type Cost, planeKernel } from '../gpu/kernels/kernel.ts'
import { type Shape, showShape, sizeOf } from '../tensor/ndbuffer.ts'
import type { Pair } from './conv2d.ts'
import { defineOp, required } from './op.ts'

type Extents = 'height' | 'width' | 'out_height' | 'out_width'

const cost = (p: Readonly<Record<Extents | 'planes', number>>): Cost => {
  const [inputs, outputs] = [p.height * p.width, p.out_height * p.out_width]
  return { flops: p.planes * Math.max(inputs, outputs), bytes: 4 * p.planes * (inputs + outputs) }
}
const forwardKernel = planeKernel<Extents>(
  'adaptive_avg_pool2d/forward',
  (p) => p.out_height * p.out_width,
  { cost },
)
const backwardKernel = planeKernel<Extents>(
  'adaptive_avg_pool2d/backward',
  (p) => p.height * p.width,
  { cost },
)

function poolParams(x: Shape, y: Shape) {
  const [batch = 0, channels = 0, height = 0, width = 0] = x
  const [, , out_height = 0, out_width = 0] = y
  return { planes: batch * channels, height, width, out_height, out_width }
}

/**
 * y[n, c, i, j] = the mean of x[n, c] over rows ⌊i·H/OH⌋ to ⌈(i+1)·H/OH⌉ and columns likewise, as
 * PyTorch's adaptive_avg_pool2d.
 */
export const adaptiveAvgPool2d = defineOp<'x', { readonly size: Pair }>({
  name: 'adaptiveAvgPool2d',
  inputs: ['x'],
  outShape({ x }, { size }) {
    if (x?.length !== 4)
      throw new ShapeError(`adaptiveAvgPool2d: x is [N, C, H, W], not ${showShape(x ?? [])}`)
    if (!size.every((n) => Number.isInteger(n) && n > 0))
      throw new ShapeError(`adaptiveAvgPool2d: the size is a positive integer, not ${size}`)
    return [x[0] ?? 0, x[1] ?? 0, ...size]
  },
  cost({ x }, { size }) {
    const [inputs, outputs] = [sizeOf(x ?? []), sizeOf([...(x ?? []).slice(0, 2), ...size])]
    return { flops: Math.max(inputs, outputs), bytes: 4 * (inputs + outputs) }
  },
  forward(gpu, inputs, y) {
    const x = required('x', inputs.x)
    gpu.run(forwardKernel, { x: x.storage, y: y.storage }, poolParams(x.shape, y.shape))
    return []
  },
  backward(gpu, _, dy, { x: dx }) {
    if (dx)
      gpu.run(backwardKernel, { dy: dy.storage, dx: dx.storage }, poolParams(dx.shape, dy.shape))
  },
})
