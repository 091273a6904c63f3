import type { FileHandle } from 'node:fs/promises'
import { Header, Pax } from 'tar'
import { DataError } from '../base/errors.ts'
import { openInput, readError } from '../base/node/inputFile.ts'

/** A file in a tar archive. */
export interface TarMember {
  /** Its path in the archive, as written there. */
  readonly path: string
  /** Offset of its first byte in the archive. */
  readonly start: number
  /** Its length. */
  readonly bytes: number
}

const blockBytes = 512
/**
 * Bytes read at once: enough for many headers of small members, and not many if a large member
 * follows.
 */
const windowBytes = 1 << 17

/**
 * Lists the files of a tar archive (ustar, pax, GNU) in their order in the archive. It reads only
 * the headers and skips the contents, so an archive of gigabytes takes at most one read per member.
 * The npm package `tar` decodes the headers.
 * @throws DataError if the file is not a tar archive, is compressed, damaged or cut short
 * @example for await (const { path } of tarMembers('shard-000000.tar')) console.log(path)
 */
export async function* tarMembers(archive: string): AsyncGenerator<TarMember, void, undefined> {
  const { file, size } = await openInput(archive).catch((cause: unknown) => {
    throw new DataError(`cannot read ${archive} (${readError(archive, cause).reason})`, { cause })
  })
  try {
    const reader = new WindowReader(file, archive, size)
    yield* membersOf(reader)
  } finally {
    await file.close()
  }
}

async function* membersOf(reader: WindowReader): AsyncGenerator<TarMember, void, undefined> {
  let extended: Pax | { path?: string } | undefined
  let everywhere: Pax | undefined
  for (let position = 0; position < reader.size; ) {
    const block = await reader.read(position, Math.min(blockBytes, reader.size))
    if (position === 0) requireTar(reader.name, block)
    const header = new Header(block, 0, extended, everywhere)
    if (header.nullBlock) return
    if (!header.cksumValid)
      throw position === 0
        ? notTar(reader.name)
        : new DataError(`${reader.name}: the archive is damaged at byte ${position}: make it again`)
    // npm's Header puts the short name's folder before a long one.
    const path = extended?.path ?? everywhere?.path ?? header.path
    const start = position + blockBytes
    const bytes = header.size ?? 0 // folders and links may leave their size out
    if (start + bytes > reader.size)
      throw new DataError(
        `${reader.name}: the archive is cut short within ${path ?? 'a member'}: ` +
          'copy or make it again',
      )
    position = start + Math.ceil(bytes / blockBytes) * blockBytes
    const text = async () => (await reader.read(start, bytes)).toString('utf8')
    if (header.type === 'ExtendedHeader')
      extended = Pax.parse(await text(), extended as Pax | undefined, false)
    else if (header.type === 'GlobalExtendedHeader')
      everywhere = Pax.parse(await text(), everywhere, true)
    else if (header.type === 'NextFileHasLongPath' || header.type === 'OldGnuLongPath')
      extended = { ...extended, path: (await text()).replace(/\0.*/s, '') }
    else {
      extended = undefined
      if (isFile(header) && path) yield { path, start, bytes }
    }
  }
}

function isFile({ type }: Header): boolean {
  return type === 'File' || type === 'OldFile' || type === 'ContiguousFile'
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
  readonly #file: FileHandle
  readonly #window = Buffer.alloc(windowBytes)
  #start = 0
  #end = 0

  constructor(file: FileHandle, name: string, size: number) {
    this.#file = file
    this.name = name
    this.size = size
  }

  /** Bytes of the file, valid until the next read. */
  async read(position: number, bytes: number): Promise<Buffer> {
    if (position + bytes > this.size)
      throw new DataError(
        `${this.name}: the archive is cut short at byte ${this.size}: copy or make it again`,
      )
    if (bytes > windowBytes)
      return (await this.#file.read(Buffer.alloc(bytes), 0, bytes, position)).buffer
    if (position < this.#start || position + bytes > this.#end) {
      const { bytesRead } = await this.#file.read(this.#window, 0, windowBytes, position)
      this.#start = position
      this.#end = position + bytesRead
    }
    const offset = position - this.#start
    return this.#window.subarray(offset, offset + bytes)
  }
}
