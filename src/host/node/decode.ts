import { DataError } from '../../base/errors.ts'
import {
  openInput,
  readError,
  readInput,
  readRange,
  requireSize,
} from '../../base/node/inputFile.ts'
import { type FileRange, isStored, type Reserve, type RgbImage, type Source } from '../host.ts'
import {
  damagedImage,
  decoderDied,
  imageName,
  noMemory,
  requireFormat,
  tooManyPixels,
} from '../imageFormat.ts'
import { decodingBytes } from '../imageHeader.ts'
import { DecodePool, DecoderDied, DecoderError } from './decodePool.ts'
import { firstLine } from './sharp.ts'

export type { RgbImage } from '../host.ts'

const pool = new DecodePool()

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
  if (isStored(source)) {
    if (source.bytes <= mostBytes) return source.read()
    throw new DataError(
      `${called}: it has ${source.bytes} bytes, and at most ${mostBytes} are read`,
    )
  }
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
 * The work runs in sharp (libvips), told to read these formats only, in a process of its own: a
 * decoder that hangs or crashes costs one image. Throughput comes from decoding several images at a
 * time, as many as libuv has threads (UV_THREADPOOL_SIZE, 4 by default). See `decodeAhead`.
 *
 * @param source a file's path, a part of a file, or the encoded bytes, also as a blob
 * @param name the image's name in errors; the path by default
 * @param reserve waited for before the image is decoded, with the bytes that this will take
 * @throws DataError naming the image and the reason in one line: no such file, a folder, a file
 * that is empty, cut short, damaged, of another format, too large for the memory, or one at which
 * the decoder hangs or crashes
 * @throws GraftError with code `decoder` if sharp itself cannot be loaded
 * @example
 * const { data, width, height } = await decodeImage('ant.jpg')
 * const red = data[3 * (y * width + x)]
 */
export async function decodeImage(
  source: Source,
  name?: string,
  reserve?: Reserve,
): Promise<RgbImage> {
  const called = name ?? imageName(source)
  const bytes = await encodedBytes(source, called)
  const format = requireFormat(called, bytes)
  const taken = decodingBytes(called, format, bytes)
  await reserve?.(taken)
  try {
    return await pool.decode(bytes)
  } catch (cause) {
    if (!(cause instanceof DecoderError)) throw cause
    if (cause instanceof DecoderDied) throw decoderDied(called, format, cause.message, cause)
    const reason = firstLine(cause)
    if (/exceeds pixel limit/.test(reason)) throw tooManyPixels(called, format, cause)
    if (/memory|cannot allocate/i.test(reason)) throw noMemory(called, format, cause)
    throw damagedImage(called, format, decoderReason(cause), cause)
  }
}
