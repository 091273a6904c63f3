import { DataError } from '../../base/errors.ts'
import type { RgbImage, Source } from '../host.ts'
import { damagedImage, imageName, maxPixels, requireFormat, tooManyPixels } from '../imageFormat.ts'

/**
 * Decodes a JPEG, PNG or WebP image to 8-bit sRGB with the browser's own decoder, beside JavaScript
 * and the GPU. The EXIF orientation is applied, color profiles are converted, transparency is
 * composited on white; of an animation the first frame counts. The format is read from the content,
 * not from the name. PNGs come out as in Node, byte for byte, where they have no transparency and
 * no profile; JPEG decoders differ by a level or two.
 *
 * @param source a `File` or other blob, the encoded bytes, or an address to fetch
 * @param name what errors call the image; the file's name or the address unless given
 * @throws DataError naming the image and the reason in one line: out of reach, an empty, foreign,
 * cut short or damaged file
 * @example
 * const { data, width, height } = await decodeImage(input.files[0])
 */
export async function decodeImage(source: Source, name?: string): Promise<RgbImage> {
  const called = name ?? imageName(source)
  const blob = await encoded(source, called)
  const format = requireFormat(called, new Uint8Array(await blob.slice(0, 512).arrayBuffer()))
  let bitmap: ImageBitmap
  try {
    bitmap = await createImageBitmap(blob, { imageOrientation: 'from-image' })
  } catch (cause) {
    throw damagedImage(
      called,
      format,
      cause instanceof Error ? cause.message : String(cause),
      cause,
    )
  }
  try {
    if (bitmap.width * bitmap.height > maxPixels) throw tooManyPixels(called, format)
    return onWhite(bitmap)
  } finally {
    bitmap.close()
  }
}

async function encoded(source: Source, called: string): Promise<Blob> {
  if (source instanceof Blob) return source
  if (source instanceof Uint8Array) return new Blob([source as Uint8Array<ArrayBuffer>])
  if (typeof source !== 'string')
    throw new DataError(
      `${called}: a browser opens no archives by path: give the image's bytes or its File`,
    )
  const response = await fetch(source).catch((cause: unknown) => {
    throw new DataError(`${called}: cannot be fetched; check the address and the network`, {
      cause,
    })
  })
  if (!response.ok)
    throw new DataError(`${called}: the server answered ${response.status}; check the address`)
  return response.blob()
}

/** Rows that are drawn at a time: a canvas has a largest size, and takes four bytes a pixel. */
const rowsTogether = 1024

function onWhite(bitmap: ImageBitmap): RgbImage {
  const { width, height } = bitmap
  const data = new Uint8Array(3 * width * height)
  const canvas = new OffscreenCanvas(width, Math.min(height, rowsTogether))
  const context = canvas.getContext('2d', { willReadFrequently: true, colorSpace: 'srgb' })
  if (!context) throw new DataError('the browser gives no 2d canvas to read images from')
  for (let top = 0, to = 0; top < height; top += canvas.height) {
    const rows = Math.min(canvas.height, height - top)
    context.fillStyle = '#ffffff'
    context.fillRect(0, 0, width, rows)
    context.drawImage(bitmap, 0, -top)
    const { data: rgba } = context.getImageData(0, 0, width, rows)
    for (let from = 0; from < rgba.length; from += 4) {
      data[to++] = rgba[from] ?? 0
      data[to++] = rgba[from + 1] ?? 0
      data[to++] = rgba[from + 2] ?? 0
    }
  }
  return { data, width, height }
}
