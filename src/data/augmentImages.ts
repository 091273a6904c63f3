import type { RgbImage } from '../host/node/decode.ts'
import type { Preprocess } from '../nn/preprocess.ts'
import { sumOuterInner } from '../ops/reduce.ts'
import type { Engine } from '../tensor/engine.ts'
import { scratch } from '../tensor/ndbuffer.ts'
import type { Tensor } from '../tensor/tensor.ts'
import type { AugmentDraw, ColorChange } from './augment.ts'
import { normalizationParams, plain, resample, rowKernel } from './resample.ts'
import { checkImage, filled, viewImages } from './transforms.ts'

/**
 * Numbers an image in the table that the kernels read: cos, sin, whether turned, whether erased,
 * four kinds, four amounts, a rectangle's edges.
 */
const tableWidth = 16

/** How shaders/transforms/color.wgsl numbers the changes; 0 is none. */
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
 * Augmented images as a network wants them, on the GPU: each seen in its view, flipped, turned
 * about its middle, its colors changed, normalized, and a rectangle of it set to the mean. The
 * formulas are torchvision's for tensors.
 * @param images RGB rows, of any sizes
 * @param draws what each undergoes
 * @returns [N, 3, size, size], in the network's channel order
 * @throws ShapeError when an image's data is not height · width · 3 bytes
 * @throws UsageError without images
 * @example
 * const draws = images.map((image, i) => drawAugmentation(new Random(seed, i), augmentation, image,
 * model.preprocess)) const x = augmentImages(engine, images, draws, model.preprocess)
 */
export function augmentImages(
  engine: Engine,
  images: readonly RgbImage[],
  draws: readonly AugmentDraw[],
  preprocess: Preprocess,
): Tensor {
  const viewed = images.map((image, i) => ({ image, view: (draws[i] as AugmentDraw).view }))
  if (
    draws.every(({ rotation, colors, erased }) => rotation === 0 && colors.length === 0 && !erased)
  )
    return viewImages(engine, viewed, preprocess)
  for (const image of images) checkImage('augmentImages', image)
  const { gpu } = engine
  const { size, mean, scale, order } = preprocess
  const n = images.length
  const normalization = normalizationParams('augmentImages', preprocess)
  // What becomes 0 once it is normalized.
  const fill = mean.map((value) => value / scale)
  if (order === 'bgr') fill.reverse()
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
      const fills = { fill_0: fill[0] ?? 0, fill_1: fill[1] ?? 0, fill_2: fill[2] ?? 0 }
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
    const at = i * tableWidth
    const angle = (rotation * Math.PI) / 180
    table.set(
      [Math.cos(angle), Math.sin(angle), Number(rotation !== 0), Number(erased !== null)],
      at,
    )
    for (const [k, { kind, amount }] of colors.entries()) {
      table[at + 4 + k] = kinds[kind]
      table[at + 8 + k] = amount
    }
    if (erased)
      table.set(
        [erased.top, erased.left, erased.top + erased.height, erased.left + erased.width],
        at + 12,
      )
  }
  return table
}
