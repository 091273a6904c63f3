import { Header } from 'tar'
import { DataError } from '../base/errors.ts'
import { nameOf } from '../base/node/fileNames.ts'
import { type DataFile, type OpenFile, unreadable } from './dataFile.ts'
import { type Extension, extensionOf } from './pax.ts'

/** A file or link in a tar archive. */
export interface TarMember {
  /** Its path in the archive, as written there. */
  readonly path: string
  /** Offset of its first byte in the archive. */
  readonly start: number
  /** Its length. */
  readonly bytes: number
  /** Of a sparse file the archive leaves zeros out; a link has no bytes of its own. */
  readonly kind: 'file' | 'sparse' | 'link'
}

const blockBytes = 512
/** Bytes that the description of one member may have; systems allow 4 KiB for a path. */
const mostExtensionBytes = 2 ** 20
const mostNameBytes = 2 ** 16

/**
 * Lists the files and links of a tar archive (ustar, pax, GNU) in their order in the archive. It
 * reads only the headers and skips the contents, so an archive of gigabytes takes at most one read
 * per member, and few where the members are small. The npm package `tar` decodes the headers.
 * @throws DataError if the file is not a tar archive, is compressed, damaged or cut short
 * @example for await (const { path } of tarMembers(diskFile('a.tar'))) console.log(path)
 */
export async function* tarMembers(archive: DataFile): AsyncGenerator<TarMember, void, undefined> {
  const file = await archive.open().catch((cause: unknown) => {
    throw unreadable(archive.name, cause)
  })
  try {
    yield* membersOf(new WindowReader(file, archive))
  } finally {
    await file.close()
  }
}

async function* membersOf(reader: WindowReader): AsyncGenerator<TarMember, void, undefined> {
  let extension: Extension = {}
  for (let position = 0; position < reader.size; ) {
    const damaged = () =>
      new DataError(`${reader.name}: the archive is damaged at byte ${position}: make it again`)
    const block = await reader.read(position, Math.min(blockBytes, reader.size))
    if (position === 0) requireTar(reader.name, block)
    const header = decoded(block) ?? fail(damaged())
    if (header.nullBlock) return
    if (!header.cksumValid) throw position === 0 ? notTar(reader.name) : damaged()
    const describes = descriptions.has(header.type)
    const path = (!describes && extension.path) || pathOf(block)
    const isFile = files.has(header.type) && !path.endsWith('/')
    const size = (isFile ? extension.size : undefined) ?? header.size
    if (size === undefined && (isFile || describes)) throw damaged()
    const start =
      header.type === 'SparseFile'
        ? await afterSparseMap(reader, block, position + blockBytes)
        : position + blockBytes
    const bytes = size ?? 0 // folders and links may leave their size out
    if (start + bytes > reader.size)
      throw new DataError(
        `${reader.name}: the archive is cut short within ${path || 'a member'}: ` +
          'copy or make it again',
      )
    const description = async (most: number) => {
      if (bytes > most)
        throw new DataError(
          `${reader.name}: at byte ${position}, ${bytes} bytes describe one member, and ${most} ` +
            'are the most that are read: make the archive again',
        )
      return reader.read(start, bytes)
    }
    if (header.type === 'ExtendedHeader' || header.type === 'OldExtendedHeader')
      extension = {
        ...extension,
        ...(extensionOf(await description(mostExtensionBytes)) ?? fail(damaged())),
      }
    else if (header.type === 'GlobalExtendedHeader') {
      const all = extensionOf(await description(mostExtensionBytes)) ?? fail(damaged())
      if (all.path !== undefined || all.size !== undefined)
        throw new DataError(
          `${reader.name}: at byte ${position}, one path or size is set for all members: ` +
            'make the archive again',
        )
    } else if (header.type === 'NextFileHasLongPath' || header.type === 'OldGnuLongPath')
      extension = { ...extension, path: nameOf(untilZero(await description(mostNameBytes))) }
    else if (!describes) {
      const isSparse = header.type === 'SparseFile' || extension.sparse === true
      const isLink = header.type === 'Link' || header.type === 'SymbolicLink'
      extension = {}
      const kind = isLink ? 'link' : isSparse ? 'sparse' : 'file'
      if (path && (isFile || isLink)) yield { path, start, bytes, kind }
    }
    position = start + Math.ceil(bytes / blockBytes) * blockBytes
  }
}

const files = new Set<string>(['File', 'OldFile', 'ContiguousFile', 'SparseFile'])
/** Headers whose content describes the next member, or all of them. */
const descriptions = new Set<string>([
  'ExtendedHeader',
  'OldExtendedHeader',
  'GlobalExtendedHeader',
  'NextFileHasLongPath',
  'OldGnuLongPath',
  'NextFileHasLongLinkpath',
])

function fail(error: DataError): never {
  throw error
}

/** A header's fields; null where a number in it is none. */
function decoded(block: Buffer): Header | null {
  try {
    return new Header(block)
  } catch {
    return null
  }
}

function untilZero(bytes: Buffer): Buffer {
  const end = bytes.indexOf(0)
  return end < 0 ? bytes : bytes.subarray(0, end)
}

/** A header's path with all its bytes: npm's Header replaces those that are no UTF-8. */
function pathOf(block: Buffer): string {
  const name = untilZero(block.subarray(0, 100))
  const isUstar = block.toString('latin1', 257, 265) === 'ustar\x0000'
  // Some write times behind a prefix of 130 bytes.
  const prefixEnd = block[475] === 0 ? 475 : 500
  const prefix = isUstar ? untilZero(block.subarray(345, prefixEnd)) : Buffer.alloc(0)
  return (prefix.length > 0 ? `${nameOf(prefix)}/` : '') + nameOf(name)
}

/** Where the content of a sparse file of GNU tar begins: its map may take further blocks. */
async function afterSparseMap(reader: WindowReader, block: Buffer, end: number): Promise<number> {
  let start = end
  for (let goesOn = block[482]; goesOn; start += blockBytes)
    goesOn = (await reader.read(start, blockBytes))[504]
  return start
}

function requireTar(name: string, start: Buffer): void {
  const compressed = [
    { tool: 'gunzip', magic: [0x1f, 0x8b] },
    { tool: 'unzstd', magic: [0x28, 0xb5, 0x2f, 0xfd] },
    { tool: 'unxz', magic: [0xfd, 0x37, 0x7a, 0x58] },
  ].find(({ magic }) => magic.every((byte, i) => start[i] === byte))
  if (compressed)
    throw new DataError(
      `${name}: it is compressed, and single images cannot be read from it: ` +
        `${compressed.tool} it first`,
    )
  if (start.length < blockBytes) throw notTar(name)
}

function notTar(name: string): DataError {
  return new DataError(`${name}: it is not a tar archive`)
}

/** Reads a file through a buffer that holds the bytes around the last read. */
class WindowReader {
  readonly name: string
  readonly size: number
  readonly #file: OpenFile
  /** Enough for many headers of small members, and not many bytes if a large member follows. */
  readonly #windowBytes: number
  #window: Buffer = Buffer.alloc(0)
  #start = 0

  constructor(file: OpenFile, { name, aheadBytes }: DataFile) {
    this.#file = file
    this.#windowBytes = aheadBytes
    this.name = name
    this.size = file.size
  }

  /** Bytes of the file. */
  async read(position: number, bytes: number): Promise<Buffer> {
    if (position + bytes > this.size)
      throw new DataError(
        `${this.name}: the archive is cut short at byte ${this.size}: copy or make it again`,
      )
    if (position < this.#start || position + bytes > this.#start + this.#window.length) {
      const length = Math.min(Math.max(this.#windowBytes, bytes), this.size - position)
      this.#window = await this.#file.read(position, length)
      this.#start = position
    }
    const offset = position - this.#start
    return this.#window.subarray(offset, offset + bytes)
  }
}
