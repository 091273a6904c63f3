import { type FileEntry, Reader, Writer, ZipReader } from '@zip.js/zip.js/lib/zip-core.js'
import { WeightsError } from '../base/errors.ts'
import { fetchAgain, quote } from './arrays.ts'
import type { ByteSource } from './source.ts'

/** No weights file has more entries; a directory of this size is read in a fraction of a second. */
const maxEntries = 10_000

/** One file in a ZIP. */
export interface ArchiveEntry {
  readonly name: string
  /** Bytes of the unpacked file, according to the ZIP's directory. */
  readonly size: number
  /** Bytes of the file in the archive. */
  readonly packedSize: number
  /** Whether it is stored without compression. */
  readonly stored: boolean
  /**
   * The whole file with its CRC-32 checked, in a new array that starts at offset 0 of its buffer.
   * @throws WeightsError if it is damaged, longer or shorter than the directory says, or overlaps
   * another entry
   */
  read(): Promise<Uint8Array<ArrayBuffer>>
}

/**
 * The files in a ZIP, by name.
 * @throws WeightsError if it is not a ZIP, is damaged or encrypted, has a name twice, or one that
 * leads out of the archive
 */
export async function readArchive(source: ByteSource): Promise<ReadonlyMap<string, ArchiveEntry>> {
  const zip = new ZipReader(new SourceReader(source), {
    useWebWorkers: false,
    filenameValidation: 'strict',
    checkLocalFilename: true,
    checkOverlappingEntry: true,
    checkCrc32: true,
  })
  const files = new Map<string, ArchiveEntry>()
  try {
    for await (const entry of zip.getEntriesGenerator()) {
      if (files.size >= maxEntries)
        throw new WeightsError(
          `the archive has more than ${maxEntries} entries, which no file of weights has`,
        )
      if (entry.directory) continue
      if (files.has(entry.filename))
        throw new WeightsError(
          `the archive holds ${quote(entry.filename)} twice; write the file again`,
        )
      files.set(entry.filename, archiveEntry(entry))
    }
  } catch (cause) {
    throw damaged('the archive', cause)
  }
  return files
}

function archiveEntry(entry: FileEntry): ArchiveEntry {
  const {
    filename: name,
    uncompressedSize: size,
    compressedSize: packedSize,
    compressionMethod,
  } = entry
  return {
    name,
    size,
    packedSize,
    stored: compressionMethod === 0,
    read: async () => {
      if (entry.encrypted)
        throw new WeightsError(
          `${quote(name)} in the archive is encrypted; write the file again without a password`,
        )
      try {
        return await entry.getData(new EntryWriter(name, size))
      } catch (cause) {
        throw damaged(`${quote(name)} in the archive`, cause)
      }
    },
  }
}

function damaged(what: string, cause: unknown): WeightsError {
  if (cause instanceof WeightsError) return cause
  const { message, reason, filename } = cause as {
    message?: string
    reason?: string
    filename?: string
  }
  const details = [filename ? `: ${quote(filename)}` : '', reason ? `: ${reason}` : ''].join('')
  const text = `${message ?? String(cause)}${details}`.replace(/[\s\p{Cc}]+/gu, ' ').slice(0, 200)
  return new WeightsError(`${what} is damaged or truncated (${text}); ${fetchAgain}`, { cause })
}

class SourceReader extends Reader<ByteSource> {
  readonly #source: ByteSource

  constructor(source: ByteSource) {
    super(source)
    this.#source = source
    this.size = source.size
  }

  override readUint8Array(index: number, length: number): Promise<Uint8Array> {
    const begin = Math.min(index, this.size)
    return this.#source.read(begin, Math.min(length, this.size - begin))
  }
}

/** Writes an entry into one array of the size that the directory gives, and no further. */
class EntryWriter extends Writer<Uint8Array<ArrayBuffer>> {
  readonly #name: string
  readonly #bytes: Uint8Array<ArrayBuffer>
  #length = 0

  constructor(name: string, size: number) {
    super()
    this.#name = name
    this.#bytes = new Uint8Array(size)
  }

  override async writeUint8Array(part: Uint8Array): Promise<void> {
    if (this.#length + part.length > this.#bytes.length) throw this.#wrongSize('more than')
    this.#bytes.set(part, this.#length)
    this.#length += part.length
  }

  override async getData(): Promise<Uint8Array<ArrayBuffer>> {
    if (this.#length !== this.#bytes.length) throw this.#wrongSize('not')
    return this.#bytes
  }

  #wrongSize(how: string): WeightsError {
    return new WeightsError(
      `${quote(this.#name)} in the archive unpacks to ${how} the ${this.#bytes.length} bytes ` +
        'it announces',
    )
  }
}
