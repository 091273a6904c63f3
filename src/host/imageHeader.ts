import { type ImageFormat, maxPixels, tooManyPixels } from './imageFormat.ts'

/** What an image's header says about it. */
export interface ImageHeader {
  readonly width: number
  readonly height: number
  /** Bytes that a decoder holds for each pixel beside the RGB that it gives. */
  readonly decoderBytes: number
}

/**
 * Reads an image's header without a decoder.
 * @param bytes its beginning, or all of it; the format is known to be this one
 * @returns null where the header is damaged or not within these bytes: the decoder says what is
 * wrong
 */
export function readImageHeader(format: ImageFormat, bytes: Uint8Array): ImageHeader | null {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  try {
    const header = readers[format](view)
    return header && header.width > 0 && header.height > 0 ? header : null
  } catch (error) {
    if (error instanceof RangeError) return null // read past the end
    throw error
  }
}

/**
 * The bytes of memory that decoding an image takes: what the decoder holds, and the pixels where it
 * writes them and where they are used. 0 where the header cannot be read.
 * @throws DataError for more pixels than the limit
 */
export function decodingBytes(called: string, format: ImageFormat, bytes: Uint8Array): number {
  const header = readImageHeader(format, bytes)
  if (!header) return 0
  const pixels = header.width * header.height
  if (pixels > maxPixels) throw tooManyPixels(called, format)
  return pixels * (3 + 3 + header.decoderBytes)
}

const readers: Readonly<Record<ImageFormat, (view: DataView) => ImageHeader | null>> = {
  PNG: pngHeader,
  JPEG: jpegHeader,
  // libwebp gives RGBA, and libvips keeps a second one to draw the frames of an animation on.
  WebP: (view) => ({ ...webpSize(view), decoderBytes: 8 }),
}

function pngHeader(view: DataView): ImageHeader | null {
  if (view.getUint32(12) !== 0x49484452 /* IHDR */) return null
  return {
    width: view.getUint32(16),
    height: view.getUint32(20),
    // Rows are decoded one by one, unless they are interlaced: with 4 channels of 8 or 16 bits.
    decoderBytes: view.getUint8(28) === 0 ? 0 : view.getUint8(24) === 16 ? 8 : 4,
  }
}

function jpegHeader(view: DataView): ImageHeader | null {
  for (let at = 2; ; ) {
    if (view.getUint8(at) !== 0xff) return null
    const marker = view.getUint8(at + 1)
    const isFrame = marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker)
    if (isFrame)
      return {
        height: view.getUint16(at + 5),
        width: view.getUint16(at + 7),
        // Coefficients of 16 bits are kept until the last scan, where there is more than one.
        decoderBytes: (marker & 3) === 2 ? 2 * view.getUint8(at + 9) : 0,
      }
    // A marker may begin with several 0xff, and some stand without a length.
    if (marker === 0xff) at += 1
    else if (marker === 0x01 || (marker >= 0xd0 && marker <= 0xd8)) at += 2
    else if (marker === 0xd9 || marker === 0xda) return null
    else at += 2 + view.getUint16(at + 2)
  }
}

function webpSize(view: DataView): { readonly width: number; readonly height: number } {
  const kind = view.getUint32(12)
  if (kind === 0x56503858 /* VP8X */)
    return {
      width: 1 + (view.getUint32(24, true) & 0xffffff),
      height: 1 + (view.getUint32(26, true) >>> 8),
    }
  if (kind === 0x5650384c /* VP8L */) {
    const bits = view.getUint32(21, true)
    return { width: 1 + (bits & 0x3fff), height: 1 + ((bits >>> 14) & 0x3fff) }
  }
  return { width: view.getUint16(26, true) & 0x3fff, height: view.getUint16(28, true) & 0x3fff }
}
