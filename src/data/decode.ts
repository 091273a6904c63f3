import { open, readFile } from 'node:fs/promises'
import type Sharp from 'sharp'
import { DataError, GraftError } from '../gpu/errors.ts'
import type { FileRange, Source } from './dataset.ts'

/** A decoded picture: 8-bit sRGB. */
export interface RgbImage {
  /** Rows from the top, pixels from the left, three bytes each: `height * width * 3`. */
  readonly data: Uint8Array
  /** In pixels. */
  readonly width: number
  readonly height: number
}

type Format = 'JPEG' | 'PNG' | 'WebP'

/** Larger pictures are refused before anything is allocated: a few bytes can claim to be any number of pixels. These take 768 MiB. */
const MAX_PIXELS = 2 ** 28

const SIGNATURES: readonly { format: Format; offset: number; bytes: readonly number[] }[] = [
  { format: 'JPEG', offset: 0, bytes: [0xff, 0xd8, 0xff] },
  { format: 'PNG', offset: 0, bytes: [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a] },
  { format: 'WebP', offset: 8, bytes: [0x57, 0x45, 0x42, 0x50] },
]

let loading: Promise<typeof Sharp> | null = null

/**
 * Sharp, set to one thread a picture and no cache.
 * @throws GraftError with code `decoder` where it cannot be loaded
 */
export function loadSharp(): Promise<typeof Sharp> {
  loading ??= importSharp()
  return loading
}

async function importSharp(): Promise<typeof Sharp> {
  try {
    const sharp = (await import('sharp')).default
    sharp.concurrency(1)
    sharp.cache(false)
    return sharp
  } catch (cause) {
    throw new GraftError('decoder', `cannot load sharp, which decodes the pictures (${firstLine(cause)}): run npm install sharp`, { cause })
  }
}

function firstLine(cause: unknown): string {
  const message = cause instanceof Error ? cause.message : String(cause)
  return message.split('\n', 1)[0]?.trim() ?? ''
}

/** libvips' report without its prefixes and repetitions. */
function decoderReason(cause: unknown): string {
  const line = firstLine(cause)
  const reason = line.replace(/^Input (file|buffer) has corrupt header:\s*/i, '').replace(/^(VipsJpeg|vipspng|webp|webp2vips):\s*/i, '')
  return reason === '' || /unsupported image format/.test(reason) ? 'the header is incomplete' : reason
}

function fileReason(cause: unknown): string {
  const code = cause instanceof Error && 'code' in cause ? cause.code : undefined
  if (code === 'ENOENT') return 'there is no such file'
  if (code === 'EISDIR') return 'this is a folder, not a picture'
  if (code === 'EACCES' || code === 'EPERM') return 'no permission to read the file'
  return `cannot read the file (${firstLine(cause)})`
}

function formatOf(bytes: Uint8Array): Format | null {
  const found = SIGNATURES.find((signature) => signature.bytes.every((byte, i) => bytes[signature.offset + i] === byte))
  return found?.format ?? null
}

/** What a file that is no picture seems to be, in a word or two. */
function describeContent(bytes: Uint8Array): string {
  const start = bytes.subarray(0, 512)
  const isText = start.every((byte) => byte >= 0x20 || (byte >= 0x09 && byte <= 0x0d))
  if (isText) return 'it holds text'
  const magic = String.fromCharCode(...start.subarray(0, 12))
  if (magic.startsWith('GIF8')) return 'it is a GIF'
  if (magic.startsWith('BM')) return 'it is a BMP'
  if (magic.startsWith('II*\0') || magic.startsWith('MM\0*')) return 'it is a TIFF'
  if (/^ftyp(avif|avis)/.test(magic.slice(4))) return 'it is an AVIF'
  if (/^ftyp(hei|hev|mif1|msf1)/.test(magic.slice(4))) return 'it is a HEIC'
  return 'its first bytes are those of no such format'
}

function encodedBytes(source: Source): Promise<Uint8Array> | Uint8Array {
  if (source instanceof Uint8Array) return source
  return typeof source === 'string' ? readFile(source) : readRange(source)
}

async function readRange({ path, start, bytes }: FileRange): Promise<Uint8Array> {
  const file = await open(path)
  try {
    const { buffer, bytesRead } = await file.read(Buffer.allocUnsafe(bytes), 0, bytes, start)
    return buffer.subarray(0, bytesRead)
  } finally {
    await file.close()
  }
}

/**
 * Decodes a JPEG, PNG or WebP picture to 8-bit sRGB. The EXIF orientation is applied, embedded colour profiles and CMYK are converted, grey
 * and palette pictures expanded, 16-bit ones rounded to 8, transparency is composited on white; of an animation the first frame counts.
 * The format is read from the content, not from the file's extension.
 *
 * The work runs in sharp (libvips) on libuv's worker threads, beside JavaScript and the GPU. Sharp is set, for the whole process, to one thread
 * a picture and no cache of its own: throughput comes from decoding several pictures at a time, as many as libuv has threads
 * (UV_THREADPOOL_SIZE, 4 unless set). See `decodeAhead`.
 *
 * @param source a file's path, a part of a file, or the encoded bytes
 * @param name what errors call the picture; the path unless given
 * @throws DataError naming the picture and the reason in one line: no such file, a folder, an empty, foreign, cut short or damaged file
 * @throws GraftError with code `decoder` where sharp itself cannot be loaded
 * @example
 * const { data, width, height } = await decodeImage('ant.jpg')
 * const red = data[3 * (y * width + x)]
 */
export async function decodeImage(source: Source, name?: string): Promise<RgbImage> {
  const called = name ?? (typeof source === 'string' ? source : source instanceof Uint8Array ? 'picture in memory' : source.path)
  const sharp = await loadSharp()

  let bytes: Uint8Array
  try {
    bytes = await encodedBytes(source)
  } catch (cause) {
    throw new DataError(`${called}: ${fileReason(cause)}`, { cause })
  }
  if (bytes.length === 0) throw new DataError(`${called}: the file is empty`)
  const format = formatOf(bytes)
  if (format === null) throw new DataError(`${called}: not a JPEG, PNG or WebP picture (${describeContent(bytes)})`)

  try {
    // Not 'warning', sharp's default: it refuses photographs that every viewer opens.
    const { data, info } = await sharp(bytes, { failOn: 'error', limitInputPixels: MAX_PIXELS })
      .autoOrient()
      .flatten({ background: '#ffffff' })
      .toColourspace('srgb')
      .raw({ depth: 'uchar' })
      .toBuffer({ resolveWithObject: true })
    if (info.channels !== 3) throw new Error(`decoded to ${info.channels} channels instead of 3`)
    return { data: new Uint8Array(data.buffer, data.byteOffset, data.byteLength), width: info.width, height: info.height }
  } catch (cause) {
    if (/exceeds pixel limit/.test(firstLine(cause)))
      throw new DataError(
        `${called}: the ${format} picture has more than ${MAX_PIXELS / 2 ** 20} megapixels, the most that are decoded: make it smaller`,
        { cause },
      )
    throw new DataError(`${called}: the ${format} file is cut short or damaged (${decoderReason(cause)})`, { cause })
  }
}
