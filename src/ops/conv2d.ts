import { ShapeError } from '../base/errors.ts'
import { type Cost, elementKernel } from '../gpu/kernels/kernel.ts'
import { type NdBuffer, type Shape, shape4, showShape, sizeOf } from '../tensor/ndbuffer.ts'
import {
  arrangeInput,
  backwardInputTiled,
  backwardWeightTiled,
  type Conv2dAttrs,
  forwardTiled,
  type Geometry,
  geometry,
} from './conv2dContractions.ts'
import {
  depthwiseBackwardInput,
  depthwiseBackwardWeight,
  depthwiseForward,
  isDepthwise,
} from './depthwise.ts'
import { type ByInput, defineOp } from './op.ts'
import { sumOuterInner } from './reduce.ts'
import { relu } from './relu.ts'

export type { Conv2dAttrs }

type Shapes = ByInput<'x' | 'weight', 'bias', Shape>

/** What the gradients of x and weight are computed from. */
type Kept = {
  readonly x: { readonly weight: NdBuffer }
  /** x as it is, or in tiles as forward has arranged it. */
  readonly weight: { readonly x: NdBuffer }
}

/** The same for all three passes: each reads two of x, weight and y, and writes the third. */
function plainCost(p: ReturnType<typeof plainParams>): Cost {
  const filter = (p.channels / p.groups) * p.kernel_height * p.kernel_width
  const [pixels, outPixels] = [p.batch * p.height * p.width, p.batch * p.out_height * p.out_width]
  return {
    flops: 2 * p.out_channels * outPixels * filter,
    bytes: 4 * (p.channels * pixels + p.out_channels * filter + p.out_channels * outPixels),
  }
}

const plainKernel = (name: string) =>
  elementKernel<keyof ReturnType<typeof plainParams>>(name, (p) => p.n, { cost: plainCost })
const forwardKernel = plainKernel('conv2d/forward')
const backwardInputKernel = plainKernel('conv2d/backward_input')
const backwardWeightKernel = plainKernel('conv2d/backward_weight')

/** The plain kernels' params. */
function plainParams(g: Geometry, n: number, relu = false) {
  return {
    n,
    batch: g.batch,
    channels: g.channels,
    height: g.height,
    width: g.width,
    out_channels: g.outChannels,
    kernel_height: g.kernelHeight,
    kernel_width: g.kernelWidth,
    out_height: g.outHeight,
    out_width: g.outWidth,
    stride_y: g.stride[0],
    stride_x: g.stride[1],
    padding_y: g.padding[0],
    padding_x: g.padding[1],
    groups: g.groups,
    relu: relu ? 1 : 0,
  }
}

/**
 * y[n, o] = bias[o] + Σ_c weight[o, c] ⋆ x[n, c]: cross-correlation over NCHW, weight [O, C /
 * groups, KH, KW], as PyTorch's conv2d. The input gradient is the same sum over dy with flipped
 * filters, one for each phase of the stride; the weight gradient is a convolution of x with dy. In
 * tiles, x is kept for it as forward arranged it.
 */
export const conv2d = defineOp<'x' | 'weight', Conv2dAttrs, Kept, 'bias'>({
  name: 'conv2d',
  inputs: ['x', 'weight', 'bias'],
  optional: ['bias'],
  outShape(shapes, attrs) {
    const g = checked(shapes, attrs)
    return [g.batch, g.outChannels, g.outHeight, g.outWidth]
  },
  cost(shapes, attrs) {
    const g = checked(shapes, attrs)
    const outputs = g.batch * g.outChannels * g.outHeight * g.outWidth
    return {
      flops: 2 * outputs * g.depth * g.kernelHeight * g.kernelWidth,
      bytes: 4 * (sizeOf(shapes.x) + sizeOf(shapes.weight) + outputs),
    }
  },
  activation: (attrs) => (attrs.relu ? relu : null),
  forward(gpu, { x, weight, bias }, y, attrs, needs) {
    const g = checked({ x: x.shape, weight: weight.shape, bias: bias?.shape ?? null }, attrs)
    const { relu: rectify = false } = attrs
    const kept = (read: NdBuffer) => ({
      x: needs.x ? { weight } : null,
      weight: needs.weight ? { x: read } : null,
    })
    if (gpu.tilings && isDepthwise(gpu, g)) {
      depthwiseForward(gpu, g, x, weight, bias, y, rectify)
      return kept(x)
    }
    if (gpu.tilings) {
      const arranged = arrangeInput(gpu, g, x)
      forwardTiled(gpu, gpu.tilings.select, g, arranged, weight, bias, y, rectify)
      return kept(arranged)
    }
    gpu.run(
      forwardKernel,
      {
        x: x.storage,
        weight: weight.storage,
        y: y.storage,
        ...(bias ? { bias: bias.storage } : {}),
      },
      plainParams(g, sizeOf(y.shape), rectify),
      { BIAS: bias ? 1 : 0 },
    )
    return kept(x)
  },
  backward: {
    x(gpu, dy, dx, { weight }, attrs, shapes) {
      const g = checked(shapes, attrs)
      if (gpu.tilings && isDepthwise(gpu, g)) depthwiseBackwardInput(gpu, g, dy, weight, dx)
      else if (gpu.tilings) backwardInputTiled(gpu, gpu.tilings.select, g, dy, weight, dx)
      else
        gpu.run(
          backwardInputKernel,
          { dy: dy.storage, weight: weight.storage, dx: dx.storage },
          plainParams(g, sizeOf(dx.shape)),
        )
    },
    weight(gpu, dy, dweight, { x }, attrs, shapes) {
      const g = checked(shapes, attrs)
      if (gpu.tilings && isDepthwise(gpu, g)) depthwiseBackwardWeight(gpu, g, dy, x, dweight)
      else if (gpu.tilings) backwardWeightTiled(gpu, gpu.tilings.select, g, dy, x, dweight)
      else
        gpu.run(
          backwardWeightKernel,
          { dy: dy.storage, x: x.storage, dweight: dweight.storage },
          plainParams(g, sizeOf(dweight.shape)),
        )
    },
    bias(gpu, dy, dbias, _, attrs, shapes) {
      const g = checked(shapes, attrs)
      sumOuterInner(gpu, dy, dbias, g.batch, g.outChannels, g.outHeight * g.outWidth)
    },
  },
})

/** The convolution's extents. @throws ShapeError where shapes or attributes do not fit */
function checked(shapes: Shapes, attrs: Conv2dAttrs): Geometry {
  const x = shape4(shapes.x, 'conv2d: x is [N, C, H, W]')
  const weight = shape4(shapes.weight, 'conv2d: weight is [O, C / groups, KH, KW]')
  const { bias } = shapes
  const { stride, padding, groups } = attrs
  const [, channels] = x
  const [outChannels, depth, kernelHeight, kernelWidth] = weight
  if (!Number.isInteger(groups) || groups < 1)
    throw new ShapeError(`conv2d: groups is a positive integer, not ${groups}`)
  if (!stride.every((s) => Number.isInteger(s) && s > 0))
    throw new ShapeError(`conv2d: stride is a positive integer, not ${stride}`)
  if (!padding.every((p) => Number.isInteger(p) && p >= 0))
    throw new ShapeError(`conv2d: padding is an integer of 0 or more, not ${padding}`)
  if (channels !== depth * groups)
    throw new ShapeError(
      `conv2d: x ${showShape(x)} has ${channels} channels, but weight ${showShape(weight)} ` +
        `takes ${depth} in each of ${groups} groups`,
    )
  if (outChannels % groups !== 0)
    throw new ShapeError(
      `conv2d: ${outChannels} output channels do not divide into ${groups} groups`,
    )
  if (bias && (bias.length !== 1 || bias[0] !== outChannels))
    throw new ShapeError(`conv2d: bias is [${outChannels}], not ${showShape(bias)}`)
  const g = geometry(x, weight, attrs)
  if (g.outHeight < 1 || g.outWidth < 1)
    throw new ShapeError(
      `conv2d: a ${kernelHeight}x${kernelWidth} filter does not fit into x ${showShape(x)} ` +
        `with padding ${padding}`,
    )
  return g
}
