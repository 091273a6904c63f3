import sharp, { type Sharp } from 'sharp'
import { at } from '../base/at.ts'
import { resizeCrop } from '../data/transforms.ts'
import type { RgbImage } from '../host/host.ts'
import type { Network } from '../nn/network.ts'
import { cells } from './occlusionMap.ts'

/** Width and height of the images in the report, in pixels. */
const shown = 192

/** What the network sees of an image, and the same under its occlusion map, as data: URLs. */
export interface Images {
  readonly seen: string
  readonly overlaid: string
}

/**
 * Draws both images of one top loss.
 * @param map from `occlusionMap`; its strongest place gets the full color
 */
export async function drawImages(
  model: Network,
  image: RgbImage,
  map: Float64Array,
): Promise<Images> {
  const { size, resize } = model.preprocess
  const x = resizeCrop(model.engine, image, { size, resize })
  const values = await x.data().finally(() => x.dispose())
  const rgb = Uint8Array.from({ length: 3 * size * size }, (_, i) =>
    Math.round(255 * at(values, (i % 3) * size * size + Math.floor(i / 3))),
  )
  const seen = await sharp(rgb, { raw: { width: size, height: size, channels: 3 } })
    .resize(shown, shown)
    .png()
    .toBuffer()
  const strongest = Math.max(...map, 1e-6)
  const opacity = (value: number) => Math.round((190 * Math.max(0, value)) / strongest)
  const rgba = Uint8Array.from([...map].flatMap((value) => [255, 64, 0, opacity(value)]))
  const heat = await sharp(rgba, { raw: { width: cells, height: cells, channels: 4 } })
    .resize(shown, shown, { kernel: 'cubic' })
    .png()
    .toBuffer()
  const jpeg = async (sheet: Sharp) =>
    `data:image/jpeg;base64,${(await sheet.jpeg({ quality: 82 }).toBuffer()).toString('base64')}`
  return {
    seen: await jpeg(sharp(seen)),
    overlaid: await jpeg(
      sharp(seen)
        .grayscale()
        .toColorspace('srgb')
        .composite([{ input: heat }]),
    ),
  }
}
