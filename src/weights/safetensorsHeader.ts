import { at } from '../base/at.ts'
import { WeightsError } from '../base/errors.ts'
import { isRecord } from '../base/json.ts'
import { elementCount, fetchAgain, hasLoneSurrogate, isCount, quote } from './arrays.ts'
import { type DtypeName, dtypeNames, isDtypeName, itemSize } from './dtype.ts'
import { parseJson, show } from './json.ts'

/** A tensor of the file, checked. `begin` and `end` count bytes from the end of the header. */
export interface TensorEntry {
  readonly name: string
  readonly dtype: DtypeName
  readonly shape: readonly number[]
  readonly begin: number
  readonly end: number
}

/** A header that has passed every check; `dataStart` counts bytes from the start of the file. */
export interface Header {
  readonly entries: readonly TensorEntry[]
  readonly metadata: Record<string, string>
  readonly dataStart: number
}

/** The longest header that the reference implementation accepts. */
export const maxHeaderBytes = 100_000_000

/** As many as an archive may have entries: AlexNet has 16, the largest networks some thousands. */
const maxTensors = 10_000

/** A tensor's type, its shape of a few extents and its two offsets are some 16 values. */
const maxValues = 16 * maxTensors

/** The one name that no tensor may have. */
export const metadataKey = '__metadata__'

const rewrite = 'write the file again with a safetensors library'

/** Bytes at the start of a file that `headerEnd` needs. */
export const headBytes = 72

/**
 * Where the header ends, from the first bytes of the file alone.
 *
 * @param head the first 72 bytes, or as many as there are
 * @param fileSize bytes of the whole file
 * @throws WeightsError for a header that is longer than the file or the format allows, and for
 * files of other formats
 */
export function headerEnd(head: Uint8Array, fileSize: number): number {
  if (fileSize < 8)
    throw new WeightsError(
      `the file is truncated: ${fileSize} bytes where the header's length alone takes 8; ` +
        fetchAgain,
    )
  const length = Number(new DataView(head.buffer, head.byteOffset, 8).getBigUint64(0, true))
  if (length > maxHeaderBytes) {
    throw foreign(
      head,
      `the header's length is given as ${length} bytes and ${maxHeaderBytes} is the most ` +
        'allowed: not a safetensors file',
    )
  }
  if (8 + length > fileSize) {
    throw foreign(
      head,
      `the file is truncated: ${fileSize} bytes where the header alone ends at ${8 + length}; ` +
        fetchAgain,
    )
  }
  if (length === 0 || head[8] !== 0x7b) {
    throw foreign(
      head,
      `the header begins with ${firstByte(head.subarray(8, 8 + length))} instead of "{": ` +
        `not a safetensors file, or damaged; ${fetchAgain}`,
    )
  }
  return 8 + length
}

/**
 * Reads and checks the header of a file in memory.
 * @throws WeightsError for anything that the format does not allow
 */
export function readHeader(bytes: Uint8Array): Header {
  return parseHeader(
    bytes.subarray(8, headerEnd(bytes.subarray(0, headBytes), bytes.length)),
    bytes.length,
  )
}

/**
 * Reads and checks a header, against the whole file's length.
 *
 * @param bytes the header alone, without its length
 * @param fileSize bytes of the whole file
 * @throws WeightsError for anything that the format does not allow
 */
export function parseHeader(bytes: Uint8Array, fileSize: number): Header {
  const dataStart = 8 + bytes.length
  const parsed = parseJson(bytes, 'the header', maxValues) as Record<string, unknown>
  checkSpelling(new TextDecoder().decode(bytes))
  const metadata = checkMetadata(parsed[metadataKey])
  const entries: TensorEntry[] = []
  for (const [name, info] of Object.entries(parsed)) {
    if (name !== metadataKey) entries.push(checkEntry(name, info))
  }
  if (entries.length > maxTensors)
    throw new WeightsError(
      `the header names ${entries.length} tensors and ${maxTensors} are the most that are read; ` +
        'write those that are wanted to a file of their own',
    )
  checkLayout(entries, fileSize - dataStart, dataStart)
  return { entries, metadata, dataStart }
}

function firstByte(header: Uint8Array): string {
  return header[0] === undefined
    ? 'nothing (its length is 0)'
    : `byte 0x${header[0].toString(16).padStart(2, '0')}`
}

/** The error for a file of another format: `otherwise`, unless its first bytes tell the format. */
function foreign(bytes: Uint8Array, otherwise: string): WeightsError {
  const start = String.fromCharCode(...bytes.subarray(0, 64))
  if (start.startsWith('version https://git-lfs'))
    return new WeightsError('this is a Git LFS pointer, not the weights; run "git lfs pull"')
  if (start.startsWith('PK\x03\x04'))
    return new WeightsError(
      'this is a zip archive, as PyTorch and NumPy save one; give it the ending .pth or .npz',
    )
  if (/^\s*<(!doctype|html)/i.test(start))
    return new WeightsError('this is a web page, not weights; download the file itself')
  return new WeightsError(otherwise)
}

/**
 * Refuses what JSON.parse accepts silently: a duplicate name, half of a surrogate pair in a name,
 * and a size or offset that is not written in plain digits.
 */
function checkSpelling(text: string): void {
  const open: { names: Set<string> | null; name: string }[] = []
  const number = /[-+.0-9eE]+/y
  const colon = /[ \t\r\n]*:/y
  for (let i = 0; i < text.length; i++) {
    const char = text.charAt(i)
    if (char === '{') open.push({ names: new Set(), name: '' })
    else if (char === '[') open.push({ names: null, name: '' })
    else if (char === '}' || char === ']') open.pop()
    else if (char === '"') {
      const end = endOfString(text, i)
      const inside = open.at(-1)
      colon.lastIndex = end
      if (inside?.names && colon.test(text)) {
        inside.name = checkName(
          JSON.parse(text.slice(i, end)),
          inside.names,
          open.length > 1 ? open[0]?.name : undefined,
        )
      }
      i = end - 1
    } else if (char === '-' || (char >= '0' && char <= '9')) {
      number.lastIndex = i
      const [written] = number.exec(text) ?? [char] // the character itself matches
      const field = open[1]?.name
      const sizeOrOffset =
        open.length === 3 &&
        open[2]?.names === null &&
        (field === 'shape' || field === 'data_offsets')
      if (sizeOrOffset && isCount(Number(written)) && !/^\d+$/.test(written)) {
        throw new WeightsError(
          `tensor ${quote(at(open, 0).name)}: ${field} has a number written as ${written} ` +
            `instead of plain digits; ${rewrite}`,
        )
      }
      i += written.length - 1
    }
  }
}

function checkName(name: string, taken: Set<string>, parent: string | undefined): string {
  const where = parent === undefined ? 'the header' : `${quote(parent)} in the header`
  if (taken.has(name)) throw new WeightsError(`${where} gives ${quote(name)} twice; ${rewrite}`)
  if (hasLoneSurrogate(name))
    throw new WeightsError(
      `${where} has the name ${quote(name)}, which is not valid Unicode; ${rewrite}`,
    )
  taken.add(name)
  return name
}

/** The index past the closing quote of the string that opens at `start`. */
function endOfString(text: string, start: number): number {
  let end = start + 1
  while (text.charAt(end) !== '"') end += text.charAt(end) === '\\' ? 2 : 1
  return end + 1
}

function checkMetadata(value: unknown): Record<string, string> {
  if (value === undefined) return {}
  if (!isRecord(value))
    throw new WeightsError(
      `${metadataKey} is ${show(value)} instead of a map from text to text; ${rewrite}`,
    )
  const pairs: [string, string][] = []
  for (const [key, text] of Object.entries(value)) {
    if (typeof text !== 'string')
      throw new WeightsError(
        `${metadataKey}: ${quote(key)} is ${show(text)} instead of text; ${rewrite}`,
      )
    if (hasLoneSurrogate(text))
      throw new WeightsError(`${metadataKey}: ${quote(key)} is not valid Unicode; ${rewrite}`)
    pairs.push([key, text])
  }
  return Object.fromEntries(pairs)
}

function checkEntry(name: string, info: unknown): TensorEntry {
  const fail = (problem: string): never => {
    throw new WeightsError(`tensor ${quote(name)}: ${problem}`)
  }
  if (!isRecord(info))
    return fail(`its entry is ${show(info)} instead of { dtype, shape, data_offsets }; ${rewrite}`)
  const { dtype, shape, data_offsets: offsets } = info
  if (typeof dtype !== 'string' || !isDtypeName(dtype)) {
    return fail(
      `its dtype is ${show(dtype)}, and only ${dtypeNames.join(', ')} are read; ` +
        'convert the file to F32',
    )
  }
  if (!Array.isArray(shape) || !shape.every(isCount))
    return fail(`its shape is ${show(shape)} instead of a list of integers >= 0; ${rewrite}`)
  if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(isCount)) {
    return fail(`its data_offsets are ${show(offsets)} instead of two integers >= 0; ${rewrite}`)
  }
  const [begin, end] = offsets as [number, number]
  if (begin > end) return fail(`its data begin at ${begin}, after their end at ${end}; ${rewrite}`)
  const count = elementCount(shape, itemSize(dtype))
  if (count === null) return fail(`its shape ${show(shape)} overflows; ${rewrite}`)
  const size = count * itemSize(dtype)
  if (size !== end - begin)
    return fail(
      `its shape ${show(shape)} in ${dtype} takes ${size} bytes and its data_offsets span ` +
        `${end - begin}; ${rewrite}`,
    )
  return { name, dtype, shape, begin, end }
}

/**
 * The tensors, in order of their offsets, must cover the rest of the file without overlap, hole or
 * remainder.
 */
function checkLayout(entries: readonly TensorEntry[], available: number, dataStart: number): void {
  const ordered = [...entries].sort((a, b) => a.begin - b.begin || a.end - b.end)
  let covered = 0
  let previous = ''
  for (const { name, begin, end } of ordered) {
    if (begin < covered)
      throw new WeightsError(
        `tensor ${quote(name)} begins at byte ${begin} and overlaps ${quote(previous)}, ` +
          `which ends at ${covered}; ${rewrite}`,
      )
    if (begin > covered)
      throw new WeightsError(
        `bytes ${covered} to ${begin}, before tensor ${quote(name)}, belong to no tensor; ` +
          rewrite,
      )
    covered = end
    previous = name
  }
  const [size, expected] = [dataStart + available, dataStart + covered]
  if (covered > available)
    throw new WeightsError(
      `the file is truncated: ${size} bytes where its header calls for ${expected}; ${fetchAgain}`,
    )
  if (covered < available) {
    throw new WeightsError(
      `${size - expected} bytes follow the last tensor: ${size} bytes where the header calls for ` +
        `${expected}; ${fetchAgain}`,
    )
  }
}
