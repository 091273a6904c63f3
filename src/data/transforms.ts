import { ShapeError, UsageError } from '../gpu/errors.ts'
import type { Gpu } from '../gpu/gpu.ts'
import { type Cost, type Kernel, maxGroups, type Params } from '../gpu/kernel.ts'
import type { Storage } from '../gpu/pool.ts'
import type { Preprocess } from '../nn/preprocess.ts'
import type { Engine } from '../tensor/engine.ts'
import { allocate, type Shape, showShape, sizeOf } from '../tensor/ndbuffer.ts'
import type { Random } from '../tensor/philox.ts'
import { Tensor } from '../tensor/tensor.ts'
import { type AxisFilter, antialiasFilter, centreOffset, resizedExtent } from './antialias.ts'
import type { RgbImage } from './decode.ts'

export { centreOffset } from './antialias.ts'

/** A `size` x `size` window of a picture; it may reach beyond the picture. */
export interface Window {
  readonly top: number
  readonly left: number
  /** Whether left and right are exchanged. */
  readonly flip: boolean
}

/** How values in 0..1 leave: turned to the network's channel order, scaled, less the mean, divided by the deviation. */
type Normalisation = Pick<Preprocess, 'mean' | 'std' | 'scale' | 'order'>

interface Extent {
  readonly height: number
  readonly width: number
}

/** A part of the resized picture. */
interface Region extends Extent {
  readonly top: number
  readonly left: number
}

const plain: Normalisation = { mean: [0, 0, 0], std: [1, 1, 1], scale: 1, order: 'rgb' }
const plainParams = normalisationParams('resize', plain)

const horizontal = rowKernel('transforms/horizontal', ({ columns = 0, rows = 0, taps = 0, row_bytes = 0 }) => ({
  flops: 6 * taps * columns * rows,
  bytes: rows * row_bytes + 12 * columns * rows,
}))
const vertical = rowKernel('transforms/vertical', ({ columns = 0, rows = 0, taps = 0, half_rows = 0 }) => ({
  flops: (6 * taps + 9) * columns * rows,
  bytes: 12 * columns * (half_rows + rows),
}))
const cropKernel = rowKernel('transforms/crop', ({ columns = 0, rows = 0 }) => ({ flops: 9 * columns * rows, bytes: 24 * columns * rows }))

/** Bytes of a picture that are on the device at once; larger ones pass through in bands of rows. */
const bandBytes = 16 * 2 ** 20
/** Above this many bytes a picture is handed to the device at once, so that the next one can take its buffer. */
const largeBytes = 4 * 2 ** 20

/**
 * Resizes a picture and cuts its middle out, on the GPU: the shorter side becomes `resize`, the longer one is rounded down, with
 * PyTorch's antialiased bilinear filter (F.interpolate, mode='bilinear', antialias=True, align_corners=False).
 * @param image RGB rows
 * @returns [1, 3, size, size], RGB in 0..1
 * @throws ShapeError when the data is not height · width · 3 bytes
 * @throws UsageError when `size` is larger than `resize`, or an option is unknown
 * @example const x = resizeCrop(engine, await decodeImage('ant.jpg'), { resize: 256, size: 224 })
 */
export function resizeCrop(engine: Engine, image: RgbImage, options: { readonly resize: number; readonly size: number }): Tensor {
  const unknown = Object.keys(options).filter((key) => key !== 'resize' && key !== 'size')
  if (unknown.length) throw new UsageError(`resizeCrop: there is no option ${unknown.join(', ')}; it takes resize, size`)
  return cutMiddles('resizeCrop', engine, [image], { ...plain, ...options })
}

/**
 * Pictures as a network wants them: each resized and its middle cut out as by `resizeCrop`, then normalised, on the GPU.
 * @param images RGB rows, of any sizes
 * @returns [N, 3, size, size], in the network's channel order
 * @throws ShapeError when a picture's data is not height · width · 3 bytes
 * @throws UsageError without pictures, or when `size` is larger than `resize`
 * @example const logits = model.forward(preprocessImages(engine, images, model.preprocess))
 */
export function preprocessImages(engine: Engine, images: readonly RgbImage[], preprocess: Preprocess): Tensor {
  return cutMiddles('preprocessImages', engine, images, preprocess)
}

/**
 * Resizes a whole picture, as `resizeCrop` does, without cutting.
 * @returns [3, height, width], RGB in 0..1; the shorter side is `resize`
 * @throws ShapeError when the data is not height · width · 3 bytes
 * @throws UsageError unless `resize` is a positive integer
 * @example const picture = resizeTo(engine, image, 256)
 */
export function resizeTo(engine: Engine, image: RgbImage, resize: number): Tensor {
  checkImage('resizeTo', image)
  checkExtent('resizeTo', 'resize', resize)
  const { height, width } = resizedExtent(image.height, image.width, resize)
  const shape = [3, height, width]
  const y = new Tensor(engine, { storage: engine.gpu.allocate(sizeClass(4 * sizeOf(shape))), shape })
  return filled(y, () =>
    resample(engine.gpu, image, { height, width }, { top: 0, left: 0, height, width }, y.buffer.storage, { base: 0, ...plainParams }),
  )
}

/**
 * Cuts a window out of each picture and normalises it, on the GPU. Where a window reaches beyond its picture, the edge is repeated.
 * @param pictures each a tensor [3, height, width], RGB in 0..1, and its window
 * @returns [N, 3, size, size], in the network's channel order
 * @throws ShapeError for a tensor of another shape, or a window whose corner is no integer
 * @throws UsageError without pictures
 * @example const x = crop(engine, [{ tensor: resizeTo(engine, image, 256), top: 16, left: 40, flip: true }], model.preprocess)
 */
export function crop(engine: Engine, pictures: readonly ({ readonly tensor: Tensor } & Window)[], preprocess: Preprocess): Tensor {
  const { size } = preprocess
  checkExtent('crop', 'size', size)
  if (pictures.length === 0) throw new UsageError('crop: there are no pictures')
  for (const { tensor, top, left } of pictures) {
    if (tensor.shape.length !== 3 || tensor.shape[0] !== 3)
      throw new ShapeError(`crop takes pictures of shape [3, height, width], not ${showShape(tensor.shape)}`)
    if (!Number.isSafeInteger(top) || !Number.isSafeInteger(left))
      throw new ShapeError(`crop: a window begins at integers, not at ${top}, ${left}`)
  }
  const normalisation = normalisationParams('crop', preprocess)
  const y = batch(engine, pictures.length, size)
  return filled(y, () => {
    for (const [slot, { tensor, top, left, flip }] of pictures.entries()) {
      const [, height = 0, width = 0] = tensor.shape
      engine.gpu.run(
        cropKernel,
        { x: tensor.buffer.storage, y: y.buffer.storage },
        { columns: size, rows: size, height, width, top, left, flip: flip ? 1 : 0, base: slot * 3 * size * size, ...normalisation },
      )
    }
  })
}

/**
 * A random window, every place inside the picture equally likely, flipped in half of the cases. Always takes three numbers from
 * `random`. Along a side shorter than `size` it is centred.
 * @example crop(engine, [{ tensor, ...randomWindow(random, 256, 341, 224) }], model.preprocess)
 */
export function randomWindow(random: Random, height: number, width: number, size: number): Window {
  const offset = (n: number) => {
    const at = random.below(Math.max(n - size, 0) + 1)
    return n < size ? centreOffset(n, size) : at
  }
  return { top: offset(height), left: offset(width), flip: random.below(2) === 1 }
}

function cutMiddles(name: string, engine: Engine, images: readonly RgbImage[], preprocess: Preprocess): Tensor {
  const { resize, size } = preprocess
  checkExtent(name, 'resize', resize)
  checkExtent(name, 'size', size)
  if (size > resize)
    throw new UsageError(`${name}: cannot cut ${size} x ${size} out of a picture whose shorter side is ${resize}: make resize larger`)
  if (images.length === 0) throw new UsageError(`${name}: there are no pictures`)
  for (const image of images) checkImage(name, image)
  const normalisation = normalisationParams(name, preprocess)
  const y = batch(engine, images.length, size)
  return filled(y, () => {
    for (const [slot, image] of images.entries()) {
      const resized = resizedExtent(image.height, image.width, resize)
      const region = { top: centreOffset(resized.height, size), left: centreOffset(resized.width, size), height: size, width: size }
      resample(engine.gpu, image, resized, region, y.buffer.storage, { base: slot * 3 * size * size, ...normalisation })
    }
  })
}

/**
 * Two passes: first along rows, only those the region needs, then along columns.
 * @param y gets [3, region.height, region.width], from store.base on
 * @param store where the vertical pass writes, and how it normalises
 */
function resample(gpu: Gpu, image: RgbImage, resized: Extent, region: Region, y: Storage, store: Params): void {
  const across = antialiasFilter(image.width, resized.width, region.left, region.width)
  const down = antialiasFilter(image.height, resized.height, region.top, region.height)
  const rowBytes = 3 * image.width
  const bandRows = Math.max(1, Math.floor(bandBytes / rowBytes))
  gpu.withScratch(() => {
    const half = gpu.scratch(sizeClass(4 * 3 * down.extent * region.width))
    const filters = gpu.upload(packFilters(across, down))
    for (let row = 0; row < down.extent; row += bandRows) {
      const rows = Math.min(bandRows, down.extent - row)
      const band = gpu.upload(padded(image.data.subarray((down.start + row) * rowBytes, (down.start + row + rows) * rowBytes)))
      gpu.run(
        horizontal,
        { image: band, filters, half },
        {
          columns: region.width,
          rows,
          row_bytes: rowBytes,
          start: across.start,
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
        columns: region.width,
        rows: region.height,
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

function normalisationParams(name: string, { mean, std, scale, order }: Normalisation): Params {
  if (![...mean, ...std, scale].every(Number.isFinite) || std.includes(0))
    throw new UsageError(`${name}: mean, std and scale are finite, and std is not 0`)
  if (order !== 'rgb' && order !== 'bgr') throw new UsageError(`${name}: order is rgb or bgr, not ${String(order)}`)
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

/** y, after `fill` has written it; freed where that throws. */
function filled(y: Tensor, fill: () => void): Tensor {
  try {
    fill()
  } catch (error) {
    y.dispose()
    throw error
  }
  return y
}

/** One thread per column, one row of workgroups per row. */
function rowKernel(name: string, cost: (params: Params) => Cost): Kernel {
  return {
    name,
    constants: { WG: 64 },
    threads: ({ columns = 0, rows = 0 }) => columns * rows,
    cost,
    grid: ({ columns = 0, rows = 0 }, { WG = 64 }) => [Math.ceil(columns / WG), Math.min(rows, maxGroups), Math.ceil(rows / maxGroups)],
  }
}

function batch(engine: Engine, n: number, size: number): Tensor {
  const shape: Shape = [n, 3, size, size]
  return new Tensor(engine, allocate(engine.gpu, shape))
}

/**
 * Bytes rounded up by an eighth at most. The pool keeps buffers by size: pictures of a thousand different sizes would otherwise leave a
 * thousand buffers behind.
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

function checkImage(name: string, { data, width, height }: RgbImage): void {
  checkExtent(name, 'width', width)
  checkExtent(name, 'height', height)
  if (data.length !== 3 * width * height)
    throw new ShapeError(`${name}: a picture of ${width} x ${height} has ${3 * width * height} bytes of RGB, but ${data.length} were given`)
}

function checkExtent(name: string, what: string, value: number): void {
  if (!Number.isSafeInteger(value) || value < 1) throw new UsageError(`${name}: ${what} is ${String(value)}: give a positive integer`)
}
