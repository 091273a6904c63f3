/**
 * The directory of a ZIP, read as its fields say and never guessed from bytes that look like a
 * header. Source: PKWARE, APPNOTE.TXT 6.3.10, sections 4.3 to 4.5.
 */
import { WeightsError } from '../base/errors.ts'
import { decodeText, fetchAgain } from './arrays.ts'
import type { ByteSource } from './source.ts'

/** What the directory says of one entry. */
export interface DirectoryEntry {
  readonly name: string
  readonly encrypted: boolean
  /** 0: stored, 8: deflated. */
  readonly method: number
  readonly crc: number
  /** Bytes unpacked, and packed. */
  readonly size: number
  readonly packedSize: number
  /** Where its local header begins. */
  readonly offset: number
}

/** No weights file has more entries; a directory of this size is read in a fraction of a second. */
const maxEntries = 10_000
const maxDirectoryBytes = 2 ** 24

const max16 = 0xffff
const max32 = 0xffffffff

/** The records by their signatures, with their lengths as far as those are fixed. */
const header = { signature: 0x02014b50, length: 46 }
const end = { signature: 0x06054b50, length: 22 }
const end64 = { signature: 0x06064b50, length: 56 }
const locator = { signature: 0x07064b50, length: 20 }

function damagedZip(what: string): WeightsError {
  return new WeightsError(`the archive is damaged or truncated (${what}); ${fetchAgain}`)
}

/**
 * Reads the directory of a ZIP.
 * @returns its entries in the order of their places in the file, and where the directory begins
 * @throws WeightsError if there is none, or it is damaged or too long
 */
export async function readDirectory(
  source: ByteSource,
): Promise<{ readonly entries: readonly DirectoryEntry[]; readonly start: number }> {
  const { count, start, length } = await findDirectory(source)
  if (count > maxEntries || length > maxDirectoryBytes)
    throw new WeightsError(
      `the archive has more than ${maxEntries} entries, which no file of weights has`,
    )
  const entries = parseEntries(await source.read(start, length))
  if (entries.length !== count)
    throw damagedZip(`${entries.length} entries where its end announces ${count}`)
  return { entries: entries.sort((a, b) => a.offset - b.offset), start }
}

interface Place {
  readonly count: number
  readonly start: number
  readonly length: number
}

/**
 * Finds the directory by the record at the file's end. A comment, or bytes that belong to no
 * archive, may follow the record and look like it; it stands right behind the directory that it
 * tells of.
 */
async function findDirectory(source: ByteSource): Promise<Place> {
  const tailLength = Math.min(source.size, end.length + max16 + end64.length + locator.length)
  const tailStart = source.size - tailLength
  const tail = viewOf(await source.read(tailStart, tailLength))
  let apart: Place | undefined
  for (let i = tailLength - end.length; i >= 0; i--) {
    if (tail.getUint32(i, true) !== end.signature) continue
    const large = await readEnd64(source, tail, i)
    const [count, length, start] = [
      tail.getUint16(i + 10, true),
      tail.getUint32(i + 12, true),
      tail.getUint32(i + 16, true),
    ]
    // The large record's fields count only where the small ones do not suffice: PyTorch writes
    // both for small archives as well.
    const place = {
      count: large && count === max16 ? large.count : count,
      length: large && length === max32 ? large.length : length,
      start: large && start === max32 ? large.start : start,
    }
    const behind = place.start + place.length
    if (behind === tailStart + i || behind === large?.begin) return place
    if (place.count > 0 && behind < tailStart + i) apart ??= place
  }
  if (!apart) throw damagedZip('no directory at its end')
  return apart
}

/** The record for large archives: a locator in front of the record at `i` tells its place. */
async function readEnd64(
  source: ByteSource,
  tail: DataView,
  i: number,
): Promise<(Place & { readonly begin: number }) | null> {
  const at = i - locator.length
  if (at < 0 || tail.getUint32(at, true) !== locator.signature) return null
  const begin = Number(tail.getBigUint64(at + 8, true))
  if (begin + end64.length > source.size) return null
  const record = viewOf(await source.read(begin, end64.length))
  if (record.getUint32(0, true) !== end64.signature) return null
  return {
    begin,
    count: Number(record.getBigUint64(32, true)),
    length: Number(record.getBigUint64(40, true)),
    start: Number(record.getBigUint64(48, true)),
  }
}

function parseEntries(directory: Uint8Array): DirectoryEntry[] {
  const view = viewOf(directory)
  const entries: DirectoryEntry[] = []
  for (let at = 0; at < directory.length; ) {
    const fixed = at + header.length
    if (fixed > directory.length || view.getUint32(at, true) !== header.signature)
      throw damagedZip(`no header of entry ${entries.length + 1} in its directory`)
    const [nameEnd, extraEnd, commentEnd] = ends(view, fixed, at + 28)
    if (commentEnd > directory.length) throw damagedZip('its directory ends inside an entry')
    const flags = view.getUint16(at + 8, true)
    entries.push({
      name: decodeText(directory.subarray(fixed, nameEnd)),
      encrypted: (flags & 1) !== 0,
      method: view.getUint16(at + 10, true),
      crc: view.getUint32(at + 16, true),
      ...sizesOf(view, at, nameEnd, extraEnd),
    })
    at = commentEnd
  }
  return entries
}

/** Ends of the three fields that follow a header, by their lengths in 2 bytes each from `at` on. */
function ends(view: DataView, start: number, at: number): [number, number, number] {
  const name = start + view.getUint16(at, true)
  const extra = name + view.getUint16(at + 2, true)
  return [name, extra, extra + view.getUint16(at + 4, true)]
}

/**
 * Sizes and place of the entry whose header begins at `at`. Those that do not fit into 4 bytes lie
 * in the extra field 1, one after the other.
 */
function sizesOf(view: DataView, at: number, extraStart: number, extraEnd: number) {
  let long = extraEnd
  let longEnd = extraEnd
  for (let i = extraStart; i + 4 <= extraEnd && long === extraEnd; ) {
    const next = i + 4 + view.getUint16(i + 2, true)
    if (view.getUint16(i, true) === 1) [long, longEnd] = [i + 4, Math.min(next, extraEnd)]
    i = next
  }
  const read = (field: number) => {
    const short = view.getUint32(at + field, true)
    if (short !== max32 || long + 8 > longEnd) return short
    long += 8
    return Number(view.getBigUint64(long - 8, true))
  }
  const size = read(24)
  const packedSize = read(20)
  return { size, packedSize, offset: read(42) }
}

function viewOf({ buffer, byteOffset, byteLength }: Uint8Array): DataView {
  return new DataView(buffer, byteOffset, byteLength)
}
