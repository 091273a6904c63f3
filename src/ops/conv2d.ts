import { ShapeError } from '../base/errors.ts'
import { type Cost, elementKernel } from '../gpu/kernels/kernel.ts'
import { type Shape, showShape, sizeOf } from '../tensor/ndbuffer.ts'
import {
  arrangeInput,
  backwardInputTiled,
  backwardWeightTiled,
  type Conv2dAttrs,
  forwardTiled,
  type Geometry,
  geometry,
  type Pair,
} from './conv2dTiles.ts'
import { defineOp, type InputShapes, keptAt, required } from './op.ts'
import { sumOuterInner } from './reduce.ts'

export type { Conv2dAttrs, Pair }

type In = 'x' | 'weight' | 'bias'

/** The same for all three passes: each reads two of x, weight and y, and writes the third. */
function plainCost(p: ReturnType<typeof plainParams>): Cost {
  const filter = (p.channels / p.groups) * p.kernel_height * p.kernel_width
  const [pixels, outPixels] = [p.batch * p.height * p.width, p.batch * p.out_height * p.out_width]
  return {
    flops: 2 * p.out_channels * outPixels * filter,
    bytes: 4 * (p.channels * pixels + p.out_channels * filter + p.out_channels * outPixels),
  }
}

type PlainParam = keyof ReturnType<typeof plainParams>
const forwardKernel = elementKernel<PlainParam>('conv2d/forward', (p) => p.n, { cost: plainCost })
const backwardInputKernel = elementKernel<PlainParam>('conv2d/backward_input', (p) => p.n, {
  cost: plainCost,
})
const backwardWeightKernel = elementKernel<PlainParam>('conv2d/backward_weight', (p) => p.n, {
  cost: plainCost,
})

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
export const conv2d = defineOp<In, Conv2dAttrs>({
  name: 'conv2d',
  inputs: ['x', 'weight', 'bias'],
  outShape(shapes, attrs) {
    const { x, weight } = checkShapes(shapes, attrs)
    const g = geometry(x, weight, attrs)
    if (g.outHeight < 1 || g.outWidth < 1)
      throw new ShapeError(
        `conv2d: a ${g.kernelHeight}x${g.kernelWidth} filter does not fit into x ${showShape(x)} with padding ${attrs.padding}`,
      )
    return [g.batch, g.outChannels, g.outHeight, g.outWidth]
  },
  cost(shapes, attrs) {
    const g = geometry(shapes.x ?? [], shapes.weight ?? [], attrs)
    const outputs = g.batch * g.outChannels * g.outHeight * g.outWidth
    return {
      flops: 2 * outputs * g.depth * g.kernelHeight * g.kernelWidth,
      bytes: 4 * (sizeOf(shapes.x ?? []) + sizeOf(shapes.weight ?? []) + outputs),
    }
  },
  forward(gpu, inputs, y, attrs, needs) {
    const [x, weight] = [required('x', inputs.x), required('weight', inputs.weight)]
    const g = geometry(x.shape, weight.shape, attrs)
    const { relu = false } = attrs
    if (gpu.tilings) {
      const arranged = arrangeInput(gpu, g, x)
      forwardTiled(gpu, gpu.tilings.select, g, arranged, weight, inputs.bias, y, relu)
      return [needs.weight ? arranged : null, needs.x ? weight : null]
    }
    gpu.run(
      forwardKernel,
      {
        x: x.storage,
        weight: weight.storage,
        y: y.storage,
        ...(inputs.bias ? { bias: inputs.bias.storage } : {}),
      },
      plainParams(g, sizeOf(y.shape), relu),
      { BIAS: inputs.bias ? 1 : 0 },
    )
    return [needs.weight ? x : null, needs.x ? weight : null]
  },
  backward(gpu, kept, dy, grads, attrs, shapes) {
    const g = geometry(shapes.x ?? [], shapes.weight ?? [], attrs)
    if (grads.x) {
      const weight = keptAt(kept, 1)
      if (gpu.tilings) backwardInputTiled(gpu, gpu.tilings.select, g, dy, weight, grads.x)
      else
        gpu.run(
          backwardInputKernel,
          { dy: dy.storage, weight: weight.storage, dx: grads.x.storage },
          plainParams(g, sizeOf(grads.x.shape)),
        )
    }
    if (grads.weight) {
      const x = keptAt(kept, 0)
      if (gpu.tilings) backwardWeightTiled(gpu, gpu.tilings.select, g, dy, x, grads.weight)
      else
        gpu.run(
          backwardWeightKernel,
          { dy: dy.storage, x: x.storage, dweight: grads.weight.storage },
          plainParams(g, sizeOf(grads.weight.shape)),
        )
    }
    if (grads.bias)
      sumOuterInner(gpu, dy, grads.bias, g.batch, g.outChannels, g.outHeight * g.outWidth)
  },
})

function checkShapes(
  { x, weight, bias }: InputShapes<In>,
  { stride, padding, groups }: Conv2dAttrs,
): { x: Shape; weight: Shape } {
  if (x?.length !== 4) throw new ShapeError(`conv2d: x is [N, C, H, W], not ${showShape(x ?? [])}`)
  if (weight?.length !== 4)
    throw new ShapeError(
      `conv2d: weight is [O, C / groups, KH, KW], not ${showShape(weight ?? [])}`,
    )
  const [, channels = 0] = x
  const [outChannels = 0, depth = 0] = weight
  if (!Number.isInteger(groups) || groups < 1)
    throw new ShapeError(`conv2d: groups is a positive integer, not ${groups}`)
  if (!stride.every((s) => Number.isInteger(s) && s > 0))
    throw new ShapeError(`conv2d: stride is a positive integer, not ${stride}`)
  if (!padding.every((p) => Number.isInteger(p) && p >= 0))
    throw new ShapeError(`conv2d: padding is an integer of 0 or more, not ${padding}`)
  if (channels !== depth * groups)
    throw new ShapeError(
      `conv2d: x ${showShape(x)} has ${channels} channels, but weight ${showShape(weight)} takes ${depth} in each of ${groups} groups`,
    )
  if (outChannels % groups !== 0)
    throw new ShapeError(
      `conv2d: ${outChannels} output channels do not divide into ${groups} groups`,
    )
  if (bias && (bias.length !== 1 || bias[0] !== outChannels))
    throw new ShapeError(`conv2d: bias is [${outChannels}], not ${showShape(bias)}`)
  return { x, weight }
}
