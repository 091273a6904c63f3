/**
 * A convolution in which every output channel reads one channel. The tiles of dense convolution fit
 * it badly: their rows are output channels that share the inputs, and here none do. So it has
 * kernels of its own, in which a thread computes a tile of neighboring pixels.
 */
import type { Gpu } from '../gpu/gpu.ts'
import { type Cost, elementKernel } from '../gpu/kernels/kernel.ts'
import { type NdBuffer, scratch } from '../tensor/ndbuffer.ts'
import type { Geometry } from './conv2dContractions.ts'
import { sumOuter } from './reduce.ts'

/** The largest filter that is written out in the kernels: 7 x 7. */
const mostTaps = 49

/**
 * Whether the depthwise kernels take this convolution. On SwiftShader none: it compiles kernels
 * that are written out like these for minutes.
 */
export function isDepthwise(gpu: Gpu, g: Geometry): boolean {
  const few = g.kernelHeight * g.kernelWidth <= mostTaps
  return g.depth === 1 && g.groups > 1 && few && gpu.kind !== 'swiftshader'
}

type Names = keyof ReturnType<typeof paramsOf>
type Taps = 'KERNEL_Y' | 'KERNEL_X'

const kernel = (name: string) =>
  elementKernel<Names, Taps>(`depthwise/${name}`, (p) => p.n, {
    cost(p, { KERNEL_Y, KERNEL_X }): Cost {
      const outputs = p.out_height * p.out_width * p.channels * p.multiplier
      const images = p.n / (p.tiles_y * p.tiles_x * p.channels)
      return {
        flops: 2 * images * outputs * KERNEL_Y * KERNEL_X,
        bytes: 4 * images * (outputs + p.channels * p.height * p.width),
      }
    },
  })
const forwardKernel = kernel('forward')
const backwardInputKernel = kernel('backward_input')
const backwardWeightKernel = kernel('backward_weight')

/** Outputs, or elements of dx, that a thread computes in either direction. */
const tile = 4

/** Threads that keep a GPU busy, and those that keep a CPU busy. */
const busy = { hardware: 2 ** 14, lavapipe: 2 ** 10, swiftshader: 2 ** 10 } as const

function paramsOf(
  g: Geometry,
  n: number,
  tiles: readonly [number, number],
  [first_y, first_x]: readonly [number, number] = [0, 0],
  chunks = 1,
) {
  return {
    n,
    channels: g.channels,
    multiplier: g.outChannels / g.channels,
    height: g.height,
    width: g.width,
    out_height: g.outHeight,
    out_width: g.outWidth,
    tiles_y: tiles[0],
    tiles_x: tiles[1],
    first_y,
    first_x,
    chunks,
  }
}

function constantsOf(g: Geometry, [ROWS, COLS]: readonly [number, number]) {
  return {
    KERNEL_Y: g.kernelHeight,
    KERNEL_X: g.kernelWidth,
    STRIDE_Y: g.stride[0],
    STRIDE_X: g.stride[1],
    PADDING_Y: g.padding[0],
    PADDING_X: g.padding[1],
    ROWS,
    COLS,
  }
}

/** A tile of outputs, no larger than a plane, and how many tiles a plane has. */
function outputTiles(g: Geometry) {
  const size = [Math.min(tile, g.outHeight), Math.min(tile, g.outWidth)] as const
  const counts = [Math.ceil(g.outHeight / size[0]), Math.ceil(g.outWidth / size[1])] as const
  return { size, counts, perPlane: counts[0] * counts[1] }
}

export function depthwiseForward(
  gpu: Gpu,
  g: Geometry,
  x: NdBuffer,
  weight: NdBuffer,
  bias: NdBuffer | null,
  y: NdBuffer,
  relu: boolean,
): void {
  const { size, counts, perPlane } = outputTiles(g)
  gpu.run(
    forwardKernel,
    {
      x: x.storage,
      weight: weight.storage,
      y: y.storage,
      ...(bias ? { bias: bias.storage } : {}),
    },
    paramsOf(g, g.batch * g.outChannels * perPlane, counts),
    { ...constantsOf(g, size), BIAS: bias ? 1 : 0, RELU: relu ? 1 : 0 },
  )
}

/** One dimension of dx in blocks of `stride` elements: the first that reaches into x, and tiles. */
function blocksOf(extent: number, stride: number, padding: number) {
  const first = Math.floor(padding / stride)
  const count = Math.floor((extent - 1 + padding) / stride) - first + 1
  const size = Math.min(Math.max(1, Math.floor(tile / stride)), count)
  return { first, size, tiles: Math.ceil(count / size) }
}

export function depthwiseBackwardInput(
  gpu: Gpu,
  g: Geometry,
  dy: NdBuffer,
  weight: NdBuffer,
  dx: NdBuffer,
): void {
  const down = blocksOf(g.height, g.stride[0], g.padding[0])
  const across = blocksOf(g.width, g.stride[1], g.padding[1])
  gpu.run(
    backwardInputKernel,
    { dy: dy.storage, weight: weight.storage, dx: dx.storage },
    paramsOf(
      g,
      g.batch * g.channels * down.tiles * across.tiles,
      [down.tiles, across.tiles],
      [down.first, across.first],
    ),
    constantsOf(g, [down.size, across.size]),
  )
}

export function depthwiseBackwardWeight(
  gpu: Gpu,
  g: Geometry,
  dy: NdBuffer,
  x: NdBuffer,
  dweight: NdBuffer,
): void {
  const { size, counts, perPlane } = outputTiles(g)
  const planes = g.batch * g.outChannels
  const chunks = Math.min(perPlane, Math.ceil(busy[gpu.kind] / planes))
  const width = g.outChannels * g.kernelHeight * g.kernelWidth
  const sums = g.batch * chunks
  const parts = sums > 1 ? scratch(gpu, [sums, width]) : dweight
  gpu.run(
    backwardWeightKernel,
    { x: x.storage, dy: dy.storage, parts: parts.storage },
    paramsOf(g, planes * chunks, counts, [0, 0], chunks),
    constantsOf(g, size),
  )
  if (sums > 1) sumOuter(gpu, parts, dweight, sums, width)
}
