import { planeKernel } from '../gpu/kernels/kernel.ts'
import { type NdBuffer, type Shape, scratch, shape4, sizeOf } from '../tensor/ndbuffer.ts'
import { defineOp } from './op.ts'
import { checkedWindow, type WindowAttrs } from './window.ts'

type Extents = 'height' | 'width' | 'out_height' | 'out_width'

const forwardKernel = planeKernel<Extents, 'WINNER' | 'KERNEL_Y' | 'KERNEL_X'>(
  'max_pool2d/forward',
  (p) => p.out_height * p.out_width,
  {
    cost: (p, { WINNER, KERNEL_Y, KERNEL_X }) => ({
      flops: p.planes * p.out_height * p.out_width * KERNEL_Y * KERNEL_X,
      bytes: 4 * p.planes * (p.height * p.width + (1 + WINNER) * p.out_height * p.out_width),
    }),
  },
)
const backwardKernel = planeKernel<Extents | 'blocks_y' | 'blocks_x'>(
  'max_pool2d/backward',
  (p) => p.blocks_y * p.blocks_x,
  {
    cost: (p) => ({
      flops: p.planes * p.out_height * p.out_width,
      bytes: 4 * p.planes * (p.height * p.width + 2 * p.out_height * p.out_width),
    }),
  },
)

const rule = 'maxPool2d: x is [N, C, H, W]'

function poolParams(x: Shape, y: Shape) {
  const [batch, channels, height, width] = shape4(x, rule)
  const [, , out_height, out_width] = shape4(y, rule)
  return { planes: batch * channels, height, width, out_height, out_width }
}

/** The window, which is compiled in, and whether any lies partly outside x. */
function poolConstants({ kernel, stride, padding }: WindowAttrs, x: Shape, y: Shape) {
  const [KERNEL_Y, KERNEL_X] = kernel
  const [STRIDE_Y, STRIDE_X] = stride
  const [PADDING_Y, PADDING_X] = padding
  const { height, width, out_height, out_width } = poolParams(x, y)
  const over =
    (out_height - 1) * STRIDE_Y + KERNEL_Y > height || (out_width - 1) * STRIDE_X + KERNEL_X > width
  return {
    KERNEL_Y,
    KERNEL_X,
    STRIDE_Y,
    STRIDE_X,
    PADDING_Y,
    PADDING_X,
    OUTSIDE: over || PADDING_Y + PADDING_X > 0 ? 1 : 0,
  }
}

/**
 * y[n, c, i, j] = the largest x[n, c] in a window; the first in row order wins ties, as in PyTorch.
 * Backward gives it all of dy.
 */
export const maxPool2d = defineOp<'x', WindowAttrs, { readonly x: { readonly winner: NdBuffer } }>({
  name: 'maxPool2d',
  inputs: ['x'],
  outShape({ x }, attrs) {
    const [batch, channels] = shape4(x, rule)
    return [batch, channels, ...checkedWindow('maxPool2d', x, attrs)]
  },
  cost(shapes, attrs) {
    const outputs = sizeOf(maxPool2d.outShape(shapes, attrs))
    return {
      flops: outputs * attrs.kernel[0] * attrs.kernel[1],
      bytes: 4 * (sizeOf(shapes.x) + outputs),
    }
  },
  forward(gpu, { x }, y, attrs, needs) {
    const winner = needs.x ? scratch(gpu, y.shape) : null
    gpu.run(
      forwardKernel,
      { x: x.storage, y: y.storage, ...(winner ? { winner: winner.storage } : {}) },
      poolParams(x.shape, y.shape),
      { WINNER: winner ? 1 : 0, ...poolConstants(attrs, x.shape, y.shape) },
    )
    return { x: winner && { winner } }
  },
  backward: {
    x(gpu, dy, dx, { winner }, attrs) {
      const params = poolParams(dx.shape, dy.shape)
      const { stride, padding } = attrs
      gpu.run(
        backwardKernel,
        { winner: winner.storage, dy: dy.storage, dx: dx.storage },
        {
          ...params,
          blocks_y: Math.ceil((params.height + padding[0]) / stride[0]),
          blocks_x: Math.ceil((params.width + padding[1]) / stride[1]),
        },
        poolConstants(attrs, dx.shape, dy.shape),
      )
    },
  },
})
