import { type Cost, elementKernel } from '../gpu/kernels/kernel.ts'
import { type Shape, shape4, sizeOf } from '../tensor/ndbuffer.ts'
import { defineOp } from './op.ts'
import { checkedWindow, type WindowAttrs } from './window.ts'

export interface AvgPool2dAttrs extends WindowAttrs {
  /** Whether the zeros of the padding count as elements of a window. Default true. */
  readonly countIncludePad?: boolean
}

type Extents = keyof ReturnType<typeof poolParams>

const cost = (p: Readonly<Record<Extents, number>>): Cost => {
  const planes = p.n / (p.blocks_y * p.blocks_x)
  const [inputs, outputs] = [planes * p.height * p.width, planes * p.out_height * p.out_width]
  return { flops: Math.max(inputs, outputs), bytes: 4 * (inputs + outputs) }
}
const forwardKernel = elementKernel<Extents>('avg_pool2d/forward', (p) => p.n, { cost })
const backwardKernel = elementKernel<Extents>('avg_pool2d/backward', (p) => p.n, { cost })

const rule = 'avgPool2d: x is [N, C, H, W]'

/** @param blocks of every plane, each computed by one thread: outputs, or parts of x */
function poolParams(x: Shape, y: Shape, blocks: readonly [number, number]) {
  const [batch, channels, height, width] = shape4(x, rule)
  const [, , out_height, out_width] = shape4(y, rule)
  const [blocks_y, blocks_x] = blocks
  const n = batch * channels * blocks_y * blocks_x
  return { n, height, width, out_height, out_width, blocks_y, blocks_x }
}

function poolConstants({ kernel, stride, padding, countIncludePad = true }: AvgPool2dAttrs) {
  return {
    KERNEL_Y: kernel[0],
    KERNEL_X: kernel[1],
    STRIDE_Y: stride[0],
    STRIDE_X: stride[1],
    PADDING_Y: padding[0],
    PADDING_X: padding[1],
    PADDED: countIncludePad ? 1 : 0,
  }
}

/** y[n, c, i, j] = the mean of x[n, c] over a window, as PyTorch's avg_pool2d. */
export const avgPool2d = defineOp<'x', AvgPool2dAttrs>({
  name: 'avgPool2d',
  inputs: ['x'],
  outShape({ x }, attrs) {
    const [batch, channels] = shape4(x, rule)
    return [batch, channels, ...checkedWindow('avgPool2d', x, attrs)]
  },
  cost(shapes, attrs) {
    const outputs = sizeOf(avgPool2d.outShape(shapes, attrs))
    return {
      flops: outputs * attrs.kernel[0] * attrs.kernel[1],
      bytes: 4 * (sizeOf(shapes.x) + outputs),
    }
  },
  forward(gpu, { x }, y, attrs) {
    const [, , height, width] = shape4(y.shape, rule)
    gpu.run(
      forwardKernel,
      { x: x.storage, y: y.storage },
      poolParams(x.shape, y.shape, [height, width]),
      poolConstants(attrs),
    )
    return {}
  },
  backward: {
    x(gpu, dy, dx, _, attrs) {
      const [, , height, width] = shape4(dx.shape, rule)
      const { stride, padding } = attrs
      const blocks = [
        Math.ceil((height + padding[0]) / stride[0]),
        Math.ceil((width + padding[1]) / stride[1]),
      ] as const
      gpu.run(
        backwardKernel,
        { dy: dy.storage, dx: dx.storage },
        poolParams(dx.shape, dy.shape, blocks),
        poolConstants(attrs),
      )
    },
  },
})
