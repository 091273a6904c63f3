import { UsageError } from '../base/errors.ts'
import type { Gpu } from '../gpu/gpu.ts'
import {
  type Cost,
  type Kernel,
  maxGroups,
  type Numbers,
  type Params,
} from '../gpu/kernels/kernel.ts'
import type { Storage } from '../gpu/memory/pool.ts'
import type { RgbImage } from '../host/host.ts'
import type { Preprocess } from '../nn/preprocess.ts'
import { type AxisFilter, antialiasFilter, mirrored } from './antialias.ts'
import type { View } from './view.ts'

/**
 * What happens to values in 0..1: channels are put into the network's order, values are scaled, the
 * mean is subtracted, and they are divided by the standard deviation.
 */
export type Normalization = Pick<Preprocess, 'mean' | 'std' | 'scale' | 'order'>

/** Values as they are: RGB in 0..1. */
export const plain: Normalization = { mean: [0, 0, 0], std: [1, 1, 1], scale: 1, order: 'rgb' }

const horizontal = rowKernel<'taps' | 'row_bytes'>(
  'transforms/horizontal',
  ({ columns, rows, taps, row_bytes }) => ({
    flops: 6 * taps * columns * rows,
    bytes: rows * row_bytes + 12 * columns * rows,
  }),
)
const vertical = rowKernel<'taps' | 'half_rows'>(
  'transforms/vertical',
  ({ columns, rows, taps, half_rows }) => ({
    flops: (6 * taps + 9) * columns * rows,
    bytes: 12 * columns * (half_rows + rows),
  }),
)

/** Bytes of an image that are on the device at once; a larger one is processed in bands of rows. */
const bandBytes = 16 * 2 ** 20
/**
 * An image with more bytes than this is submitted to the device at once, so that the next one can
 * reuse its buffer.
 */
const largeBytes = 4 * 2 ** 20

/**
 * Two passes: first along rows, only those the view needs, then along columns.
 * @param y gets [3, size, size], from store.base on
 * @param store where the vertical pass writes, and how it normalizes
 */
export function resample(
  gpu: Gpu,
  image: RgbImage,
  { part, resized, top, left, flip }: View,
  size: number,
  y: Storage,
  store: Params,
): void {
  const unflipped = antialiasFilter(part.width, resized.width, left, size)
  const across = flip ? mirrored(unflipped) : unflipped
  const down = antialiasFilter(part.height, resized.height, top, size)
  const firstRow = part.top + down.start
  const rowBytes = 3 * image.width
  const bandRows = Math.max(1, Math.floor(bandBytes / rowBytes))
  gpu.withScratch(() => {
    const half = gpu.scratch(sizeClass(4 * 3 * down.extent * size))
    const filters = gpu.upload(packFilters(across, down))
    for (let row = 0; row < down.extent; row += bandRows) {
      const rows = Math.min(bandRows, down.extent - row)
      const band = gpu.upload(
        padded(
          image.data.subarray((firstRow + row) * rowBytes, (firstRow + row + rows) * rowBytes),
        ),
      )
      gpu.run(
        horizontal,
        { image: band, filters, half },
        {
          columns: size,
          rows,
          row_bytes: rowBytes,
          start: part.left + across.start,
          taps: across.taps,
          half_row: row,
          half_rows: down.extent,
        },
      )
      if (band.bytes > largeBytes) gpu.submit()
      band.release()
    }
    gpu.run(
      vertical,
      { half, filters, y },
      {
        columns: size,
        rows: size,
        half_rows: down.extent,
        taps: down.taps,
        filters_at: across.first.length + across.weights.length,
        ...store,
      },
    )
    filters.release()
  })
}

/** Both axes one after the other, each its first inputs and then its weights' bits. */
function packFilters(...axes: readonly AxisFilter[]): Uint32Array {
  const parts = axes.flatMap(({ first, weights }) => [first, new Uint32Array(weights.buffer)])
  const packed = new Uint32Array(parts.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of parts) {
    packed.set(part, at)
    at += part.length
  }
  return packed
}

/** The numbers that `store` in shaders/transforms/normalize.wgsl takes. */
export function normalizationParams(
  name: string,
  { mean, std, scale, order }: Normalization,
): Params {
  if (![...mean, ...std, scale].every(Number.isFinite) || std.includes(0))
    throw new UsageError(`${name}: mean, std and scale are finite, and std is not 0`)
  if (order !== 'rgb' && order !== 'bgr')
    throw new UsageError(`${name}: order is rgb or bgr, not ${String(order)}`)
  return {
    scale,
    bgr: order === 'bgr' ? 1 : 0,
    mean_0: mean[0],
    mean_1: mean[1],
    mean_2: mean[2],
    inv_std_0: 1 / std[0],
    inv_std_1: 1 / std[1],
    inv_std_2: 1 / std[2],
  }
}

/** Declares a kernel with one thread per column and one row of workgroups per row. */
export function rowKernel<P extends string>(
  name: string,
  cost: (params: Numbers<P | 'columns' | 'rows'>) => Cost,
): Kernel {
  return {
    name,
    constants: { WG: 64 },
    threads: ({ columns, rows }: Numbers<'columns' | 'rows'>) => columns * rows,
    cost,
    grid: ({ columns, rows }: Numbers<'columns' | 'rows'>, { WG }: Numbers<'WG'>) => [
      Math.ceil(columns / WG),
      Math.min(rows, maxGroups),
      Math.ceil(rows / maxGroups),
    ],
  }
}

/**
 * Bytes rounded up by an eighth at most. The pool keeps buffers by size: images of a thousand
 * different sizes would otherwise leave a thousand buffers behind.
 */
function sizeClass(bytes: number): number {
  const step = 2 ** Math.max(8, Math.floor(Math.log2(bytes)) - 3)
  return Math.ceil(bytes / step) * step
}

function padded(bytes: Uint8Array): Uint8Array {
  const room = sizeClass(bytes.length)
  if (room === bytes.length) return bytes
  const copy = new Uint8Array(room)
  copy.set(bytes)
  return copy
}
