import { ShapeError } from '../gpu/errors.ts'
import type { Gpu } from '../gpu/gpu.ts'
import { type Cost, elementKernel } from '../gpu/kernel.ts'
import type { TileShape } from '../gpu/tuning.ts'
import { type NdBuffer, type Shape, showShape, sizeOf } from '../tensor/ndbuffer.ts'
import { contract, pad } from './contract.ts'
import { defineOp, type InputShapes, keptAt, required } from './op.ts'
import { sumOuterInner } from './reduce.ts'

/** Height and width, in this order. */
export type Pair = readonly [number, number]

export interface Conv2dAttrs {
  readonly stride: Pair
  readonly padding: Pair
  readonly groups: number
}

type In = 'x' | 'weight' | 'bias'

/** The extents all three passes are written in; the names are those of the shaders' params. */
interface Geometry {
  readonly batch: number
  readonly channels: number
  readonly height: number
  readonly width: number
  readonly outChannels: number
  readonly kernelHeight: number
  readonly kernelWidth: number
  readonly outHeight: number
  readonly outWidth: number
  readonly stride: Pair
  readonly padding: Pair
  readonly groups: number
  /** Channels of x that one output channel sees. */
  readonly depth: number
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

type PlainParam = keyof ReturnType<typeof plainParams>
const forwardKernel = elementKernel<PlainParam>('conv2d/forward', (p) => p.n, { cost: plainCost })
const backwardInputKernel = elementKernel<PlainParam>('conv2d/backward_input', (p) => p.n, { cost: plainCost })
const backwardWeightKernel = elementKernel<PlainParam>('conv2d/backward_weight', (p) => p.n, { cost: plainCost })

function geometry(x: Shape, weight: Shape, { stride, padding, groups }: Conv2dAttrs): Geometry {
  const [batch = 0, channels = 0, height = 0, width = 0] = x
  const [outChannels = 0, depth = 0, kernelHeight = 0, kernelWidth = 0] = weight
  return {
    batch,
    channels,
    height,
    width,
    outChannels,
    kernelHeight,
    kernelWidth,
    outHeight: Math.floor((height + 2 * padding[0] - kernelHeight) / stride[0]) + 1,
    outWidth: Math.floor((width + 2 * padding[1] - kernelWidth) / stride[1]) + 1,
    stride,
    padding,
    groups,
    depth,
  }
}

/** The plain kernels' params. */
function plainParams(g: Geometry, n: number) {
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
  }
}

/**
 * y[n, o] = bias[o] + Σ_c weight[o, c] ⋆ x[n, c]: cross-correlation over NCHW, weight [O, C / groups, KH, KW], as PyTorch's conv2d.
 * The input gradient is the same sum over dy with flipped filters, one part for each phase of the stride; the weight gradient is a
 * convolution of x with dy.
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
    if (gpu.tile) forwardTiled(gpu, gpu.tile, g, x, weight, inputs.bias, y)
    else
      gpu.run(
        forwardKernel,
        { x: x.storage, weight: weight.storage, y: y.storage, ...(inputs.bias ? { bias: inputs.bias.storage } : {}) },
        plainParams(g, sizeOf(y.shape)),
        { BIAS: inputs.bias ? 1 : 0 },
      )
    return [needs.weight ? x : null, needs.x ? weight : null]
  },
  backward(gpu, kept, dy, grads, attrs, shapes) {
    const g = geometry(shapes.x ?? [], shapes.weight ?? [], attrs)
    if (grads.x) {
      const weight = keptAt(kept, 1)
      if (gpu.tile) backwardInputTiled(gpu, gpu.tile, g, dy, weight, grads.x)
      else
        gpu.run(backwardInputKernel, { dy: dy.storage, weight: weight.storage, dx: grads.x.storage }, plainParams(g, sizeOf(grads.x.shape)))
    }
    if (grads.weight) {
      const x = keptAt(kept, 0)
      if (gpu.tile) backwardWeightTiled(gpu, gpu.tile, g, dy, x, grads.weight)
      else
        gpu.run(
          backwardWeightKernel,
          { dy: dy.storage, x: x.storage, dweight: grads.weight.storage },
          plainParams(g, sizeOf(grads.weight.shape)),
        )
    }
    if (grads.bias) sumOuterInner(gpu, dy, grads.bias, g.batch, g.outChannels, g.outHeight * g.outWidth)
  },
})

function checkShapes({ x, weight, bias }: InputShapes<In>, { stride, padding, groups }: Conv2dAttrs): { x: Shape; weight: Shape } {
  if (x?.length !== 4) throw new ShapeError(`conv2d: x is [N, C, H, W], not ${showShape(x ?? [])}`)
  if (weight?.length !== 4) throw new ShapeError(`conv2d: weight is [O, C / groups, KH, KW], not ${showShape(weight ?? [])}`)
  const [, channels = 0] = x
  const [outChannels = 0, depth = 0] = weight
  if (!Number.isInteger(groups) || groups < 1) throw new ShapeError(`conv2d: groups is a positive integer, not ${groups}`)
  if (!stride.every((s) => Number.isInteger(s) && s > 0)) throw new ShapeError(`conv2d: stride is a positive integer, not ${stride}`)
  if (!padding.every((p) => Number.isInteger(p) && p >= 0))
    throw new ShapeError(`conv2d: padding is an integer of 0 or more, not ${padding}`)
  if (channels !== depth * groups)
    throw new ShapeError(
      `conv2d: x ${showShape(x)} has ${channels} channels, but weight ${showShape(weight)} takes ${depth} in each of ${groups} groups`,
    )
  if (outChannels % groups !== 0) throw new ShapeError(`conv2d: ${outChannels} output channels do not divide into ${groups} groups`)
  if (bias && (bias.length !== 1 || bias[0] !== outChannels))
    throw new ShapeError(`conv2d: bias is [${outChannels}], not ${showShape(bias)}`)
  return { x, weight }
}

/** x with its zeros around it, and the padded height and width. */
function padded(gpu: Gpu, g: Geometry, x: NdBuffer): { readonly src: NdBuffer; readonly height: number; readonly width: number } {
  const [height, width] = [g.height + 2 * g.padding[0], g.width + 2 * g.padding[1]]
  return { src: pad(gpu, x, g.batch * g.channels, [g.height, g.width], [height, width], g.padding[0], g.padding[1]), height, width }
}

/** Rows: output channels. Columns: output pixels. Sum: the filter. */
function forwardTiled(gpu: Gpu, tile: TileShape, g: Geometry, x: NdBuffer, weight: NdBuffer, bias: NdBuffer | null, y: NdBuffer): void {
  const { src, height, width } = padded(gpu, g, x)
  const filter = g.depth * g.kernelHeight * g.kernelWidth
  const rows = g.outChannels / g.groups
  const pixels = g.outHeight * g.outWidth
  contract(gpu, tile, {
    planes: g.groups,
    rows,
    columns: [g.batch, g.outHeight, g.outWidth],
    depth: [g.depth, g.kernelHeight, g.kernelWidth],
    a: { src: weight, base: 0, planeStride: rows * filter, rowStride: filter, strides: [g.kernelHeight * g.kernelWidth, g.kernelWidth, 1] },
    b: {
      src,
      base: 0,
      planeStride: g.depth * height * width,
      columnStrides: [g.channels * height * width, g.stride[0] * width, g.stride[1]],
      strides: [height * width, width, 1],
    },
    y: {
      dst: y,
      base: 0,
      planeStride: rows * pixels,
      rowStride: pixels,
      columnStrides: [g.outChannels * pixels, g.outWidth, 1],
      bias,
      biasAlong: 'rows',
    },
  })
}

/**
 * One dimension of one phase of the input gradient. Inputs i with (i + padding) mod stride = phase meet only the taps
 * k = stride · t + phase, t < taps, and with q = (i + padding - phase) / stride they read dy[q - t]: a convolution of stride 1.
 */
interface Phase {
  readonly phase: number
  readonly taps: number
  /** The first q, and how many there are. */
  readonly first: number
  readonly count: number
}

function phasesOf(extent: number, kernel: number, stride: number, padding: number): Phase[] {
  return Array.from({ length: stride }, (_, phase) => {
    const first = Math.ceil((padding - phase) / stride)
    const last = Math.floor((padding + extent - 1 - phase) / stride)
    return { phase, taps: Math.max(0, Math.ceil((kernel - phase) / stride)), first, count: Math.max(0, last - first + 1) }
  })
}

/** The rows of dy that any phase reads, from `low` (negative where they lie outside dy). */
function reach(phases: readonly Phase[]): { readonly low: number; readonly extent: number } {
  const low = Math.min(...phases.map(({ first, taps }) => first - Math.max(taps - 1, 0)))
  const high = Math.max(...phases.map(({ first, count }) => first + count - 1))
  return { low, extent: Math.max(1, high - low + 1) }
}

/** Rows: input channels. Columns: the input pixels of one phase. Sum: output channels and that phase's taps, the filter flipped. */
function backwardInputTiled(gpu: Gpu, tile: TileShape, g: Geometry, dy: NdBuffer, weight: NdBuffer, dx: NdBuffer): void {
  const ys = phasesOf(g.height, g.kernelHeight, g.stride[0], g.padding[0])
  const xs = phasesOf(g.width, g.kernelWidth, g.stride[1], g.padding[1])
  const [down, across] = [reach(ys), reach(xs)]
  const [height, width] = [down.extent, across.extent]
  const src = pad(gpu, dy, g.batch * g.outChannels, [g.outHeight, g.outWidth], [height, width], -down.low, -across.low)
  const taps = g.kernelHeight * g.kernelWidth
  const outPerGroup = g.outChannels / g.groups
  const pixels = g.height * g.width
  for (const y of ys)
    for (const x of xs) {
      if (y.count === 0 || x.count === 0) continue
      const empty = y.taps === 0 || x.taps === 0 // between the filters: these inputs meet no tap, and their gradient is 0
      const firstTap = (g.stride[0] * (y.taps - 1) + y.phase) * g.kernelWidth + g.stride[1] * (x.taps - 1) + x.phase
      contract(gpu, tile, {
        planes: g.groups,
        rows: g.depth,
        columns: [g.batch, y.count, x.count],
        depth: empty ? [0, 0, 0] : [outPerGroup, y.taps, x.taps],
        a: {
          src: weight,
          base: empty ? 0 : firstTap,
          planeStride: outPerGroup * g.depth * taps,
          rowStride: taps,
          strides: [g.depth * taps, -g.stride[0] * g.kernelWidth, -g.stride[1]],
        },
        b: {
          src,
          base: empty ? 0 : (y.first - (y.taps - 1) - down.low) * width + (x.first - (x.taps - 1) - across.low),
          planeStride: outPerGroup * height * width,
          columnStrides: [g.outChannels * height * width, width, 1],
          strides: [height * width, width, 1],
        },
        y: {
          dst: dx,
          base: (g.stride[0] * y.first + y.phase - g.padding[0]) * g.width + (g.stride[1] * x.first + x.phase - g.padding[1]),
          planeStride: g.depth * pixels,
          rowStride: pixels,
          columnStrides: [g.channels * pixels, g.stride[0] * g.width, g.stride[1]],
        },
      })
    }
}

/** Rows: output channels. Columns: one filter's weights. Sum: images and output pixels, split over the images where tiles are few. */
function backwardWeightTiled(gpu: Gpu, tile: TileShape, g: Geometry, dy: NdBuffer, x: NdBuffer, dweight: NdBuffer): void {
  const { src, height, width } = padded(gpu, g, x)
  const rows = g.outChannels / g.groups
  const pixels = g.outHeight * g.outWidth
  const filter = g.depth * g.kernelHeight * g.kernelWidth
  contract(gpu, tile, {
    planes: g.groups,
    rows,
    columns: [g.depth, g.kernelHeight, g.kernelWidth],
    depth: [g.batch, g.outHeight, g.outWidth],
    a: { src: dy, base: 0, planeStride: rows * pixels, rowStride: pixels, strides: [g.outChannels * pixels, g.outWidth, 1] },
    b: {
      src,
      base: 0,
      planeStride: g.depth * height * width,
      columnStrides: [height * width, width, 1],
      strides: [g.channels * height * width, g.stride[0] * width, g.stride[1]],
    },
    y: {
      dst: dweight,
      base: 0,
      planeStride: rows * filter,
      rowStride: filter,
      columnStrides: [g.kernelHeight * g.kernelWidth, g.kernelWidth, 1],
    },
    split: true,
  })
}
