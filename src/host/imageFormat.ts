import { DataError } from '../base/errors.ts'
import { isStored, type Source } from './host.ts'

/** The formats that are read. */
export type ImageFormat = 'JPEG' | 'PNG' | 'WebP'

/**
 * Larger images are refused, because a few bytes can claim any number of pixels. These take 512
 * MiB; Pillow, and with it torchvision, has the same limit.
 */
export const maxPixels = Math.floor(2 ** 29 / 3)

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

/** How a file of each format begins; * is any byte. */
const SIGNATURES: readonly (readonly [ImageFormat, string])[] = [
  ['JPEG', '\xff\xd8\xff'],
  ['PNG', '\x89PNG\r\n\x1a\n'],
  ['WebP', 'RIFF****WEBPVP8'],
]

/** The name of an image in errors, if none was given. */
export function imageName(source: Source): string {
  if (typeof source === 'string') return source
  if (source instanceof Uint8Array) return 'image in memory'
  if (source instanceof Blob) return source instanceof File ? source.name : 'image in memory'
  return isStored(source) ? source.address : source.path
}

/**
 * The format of an encoded image, by its content.
 * @throws DataError if there are no bytes, or they are in a format that is not read
 */
export function requireFormat(called: string, bytes: Uint8Array): ImageFormat {
  if (bytes.length === 0) throw new DataError(`${called}: the file is empty`)
  const found = SIGNATURES.find(([, signature]) => begins(bytes, signature))
  if (!found)
    throw new DataError(`${called}: not a JPEG, PNG or WebP image (${describeContent(bytes)}`)
  return found[0]
}

export function tooManyPixels(called: string, format: ImageFormat, cause?: unknown): DataError {
  const most = `${Math.floor(maxPixels / 1e6)} megapixels, the limit`
  return new DataError(`${called}: the ${format} image has more than ${most}: make it smaller`, {
    cause,
  })
}

export function damagedImage(
  called: string,
  format: ImageFormat,
  reason: string,
  cause: unknown,
): DataError {
  return new DataError(`${called}: the ${format} file is cut short or damaged (${reason})`, {
    cause,
  })
}

/** The error for an image that the memory does not suffice for. */
export function noMemory(called: string, format: ImageFormat, cause: unknown): DataError {
  return new DataError(
    `${called}: there is not enough memory to decode the ${format} image: ` +
      'make it smaller, or end other programs',
    { cause },
  )
}

/** The error for an image whose decoder hung or crashed. */
export function decoderDied(
  called: string,
  format: ImageFormat,
  reason: string,
  cause: unknown,
): DataError {
  return new DataError(
    `${called}: the decoder of ${format} images failed at it (${reason}): ` +
      'save the image again with another program, or remove it',
    { cause },
  )
}

const convert = 'convert it to JPEG, PNG or WebP'

/** How other files begin that are found under the names of images; * is any byte. */
const OTHERS: readonly (readonly [signature: string, what: string, todo?: string])[] = [
  ['GIF8', 'a GIF', convert],
  ['II*\0', 'a TIFF', convert],
  ['MM\0*', 'a TIFF', convert],
  ['II+\0', 'a TIFF', convert],
  ['MM\0+', 'a TIFF', convert],
  ['****ftypavi', 'an AVIF', convert],
  ['****ftyphei', 'a HEIC', convert],
  ['****ftyphev', 'a HEIC', convert],
  ['****ftypmif1', 'a HEIC', convert],
  ['****ftypmsf1', 'a HEIC', convert],
  ['****ftypcrx', 'a raw photograph', convert],
  ['****ftyp', 'a video', 'take a frame of it'],
  ['\xff\x0a', 'a JPEG XL', convert],
  ['\0\0\0\x0cJXL ', 'a JPEG XL', convert],
  ['\0\0\0\x0cjP  ', 'a JPEG 2000', convert],
  ['\xff\x4f\xff\x51', 'a JPEG 2000', convert],
  ['II\xbc', 'a JPEG XR', convert],
  ['8BPS', 'a Photoshop file', convert],
  ['%PDF', 'a PDF', 'export its images'],
  ['\0\0\x01\0', 'an icon (ICO)', convert],
  ['\0\0\x02\0', 'a cursor (CUR)', convert],
  ['v/1\x01', 'an OpenEXR', convert],
  ['#?RADIANCE', 'a Radiance HDR', convert],
  ['SIMPLE  =', 'a FITS', convert],
  ['\x8aMNG', 'an MNG', convert],
  ['\x8bJNG', 'a JNG', convert],
  ['\x89PNG', 'a PNG whose line ends were changed', 'transfer it again as binary'],
  ['\xff\xd8', 'a damaged JPEG', 'copy it again'],
  ['RIFF****WEBP', 'a damaged WebP', 'copy it again'],
  ['RIFF****AVI ', 'a video', 'take a frame of it'],
  ['RIFF****WAVE', 'a sound'],
  ['\x1f\x8b', 'compressed with gzip', 'unpack it'],
  ['BZh', 'compressed with bzip2', 'unpack it'],
  ['\xfd7zXZ', 'compressed with xz', 'unpack it'],
  ['\x28\xb5\x2f\xfd', 'compressed with zstd', 'unpack it'],
  ['PK\x03\x04', 'a zip archive', 'unpack it'],
  ['7z\xbc\xaf', 'a 7z archive', 'unpack it'],
  ['Rar!', 'a RAR archive', 'unpack it'],
  ['\0\x05\x16\x07', 'the companion that macOS writes beside a file', 'remove it'],
  ['\x93NUMPY', 'a NumPy array', 'save it as PNG'],
  ['\x89HDF', 'an HDF5 file', 'save its images as PNG'],
  ['\0\0\0\0\0\0\0\0', 'empty space: its first bytes are all 0', 'copy it again'],
]

/** How text begins, after white space, in lower case. */
const TEXTS: readonly (readonly [start: RegExp, what: string, todo: string])[] = [
  [/^version https:\/\/git-lfs/, 'a Git LFS pointer', 'run "git lfs pull"'],
  [/^(<\?xml[^>]*>|<!--.*?-->|<!doctype svg[^>]*>|\s)*<svg/s, 'an SVG', convert],
  [/^(<!--.*?-->|\s)*<(!doctype html|html|head|body)/s, 'a web page', 'download the image itself'],
  [/^<\?xml/, 'XML', 'download the image itself'],
  [/^[[{]/, 'JSON', 'download the image itself'],
  [/^data:image\//, 'a data: address', 'write the bytes that it encodes'],
]

function begins(bytes: Uint8Array, signature: string): boolean {
  return Array.from(signature).every((c, i) => c === '*' || bytes[i] === c.charCodeAt(0))
}

/** What a file that is not an image seems to be, and what to do, after a parenthesis opened. */
function describeContent(bytes: Uint8Array): string {
  const start = bytes.subarray(0, 512)
  const says = (what: string, todo?: string) => `it is ${what})${todo ? `: ${todo}` : ''}`
  if (String.fromCharCode(...start.subarray(128, 132)) === 'DICM') return says('a DICOM', convert)
  const other = OTHERS.find(([signature]) => begins(bytes, signature))
  if (other) return says(other[1], other[2])
  if (begins(bytes, 'BM') && bytes[5] === 0) return says('a BMP', convert)
  const isText = start.every((byte) => byte >= 0x20 || (byte >= 0x09 && byte <= 0x0d))
  if (!isText) return 'its first bytes are not those of an image)'
  const text = new TextDecoder().decode(start).trimStart().toLowerCase()
  const known = TEXTS.find(([pattern]) => pattern.test(text))
  return known ? says(known[1], known[2]) : 'it holds text)'
}
