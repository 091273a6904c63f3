import { ShapeError } from '../base/errors.ts'
import { planeKernel } from '../gpu/kernels/kernel.ts'
import {
  type NdBuffer,
  type Pair,
  type Shape,
  scratch,
  shape4,
  showShape,
  sizeOf,
} from '../tensor/ndbuffer.ts'
import { defineOp } from './op.ts'

export interface MaxPool2dAttrs {
  readonly kernel: Pair
  readonly stride: Pair
  readonly padding: Pair
  /**
   * Whether a last window may reach past the edge, as long as it begins within the image or the
   * padding before it.
   */
  readonly ceilMode?: boolean
}

/** A window along one axis. */
interface Axis {
  readonly kernel: number
  readonly stride: number
  readonly padding: number
  readonly ceilMode?: boolean
}

/** Windows along one axis of n elements, as PyTorch counts them. */
export function pooledExtent(
  n: number,
  { kernel, stride, padding, ceilMode = false }: Axis,
): number {
  const windows = (n + 2 * padding - kernel) / stride
  if (!ceilMode) return Math.floor(windows) + 1
  const ceiled = Math.ceil(windows) + 1
  return (ceiled - 1) * stride >= n + padding ? ceiled - 1 : ceiled
}

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
function poolConstants({ kernel, stride, padding }: MaxPool2dAttrs, x: Shape, y: Shape) {
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
export const maxPool2d = defineOp<
  'x',
  MaxPool2dAttrs,
  { readonly x: { readonly winner: NdBuffer } }
>({
  name: 'maxPool2d',
  inputs: ['x'],
  outShape({ x }, { kernel, stride, padding, ceilMode = false }) {
    const [batch, channels, height, width] = shape4(x, rule)
    const whole = (pair: Pair, least: number) =>
      pair.every((n) => Number.isInteger(n) && n >= least)
    if (!whole(kernel, 1))
      throw new ShapeError(`maxPool2d: kernel is a positive integer, not ${kernel}`)
    if (!whole(stride, 1))
      throw new ShapeError(`maxPool2d: stride is a positive integer, not ${stride}`)
    // More padding would leave windows that hold no element at all.
    if (!whole(padding, 0) || 2 * padding[0] > kernel[0] || 2 * padding[1] > kernel[1])
      throw new ShapeError(
        `maxPool2d: padding is an integer between 0 and half the kernel ${kernel}, not ${padding}`,
      )
    const axis = (i: 0 | 1): Axis => ({
      kernel: kernel[i],
      stride: stride[i],
      padding: padding[i],
      ceilMode,
    })
    const out = [pooledExtent(height, axis(0)), pooledExtent(width, axis(1))]
    if (out.some((n) => n < 1))
      throw new ShapeError(
        `maxPool2d: a window of ${kernel} does not fit into x ${showShape(x)} ` +
          `with padding ${padding}`,
      )
    return [batch, channels, ...out]
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
