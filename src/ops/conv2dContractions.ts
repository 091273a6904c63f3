/**
 * The three passes of a convolution as contractions. Images get their padding of zeros first, so
 * that every output pixel has its inputs at the same offsets. They are also interleaved by four, so
 * that the same pixel of four images is one vector. docs/kernels.md explains how this works.
 */
import type { Gpu } from '../gpu/gpu.ts'
import { elementKernel, planeKernel } from '../gpu/kernels/kernel.ts'
import { type NdBuffer, type Pair, type Shape4, scratch } from '../tensor/ndbuffer.ts'
import { type ArrangedImages, arrangeImages, imageVectors } from './arrangeImages.ts'
import { type ChooseTiling, contract } from './contract.ts'

export interface Conv2dAttrs {
  readonly stride: Pair
  readonly padding: Pair
  readonly groups: number
  /** Whether a ReLU is applied to the result: the kernel stores max(y, 0). Default false. */
  readonly relu?: boolean
}

/** The extents all three passes are written in; the names are those of the shaders' params. */
export interface Geometry {
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

/** The extents of a convolution of x [N, C, H, W] with weight [O, C / groups, KH, KW]. */
export function geometry(
  x: Shape4,
  weight: Shape4,
  { stride, padding, groups }: Conv2dAttrs,
): Geometry {
  const [batch, channels, height, width] = x
  const [outChannels, depth, kernelHeight, kernelWidth] = weight
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

/** x arranged with its zeros around it, as forward and the weight gradient read it. */
export function arrangeInput(gpu: Gpu, g: Geometry, x: NdBuffer): NdBuffer {
  return arrangeImages(
    gpu,
    x,
    g.height + 2 * g.padding[0],
    g.width + 2 * g.padding[1],
    g.padding[0],
    g.padding[1],
  ).src
}

function arrangedInput(g: Geometry, src: NdBuffer): ArrangedImages {
  return {
    src,
    height: g.height + 2 * g.padding[0],
    width: g.width + 2 * g.padding[1],
    ...imageVectors(g.batch),
  }
}

/** Rows: output channels. Columns: output pixels of all images. Sum: the filter. */
export function forwardTiled(
  gpu: Gpu,
  choose: ChooseTiling,
  g: Geometry,
  x: NdBuffer,
  weight: NdBuffer,
  bias: NdBuffer | null,
  y: NdBuffer,
  relu: boolean,
): void {
  const { src, height, width, vectors, imagesPerVector } = arrangedInput(g, x)
  const taps = g.kernelHeight * g.kernelWidth
  const rows = g.outChannels / g.groups
  const pixels = g.outHeight * g.outWidth
  const channel = height * width * imagesPerVector
  contract(gpu, choose, {
    planes: g.groups,
    rows,
    interleaved: imagesPerVector === 4 ? 'columns' : 'none',
    columns: [vectors, g.outHeight, g.outWidth],
    depth: [g.kernelHeight, g.kernelWidth, g.depth],
    a: {
      src: weight,
      base: 0,
      planeStride: rows * g.depth * taps,
      rowStride: g.depth * taps,
      strides: [g.kernelWidth, 1, taps],
    },
    b: {
      src,
      base: 0,
      planeStride: g.depth * channel,
      columnStrides: [
        g.channels * channel,
        g.stride[0] * width * imagesPerVector,
        g.stride[1] * imagesPerVector,
      ],
      strides: [width * imagesPerVector, imagesPerVector, channel],
    },
    y: {
      dst: y,
      base: 0,
      planeStride: rows * pixels,
      rowStride: pixels,
      columnStrides: [imagesPerVector * g.outChannels * pixels, g.outWidth, 1],
      elementStride: g.outChannels * pixels,
      outerColumns: g.batch,
      bias,
      biasAlong: 'rows',
      relu,
    },
  })
}

const packPhases = elementKernel<'n'>('conv2d/pack_phases', (p) => p.n, {
  cost: ({ n }) => ({ flops: 0, bytes: 32 * n }),
})
const interleave = planeKernel<'height' | 'width'>('conv2d/interleave', (p) => p.height * p.width, {
  cost: ({ planes, height, width }) => ({ flops: 0, bytes: 8 * planes * height * width }),
})

/**
 * One dimension of the input gradient. An input i = stride · q + phase - padding meets the taps k =
 * stride · t + phase only, and with them reads dy[q - t]: each phase is a convolution of stride 1
 * over the same dy, with its own filter.
 */
interface Phases {
  readonly stride: number
  readonly taps: number
  /** The first q, and how many there are. */
  readonly first: number
  readonly count: number
}

function phasesOf(extent: number, kernel: number, stride: number, padding: number): Phases {
  const first = Math.floor(padding / stride)
  return {
    stride,
    taps: Math.ceil(kernel / stride),
    first,
    count: Math.floor((extent - 1 + padding) / stride) - first + 1,
  }
}

/**
 * Rows: input channels and, for each of them, the phases of the stride. Columns: q, for all images.
 * Sum: taps and output channels. The phases are then laid side by side as pixels: the transposed
 * convolution as a sub-pixel one (Shi et al. 2016, arXiv:1609.07009).
 */
export function backwardInputTiled(
  gpu: Gpu,
  choose: ChooseTiling,
  g: Geometry,
  dy: NdBuffer,
  weight: NdBuffer,
  dx: NdBuffer,
): void {
  const down = phasesOf(g.height, g.kernelHeight, g.stride[0], g.padding[0])
  const across = phasesOf(g.width, g.kernelWidth, g.stride[1], g.padding[1])
  const [above, before] = [down.taps - 1 - down.first, across.taps - 1 - across.first]
  const { src, height, width, vectors, imagesPerVector } = arrangeImages(
    gpu,
    dy,
    down.count + down.taps - 1,
    across.count + across.taps - 1,
    above,
    before,
  )
  const outPerGroup = g.outChannels / g.groups
  const rows = g.depth * down.stride * across.stride
  const channel = height * width * imagesPerVector
  const counts = down.count * across.count * imagesPerVector
  const pixels = g.height * g.width
  const phases =
    down.stride === 1 && across.stride === 1
      ? null
      : scratch(gpu, [g.groups, rows, vectors, counts])
  contract(gpu, choose, {
    planes: g.groups,
    rows,
    interleaved: imagesPerVector === 4 ? 'columns' : 'none',
    columns: [vectors, down.count, across.count],
    depth: [down.taps, across.taps, outPerGroup],
    a: (panelRows) => packPhaseFilters(gpu, panelRows, g, weight, down, across),
    b: {
      src,
      base: 0,
      planeStride: outPerGroup * channel,
      columnStrides: [g.outChannels * channel, width * imagesPerVector, imagesPerVector],
      strides: [width * imagesPerVector, imagesPerVector, channel],
    },
    y: phases
      ? {
          dst: phases,
          base: 0,
          planeStride: rows * vectors * counts,
          rowStride: vectors * counts,
          columnStrides: [counts, across.count * imagesPerVector, imagesPerVector],
          elementStride: 1,
        }
      : {
          dst: dx,
          base: 0,
          planeStride: g.depth * pixels,
          rowStride: pixels,
          columnStrides: [imagesPerVector * g.channels * pixels, g.width, 1],
          elementStride: g.channels * pixels,
          outerColumns: g.batch,
        },
  })
  if (phases)
    gpu.run(
      interleave,
      { phases: phases.storage, dx: dx.storage },
      {
        planes: g.batch * g.channels,
        channels: g.channels,
        height: g.height,
        width: g.width,
        stride_y: down.stride,
        stride_x: across.stride,
        padding_y: g.padding[0],
        padding_x: g.padding[1],
        first_y: down.first,
        first_x: across.first,
        count_y: down.count,
        count_x: across.count,
        image_vectors: vectors,
      },
      { IMAGES_PER_VECTOR: imagesPerVector },
    )
}

function packPhaseFilters(
  gpu: Gpu,
  ROWS: number,
  g: Geometry,
  weight: NdBuffer,
  down: Phases,
  across: Phases,
): NdBuffer {
  const rows = g.depth * down.stride * across.stride
  const panels = Math.ceil(rows / ROWS)
  const outputs = g.outChannels / g.groups
  const packed = scratch(gpu, [g.groups, panels, down.taps * across.taps * outputs, ROWS])
  gpu.run(
    packPhases,
    { weight: weight.storage, panels: packed.storage },
    {
      n: (g.groups * panels * down.taps * across.taps * outputs * ROWS) / 4,
      rows,
      panels,
      outputs,
      depth: g.depth,
      kernel_height: g.kernelHeight,
      kernel_width: g.kernelWidth,
      stride_y: down.stride,
      stride_x: across.stride,
      taps_y: down.taps,
      taps_x: across.taps,
    },
    { ROWS },
  )
  return packed
}

/**
 * Rows: output channels. Columns: one filter's weights. Sum: output pixels and images, split over
 * groups of images where tiles are few.
 */
export function backwardWeightTiled(
  gpu: Gpu,
  choose: ChooseTiling,
  g: Geometry,
  dy: NdBuffer,
  x: NdBuffer,
  dweight: NdBuffer,
): void {
  const { src, height, width, vectors, imagesPerVector } = arrangedInput(g, x)
  const rows = g.outChannels / g.groups
  const pixels = g.outHeight * g.outWidth
  const taps = g.kernelHeight * g.kernelWidth
  const channel = height * width * imagesPerVector
  contract(gpu, choose, {
    planes: g.groups,
    rows,
    interleaved: imagesPerVector === 4 ? 'depth' : 'none',
    columns: [g.depth, g.kernelHeight, g.kernelWidth],
    depth: [vectors, g.outHeight, g.outWidth],
    a: {
      src: dy,
      base: 0,
      planeStride: rows * pixels,
      rowStride: pixels,
      strides: [imagesPerVector * g.outChannels * pixels, g.outWidth, 1],
      elementStride: g.outChannels * pixels,
      outerSteps: g.batch,
    },
    b: {
      src,
      base: 0,
      planeStride: g.depth * channel,
      columnStrides: [channel, width * imagesPerVector, imagesPerVector],
      strides: [
        g.channels * channel,
        g.stride[0] * width * imagesPerVector,
        g.stride[1] * imagesPerVector,
      ],
    },
    y: {
      dst: dweight,
      base: 0,
      planeStride: rows * g.depth * taps,
      rowStride: g.depth * taps,
      columnStrides: [taps, g.kernelWidth, 1],
    },
    split: true,
  })
}
