import { DataError } from '../../base/errors.ts'
import { isStored, type Reserve, type RgbImage, type Source } from '../host.ts'
import { damagedImage, imageName, maxPixels, requireFormat, tooManyPixels } from '../imageFormat.ts'
import { decodingBytes } from '../imageHeader.ts'

/**
 * Decodes a JPEG, PNG or WebP image to 8-bit sRGB with the browser's own decoder, in parallel to
 * JavaScript and the GPU. The EXIF orientation is applied, color profiles are converted,
 * transparency is composited on white, and the first frame of an animation is taken. The format is
 * detected from the content, not from the name. A PNG without transparency and profile gives the
 * same bytes as in Node; JPEG decoders differ by a level or two.
 *
 * @param source a `File` or other blob, the encoded bytes, or an address to fetch
 * @param name the image's name in errors; the file's name or the address by default
 * @param reserve waited for before the image is decoded, with the bytes that this will take
 * @throws DataError naming the image and the reason in one line: it cannot be fetched, is empty,
 * cut short, damaged, or of another format
 * @example
 * const { data, width, height } = await decodeImage(input.files[0])
 */
export async function decodeImage(
  source: Source,
  name?: string,
  reserve?: Reserve,
): Promise<RgbImage> {
  const called = name ?? imageName(source)
  const blob = await encoded(source, called)
  const head = new Uint8Array(await blob.slice(0, headBytes).arrayBuffer())
  const format = requireFormat(called, head)
  const taken = decodingBytes(called, format, head)
  await reserve?.(taken)
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
  if (isStored(source)) return new Blob([(await source.read()) as Uint8Array<ArrayBuffer>])
  if (typeof source !== 'string')
    throw new DataError(
      `${called}: a browser cannot open an archive by its path: give the image's bytes or its File`,
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

/** A header is sought in as many bytes: photographs carry previews and profiles before theirs. */
const headBytes = 2 ** 22

/** Rows drawn at a time: the size of a canvas is limited, and it takes four bytes per pixel. */
const rowsTogether = 1024

function onWhite(bitmap: ImageBitmap): RgbImage {
  const { width, height } = bitmap
  const data = new Uint8Array(3 * width * height)
  const canvas = new OffscreenCanvas(width, Math.min(height, rowsTogether))
  const context = canvas.getContext('2d', { willReadFrequently: true, colorSpace: 'srgb' })
  if (!context) throw new DataError('the browser has no 2d canvas to read images with')
  for (let top = 0, to = 0; top < height; top += canvas.height) {
    const rows = Math.min(canvas.height, height - top)
    context.fillStyle = '#ffffff'
    context.fillRect(0, 0, width, rows)
    context.drawImage(bitmap, 0, -top)
    const { data: rgba } = context.getImageData(0, 0, width, rows)
    for (let from = 0; from < rgba.length; from += 4) {
      data[to++] = byteAt(rgba, from)
      data[to++] = byteAt(rgba, from + 1)
      data[to++] = byteAt(rgba, from + 2)
    }
  }
  return { data, width, height }
}

/** `at` for pixels: it stays fast because it meets one type of array only. */
function byteAt(pixels: Uint8ClampedArray, index: number): number {
  const value = pixels[index]
  if (value === undefined) throw new RangeError(`there is no pixel's byte at ${index}`)
  return value
}
