import { ShapeError } from '../base/errors.ts'
import { type Cost, planeKernel } from '../gpu/kernels/kernel.ts'
import { type Pair, type Shape, shape4, sizeOf } from '../tensor/ndbuffer.ts'
import { defineOp } from './op.ts'

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

const rule = 'adaptiveAvgPool2d: x is [N, C, H, W]'

function poolParams(x: Shape, y: Shape) {
  const [batch, channels, height, width] = shape4(x, rule)
  const [, , out_height, out_width] = shape4(y, rule)
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
    const [batch, channels] = shape4(x, rule)
    if (!size.every((n) => Number.isInteger(n) && n > 0))
      throw new ShapeError(`adaptiveAvgPool2d: the size is a positive integer, not ${size}`)
    return [batch, channels, ...size]
  },
  cost({ x }, { size }) {
    const [batch, channels] = shape4(x, rule)
    const [inputs, outputs] = [sizeOf(x), batch * channels * size[0] * size[1]]
    return { flops: Math.max(inputs, outputs), bytes: 4 * (inputs + outputs) }
  },
  forward(gpu, { x }, y) {
    gpu.run(forwardKernel, { x: x.storage, y: y.storage }, poolParams(x.shape, y.shape))
    return {}
  },
  backward: {
    x: (gpu, dy, dx) =>
      gpu.run(backwardKernel, { dy: dy.storage, dx: dx.storage }, poolParams(dx.shape, dy.shape)),
  },
})
