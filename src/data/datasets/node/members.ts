import { once } from 'node:events'
import type { FileHandle } from 'node:fs/promises'
import type { Entry } from '@zip.js/zip.js/lib/zip-core.js'
import { DataError } from '../../../base/errors.ts'
import { inputPieces, openInput, readRange } from '../../../base/node/inputFile.ts'

/** A file in an archive: its path there, and its bytes. */
export type UseMember = (path: string, bytes: Uint8Array) => Promise<void>

/** No image of a dataset is larger; a whole file is held in memory. */
const mostFileBytes = 2 ** 26
/** No dataset with a name has as many members: half of them may be of other programs. */
const mostMembers = 500_000
const zipMagic = 'PK\x03\x04'

/** How long work is followed and stopped. */
export interface Progress {
  readonly signal?: AbortSignal | undefined
  /** Called with the share that is done. */
  readonly onProgress?: ((share: number) => void) | undefined
}

export interface MembersOptions extends Progress {
  /** Which files to read; the others are passed over. */
  readonly want: (path: string) => boolean
}

/**
 * Reads the wanted files of a ZIP or of a tar archive, compressed by gzip or not, one after the
 * other. Links, devices and folders are passed over. Nothing is written here.
 * @throws DataError if the archive is damaged, or a file in it is too large
 */
export async function eachMember(
  archive: string,
  options: MembersOptions,
  use: UseMember,
): Promise<void> {
  const { file, size } = await openInput(archive)
  try {
    const magic = size > 4 ? (await readRange(archive, file, 0, 4)).toString('latin1') : ''
    await (magic === zipMagic
      ? eachOfZip(archive, file, size, options, use)
      : eachOfTar(archive, size, options, use))
  } catch (cause) {
    if (cause instanceof DataError || options.signal?.aborted) throw cause
    const { code, message } = cause as NodeJS.ErrnoException
    if (code?.startsWith('E') || code === 'write') throw cause // the disk, not the archive
    throw new DataError(`${archive}: the archive is damaged (${message}): fetch it again`, {
      cause,
    })
  } finally {
    await file.close()
  }
}

async function eachOfTar(
  archive: string,
  size: number,
  { want, signal, onProgress }: MembersOptions,
  use: UseMember,
): Promise<void> {
  const { Parser } = await import('tar')
  let members = 0
  let used: Promise<void>[] = []
  let failure: unknown = null
  const parser = new Parser()
  const fail = (reason: unknown) => {
    failure ??= reason
  }
  parser.on('error', fail)
  // Old archives have odd headers, which are only told of.
  parser.on('warn', (code: string, message: string | Error) => {
    if (code === 'TAR_BAD_ARCHIVE' || code === 'TAR_ABORT') fail(new Error(String(message)))
  })
  parser.on('entry', (entry) => {
    if (++members > mostMembers) fail(tooMany(archive))
    const isFile = entry.type === 'File' || entry.type === 'OldFile'
    if (failure || !isFile || !want(entry.path)) return entry.resume()
    if (entry.size > mostFileBytes) {
      fail(tooLarge(archive, entry.path, entry.size))
      return entry.resume()
    }
    used.push(entry.concat().then((bytes: Buffer) => use(entry.path, bytes)))
  })
  let read = 0
  const ended = once(parser, 'end').catch(fail)
  for await (const piece of inputPieces(archive)) {
    signal?.throwIfAborted()
    // What was read of the archive is worked on before more is read.
    if (!parser.write(piece)) await Promise.race([once(parser, 'drain'), ended])
    const working = used
    used = []
    await Promise.all(working.slice(0, -1)) // the last one may wait for the next piece
    used.push(...working.slice(-1))
    if (failure) throw failure
    read += piece.length
    onProgress?.(read / size)
  }
  parser.end()
  await ended
  await Promise.all(used)
  if (failure) throw failure
}

async function eachOfZip(
  archive: string,
  file: FileHandle,
  size: number,
  { want, signal, onProgress }: MembersOptions,
  use: UseMember,
): Promise<void> {
  const { Reader, Uint8ArrayWriter, ZipReader } = await import('@zip.js/zip.js/lib/zip-core.js')
  class FileReader extends Reader<string> {
    override size = size
    override readUint8Array(index: number, length: number): Promise<Uint8Array<ArrayBuffer>> {
      return readRange(archive, file, index, Math.min(length, size - index))
    }
  }
  /** Takes as many bytes as the directory announces. */
  class Bounded extends Uint8ArrayWriter {
    readonly #most: number
    #length = 0
    constructor(most: number) {
      super()
      this.#most = most
    }
    override writeUint8Array(part: Uint8Array<ArrayBuffer>): Promise<void> {
      this.#length += part.length
      if (this.#length > this.#most) throw new Error('a file is longer than the archive says')
      return super.writeUint8Array(part)
    }
  }
  const zip = new ZipReader(new FileReader(archive), { useWebWorkers: false })
  const entries: Entry[] = []
  for await (const entry of zip.getEntriesGenerator()) {
    if (entries.push(entry) > mostMembers) throw tooMany(archive)
  }
  for (const [i, entry] of entries.entries()) {
    signal?.throwIfAborted()
    if (entry.directory || !want(entry.filename)) continue
    const { filename, uncompressedSize } = entry
    if (uncompressedSize > mostFileBytes) throw tooLarge(archive, filename, uncompressedSize)
    const bytes = await entry.getData(new Bounded(uncompressedSize), { checkSignature: true })
    await use(filename, bytes)
    onProgress?.((i + 1) / entries.length)
  }
  onProgress?.(1)
}

function tooMany(archive: string): DataError {
  return new DataError(`${archive}: the archive has more than ${mostMembers} members: refused`)
}

function tooLarge(archive: string, path: string, bytes: number): DataError {
  return new DataError(
    `${archive}: ${path} has ${bytes} bytes, and ${mostFileBytes} are the most of a file: refused`,
  )
}
