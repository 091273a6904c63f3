import { DataError } from '../base/errors.ts'
import type { Source } from './host.ts'

type Format = 'JPEG' | 'PNG' | 'WebP'

/**
 * Larger images are refused, because a few bytes can claim any number of pixels. These take 768
 * MiB.
 */
export const maxPixels = 2 ** 28

/** The names of files that are read as images. */
export const PICTURE = /\.(jpe?g|png|webp)$/i

/**
 * The names of other images: in formats that are not read, or with extensions that are not known.
 */
const OTHER_PICTURE = /\.(avif|bmp|cr[23]|dng|gif|hei[cf]|jfif|jp2|jpe|jxl|nef|svg|tiff?)$/i

/** The skipped images: how many of each file name extension. */
export class PassedOver {
  readonly #counts = new Map<string, number>()

  /** Counts a skipped file, if its name is that of an image. */
  note(name: string): void {
    const ending = OTHER_PICTURE.exec(name)?.[0].toLowerCase()
    if (ending) this.#counts.set(ending, (this.#counts.get(ending) ?? 0) + 1)
  }

  /** Adds the counts of another one. */
  add(other: PassedOver): void {
    for (const [ending, count] of other.#counts)
      this.#counts.set(ending, (this.#counts.get(ending) ?? 0) + count)
  }

  /** The counts by extension, the most frequent first. */
  get counts(): Readonly<Record<string, number>> {
    return Object.fromEntries([...this.#counts].sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1)))
  }
}

/** '8 .gif and 1 .heic'. */
export function countedEndings(counts: Readonly<Record<string, number>>): string {
  const parts = Object.entries(counts).map(([ending, count]) => `${count} ${ending}`)
  return [parts.slice(0, -1).join(', '), ...parts.slice(-1)]
    .filter((part) => part !== '')
    .join(' and ')
}

const SIGNATURES: readonly { format: Format; offset: number; bytes: readonly number[] }[] = [
  { format: 'JPEG', offset: 0, bytes: [0xff, 0xd8, 0xff] },
  { format: 'PNG', offset: 0, bytes: [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a] },
  { format: 'WebP', offset: 8, bytes: [0x57, 0x45, 0x42, 0x50] },
]

/** The name of an image in errors, if none was given. */
export function imageName(source: Source): string {
  if (typeof source === 'string') return source
  if (source instanceof Uint8Array) return 'image in memory'
  if (source instanceof Blob) return source instanceof File ? source.name : 'image in memory'
  return source.path
}

/**
 * The format of an encoded image, by its content.
 * @throws DataError if there are no bytes, or they are in a format that is not read
 */
export function requireFormat(called: string, bytes: Uint8Array): Format {
  if (bytes.length === 0) throw new DataError(`${called}: the file is empty`)
  const found = SIGNATURES.find((signature) =>
    signature.bytes.every((byte, i) => bytes[signature.offset + i] === byte),
  )
  if (!found)
    throw new DataError(`${called}: not a JPEG, PNG or WebP image (${describeContent(bytes)})`)
  return found.format
}

export function tooManyPixels(called: string, format: Format, cause?: unknown): DataError {
  const most = `${maxPixels / 2 ** 20} megapixels, the limit`
  return new DataError(`${called}: the ${format} image has more than ${most}: make it smaller`, {
    cause,
  })
}

export function damagedImage(
  called: string,
  format: Format,
  reason: string,
  cause: unknown,
): DataError {
  return new DataError(`${called}: the ${format} file is cut short or damaged (${reason})`, {
    cause,
  })
}

/** What a file that is not an image seems to be. */
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
  return 'its first bytes are not those of an image'
}
