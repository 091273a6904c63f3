import { at } from '../base/at.ts'
import type { RgbImage } from '../host/host.ts'
import type { Preprocess } from '../nn/preprocess.ts'
import { sumOuterInner } from '../ops/reduce.ts'
import { scratch } from '../tensor/ndbuffer.ts'
import type { Engine, Tensor } from '../tensor/tensor.ts'
import type { AugmentDraw, ColorChange } from './augment.ts'
import { normalizationParams, plain, resample, rowKernel } from './resample.ts'
import { checkImage, filled, viewImages } from './transforms.ts'

/**
 * Numbers per image in the table that the kernels read: cos, sin, whether rotated, whether erased,
 * the kinds of four color changes, their amounts, the erased rectangle's edges.
 */
const tableWidth = 16

/** The numbers of the changes in shaders/transforms/color.wgsl; 0 stands for none. */
const kinds = { brightness: 1, contrast: 2, saturation: 3, hue: 4 } as const satisfies Record<
  ColorChange['kind'],
  number
>

const gray = rowKernel<never>('transforms/gray', ({ columns, rows }) => ({
  flops: 40 * columns * columns * rows,
  bytes: 12 * columns * columns * rows,
}))
const change = rowKernel<'size' | 'images'>('transforms/augment', ({ size, images }) => ({
  flops: 60 * images * size * size,
  bytes: 24 * images * size * size,
}))
const plainParams = normalizationParams('augment', plain)

/**
 * Augmented images as a network's input, on the GPU: each one is cropped and resized to its view,
 * flipped, rotated about its center, its colors are changed, it is normalized, and a rectangle of
 * it is set to the mean. The formulas are torchvision's for tensors.
 * @param images RGB rows, of any size
 * @param draws the augmentation of each image
 * @returns [N, 3, size, size], in the network's channel order
 * @throws ShapeError when an image's data is not height · width · 3 bytes
 * @throws UsageError without images
 * @example
 * const draws = images.map((image, i) =>
 *   drawAugmentation(new Random(seed, i), augmentation, image, model.preprocess),
 * )
 * const x = augmentImages(engine, images, draws, model.preprocess)
 */
export function augmentImages(
  engine: Engine,
  images: readonly RgbImage[],
  draws: readonly AugmentDraw[],
  preprocess: Preprocess,
): Tensor {
  const viewed = images.map((image, i) => ({ image, view: at(draws, i).view }))
  if (
    draws.every(({ rotation, colors, erased }) => rotation === 0 && colors.length === 0 && !erased)
  )
    return viewImages(engine, viewed, preprocess)
  for (const image of images) checkImage('augmentImages', image)
  const { gpu } = engine
  const { size, mean, scale, order } = preprocess
  const n = images.length
  const normalization = normalizationParams('augmentImages', preprocess)
  // The mean in 0..1 and in RGB: normalized, it becomes 0.
  const [first, second, third] = mean.map((value) => value / scale) as [number, number, number]
  const fills =
    order === 'bgr'
      ? { fill_0: third, fill_1: second, fill_2: first }
      : { fill_0: first, fill_1: second, fill_2: third }
  return filled(engine, n, size, (y) =>
    gpu.withScratch(() => {
      const rgb = scratch(gpu, [n, 3, size, size])
      for (const [slot, { image, view }] of viewed.entries())
        resample(gpu, image, view, size, rgb.storage, {
          base: slot * 3 * size * size,
          ...plainParams,
        })
      const table = gpu.upload(packDraws(draws))
      const means = scratch(gpu, [n])
      if (draws.some(({ colors }) => colors.some(({ kind }) => kind === 'contrast'))) {
        const sums = scratch(gpu, [n, size])
        gpu.run(
          gray,
          { rgb: rgb.storage, table, sums: sums.storage },
          { columns: size, rows: n, size, ...fills },
        )
        sumOuterInner(gpu, sums, means, 1, n, size)
      }
      gpu.run(
        change,
        { rgb: rgb.storage, table, means: means.storage, y: y.buffer.storage },
        { columns: size, rows: n * size, images: n, size, ...fills, ...normalization },
      )
      table.release()
    }),
  )
}

function packDraws(draws: readonly AugmentDraw[]): Float32Array {
  const table = new Float32Array(tableWidth * draws.length)
  for (const [i, { rotation, colors, erased }] of draws.entries()) {
    const start = i * tableWidth
    const angle = (rotation * Math.PI) / 180
    table.set(
      [Math.cos(angle), Math.sin(angle), Number(rotation !== 0), Number(erased !== null)],
      start,
    )
    for (const [k, { kind, amount }] of colors.entries()) {
      table[start + 4 + k] = kinds[kind]
      table[start + 8 + k] = amount
    }
    if (erased)
      table.set(
        [erased.top, erased.left, erased.top + erased.height, erased.left + erased.width],
        start + 12,
      )
  }
  return table
}
