import { DataError } from '../../base/errors.ts'
import {
  openInput,
  readError,
  readInput,
  readRange,
  requireSize,
} from '../../base/node/inputFile.ts'
import type { FileRange, RgbImage, Source } from '../host.ts'
import { damagedImage, imageName, maxPixels, requireFormat, tooManyPixels } from '../imageFormat.ts'
import { firstLine, loadSharp } from './sharp.ts'

export type { RgbImage } from '../host.ts'

/** Encoded bytes that an image may have: as many as its pixels may take. */
const mostBytes = 2 ** 29

/** libvips' message without its prefixes. */
function decoderReason(cause: unknown): string {
  const line = firstLine(cause)
  const reason = line
    .replace(/^Input (file|buffer) has corrupt header:\s*/i, '')
    .replace(/^(VipsJpeg|vipspng|webp|webp2vips):\s*/i, '')
  return reason === '' || /unsupported image format/.test(reason)
    ? 'the header is incomplete'
    : reason
}

/**
 * An image's encoded bytes.
 * @param called the image's name in errors
 * @throws DataError if there is no such file, or it cannot be read
 */
export async function encodedBytes(source: Source, called: string): Promise<Uint8Array> {
  if (source instanceof Uint8Array) return source
  try {
    if (source instanceof Blob) return new Uint8Array(await source.arrayBuffer())
    return await (typeof source === 'string' ? readInput(source, mostBytes) : readMember(source))
  } catch (cause) {
    const { problem, reason } = readError(called, cause)
    const why = problem === 'folder' ? 'this is a folder, not an image' : reason
    throw new DataError(`${called}: ${why}`, { cause })
  }
}

async function readMember({ path, start, bytes }: FileRange): Promise<Uint8Array> {
  requireSize(path, bytes, mostBytes)
  const { file } = await openInput(path)
  try {
    return await readRange(path, file, start, bytes)
  } finally {
    await file.close()
  }
}

/**
 * Decodes a JPEG, PNG or WebP image to 8-bit sRGB. The EXIF orientation is applied, embedded color
 * profiles and CMYK are converted, gray and palette images are expanded, 16-bit ones are rounded to
 * 8 bits, transparency is composited on white, and the first frame of an animation is taken. The
 * format is detected from the content, not from the file's extension.
 *
 * The work runs in sharp (libvips) on libuv's worker threads, in parallel to JavaScript and the
 * GPU. Sharp is set, for the whole process, to one thread per image and no cache: throughput comes
 * from decoding several images at a time, as many as libuv has threads (UV_THREADPOOL_SIZE, 4 by
 * default). See `decodeAhead`.
 *
 * @param source a file's path, a part of a file, or the encoded bytes, also as a blob
 * @param name the image's name in errors; the path by default
 * @throws DataError naming the image and the reason in one line: no such file, a folder, a file
 * that is empty, cut short, damaged, or of another format
 * @throws GraftError with code `decoder` if sharp itself cannot be loaded
 * @example
 * const { data, width, height } = await decodeImage('ant.jpg')
 * const red = data[3 * (y * width + x)]
 */
export async function decodeImage(source: Source, name?: string): Promise<RgbImage> {
  const called = name ?? imageName(source)
  const sharp = await loadSharp()
  const bytes = await encodedBytes(source, called)
  const format = requireFormat(called, bytes)

  try {
    // sharp's default, 'warning', refuses photographs that every viewer opens.
    const { data, info } = await sharp(bytes, { failOn: 'error', limitInputPixels: maxPixels })
      .autoOrient()
      .flatten({ background: '#ffffff' })
      .toColorspace('srgb')
      .raw({ depth: 'uchar' })
      .toBuffer({ resolveWithObject: true })
    if (info.channels !== 3) throw new Error(`decoded to ${info.channels} channels instead of 3`)
    return {
      data: new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
      width: info.width,
      height: info.height,
    }
  } catch (cause) {
    if (/exceeds pixel limit/.test(firstLine(cause))) throw tooManyPixels(called, format, cause)
    throw damagedImage(called, format, decoderReason(cause), cause)
  }
}
