import { at } from '../base/at.ts'
import { crc32 } from '../base/crc32.ts'
import { WeightsError } from '../base/errors.ts'
import { decodeText, fetchAgain, quote } from './arrays.ts'
import type { ByteSource } from './source.ts'
import { type DirectoryEntry, readDirectory } from './zipDirectory.ts'

/** One file in a ZIP. */
export interface ArchiveEntry {
  readonly name: string
  /** Bytes of the unpacked file, according to the ZIP's directory. */
  readonly size: number
  /** Bytes of the file in the archive. */
  readonly packedSize: number
  /**
   * The whole file with its CRC-32 checked, in a new array that starts at offset 0 of its buffer.
   * @throws WeightsError if it is damaged, longer or shorter than the directory says, or overlaps
   * another entry
   */
  read(): Promise<Uint8Array<ArrayBuffer>>
}

/** The fixed part of what stands before an entry's bytes. */
const localHeader = { signature: 0x04034b50, length: 30 }

/** Deflated bytes are read in parts of this length. */
const partLength = 2 ** 20

/**
 * The files in a ZIP, by name. Names are only names here: nothing is written under them.
 * @throws WeightsError if it is not a ZIP, is damaged, or has a name twice
 */
export async function readArchive(source: ByteSource): Promise<ReadonlyMap<string, ArchiveEntry>> {
  const { entries, start } = await readDirectory(source)
  const files = new Map<string, ArchiveEntry>()
  for (const [i, entry] of entries.entries()) {
    const { name, size, packedSize } = entry
    if (name.endsWith('/')) continue
    if (files.has(name))
      throw new WeightsError(`the archive holds ${quote(name)} twice; write the file again`)
    const end = i + 1 < entries.length ? at(entries, i + 1).offset : start
    const read = () => readEntry(source, entry, end)
    files.set(name, { name, size, packedSize, read })
  }
  return files
}

/** @param end where the next entry or the directory begins */
async function readEntry(
  source: ByteSource,
  entry: DirectoryEntry,
  end: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const { name, size, packedSize, method, crc } = entry
  if (entry.encrypted)
    throw new WeightsError(
      `${quote(name)} in the archive is encrypted; write the file again without a password`,
    )
  if (method !== 0 && method !== 8)
    throw new WeightsError(
      `${quote(name)} in the archive is compressed by method ${method}, ` +
        'and only deflate is read; write the file again',
    )
  const begin = await contentStart(source, entry)
  if (begin + packedSize > end) throw damagedEntry(name, 'it reaches into what follows it')
  const stored = method === 0
  if (stored && size !== packedSize) throw damagedEntry(name, 'its two sizes differ')
  const content = stored ? await source.read(begin, size) : await inflate(source, begin, entry)
  // PyTorch writes 0 where checksums are switched off.
  const unchecked = stored && crc === 0
  if (!unchecked && crc32(content) !== crc) throw damagedEntry(name, 'its checksum differs')
  return content
}

/** Where an entry's bytes begin: behind its local header, which has a name of its own. */
async function contentStart(source: ByteSource, { name, offset }: DirectoryEntry): Promise<number> {
  const head = new DataView((await source.read(offset, localHeader.length)).buffer)
  if (head.getUint32(0, true) !== localHeader.signature)
    throw damagedEntry(name, 'it is not where the directory says')
  const nameLength = head.getUint16(26, true)
  const found = decodeText(await source.read(offset + localHeader.length, nameLength))
  if (found !== name) throw damagedEntry(name, `it is ${quote(found)} in its place`)
  return offset + localHeader.length + nameLength + head.getUint16(28, true)
}

async function inflate(
  source: ByteSource,
  begin: number,
  { name, size, packedSize }: DirectoryEntry,
): Promise<Uint8Array<ArrayBuffer>> {
  let done = 0
  const packed = new ReadableStream<Uint8Array<ArrayBuffer>>({
    pull: async (controller) => {
      const length = Math.min(partLength, packedSize - done)
      if (length === 0) return controller.close()
      controller.enqueue(await source.read(begin + done, length))
      done += length
    },
  })
  const content = new Uint8Array(size)
  let length = 0
  try {
    const unpacked = packed.pipeThrough(new DecompressionStream('deflate-raw')).getReader()
    for (let part = await unpacked.read(); !part.done; part = await unpacked.read()) {
      if (length + part.value.length > size) throw wrongSize(name, 'more than', size)
      content.set(part.value, length)
      length += part.value.length
    }
  } catch (cause) {
    if (cause instanceof WeightsError) throw cause
    throw damagedEntry(name, 'it cannot be inflated', cause)
  }
  if (length !== size) throw wrongSize(name, 'less than', size)
  return content
}

function wrongSize(name: string, how: string, size: number): WeightsError {
  return new WeightsError(
    `${quote(name)} in the archive unpacks to ${how} the ${size} bytes it announces`,
  )
}

function damagedEntry(name: string, what: string, cause?: unknown): WeightsError {
  return new WeightsError(
    `${quote(name)} in the archive is damaged or truncated (${what}); ${fetchAgain}`,
    { cause },
  )
}
