import { type FileHandle, open } from 'node:fs/promises'
import { Header, Pax } from 'tar'
import { DataError } from '../base/errors.ts'

/** A file in a tar archive. */
export interface TarMember {
  /** Its path in the archive, as written there. */
  readonly path: string
  /** Where its bytes begin in the archive, and how many they are. */
  readonly start: number
  readonly bytes: number
}

const blockBytes = 512
/**
 * Read at once: many small members' headers lie in one window, and little is read in vain before a
 * large one.
 */
const windowBytes = 1 << 17

/**
 * Lists the files of a tar archive (ustar, pax, GNU) in the order they lie in it, reading the
 * headers alone and stepping over what they describe: an archive of gigabytes takes a read for each
 * of its members at most. The headers are npm's own `tar` package's to decode.
 * @throws DataError where the file is no tar archive, is compressed, damaged or cut short
 * @example for await (const { path, start, bytes } of tarMembers('shard-000000.tar')) …
 */
export async function* tarMembers(archive: string): AsyncGenerator<TarMember, void, undefined> {
  const file = await open(archive).catch((cause: unknown) => {
    throw new DataError(
      `cannot read ${archive} (${cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause)})`,
      {
        cause,
      },
    )
  })
  try {
    const reader = new WindowReader(file, archive, (await file.stat()).size)
    yield* membersOf(reader)
  } finally {
    await file.close()
  }
}

async function* membersOf(reader: WindowReader): AsyncGenerator<TarMember, void, undefined> {
  let extended: Pax | { path?: string } | undefined
  let everywhere: Pax | undefined
  for (let at = 0; at < reader.size; ) {
    const block = await reader.read(at, Math.min(blockBytes, reader.size))
    if (at === 0) requireTar(reader.name, block)
    const header = new Header(block, 0, extended, everywhere)
    if (header.nullBlock) return
    if (!header.cksumValid)
      throw new DataError(
        `${reader.name}: ${at === 0 ? 'it is no tar archive' : `the archive is damaged at byte ${at}: make it again`}`,
      )
    // npm's Header puts the short name's folder before a long one.
    const path = extended?.path ?? everywhere?.path ?? header.path
    const [start, bytes] = [at + blockBytes, header.size ?? 0]
    if (start + bytes > reader.size)
      throw new DataError(
        `${reader.name}: the archive is cut short within ${path ?? 'a member'}: copy or make it again`,
      )
    at = start + Math.ceil(bytes / blockBytes) * blockBytes
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
      `${name}: it is compressed, and single images cannot be read from it: ${compressed.tool} it first`,
    )
  if (start.length < blockBytes) throw new DataError(`${name}: it is no tar archive`)
}

/** Reads a file through a window that moves with the reading. */
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

  /** Bytes of the file, good until the next read. */
  async read(at: number, bytes: number): Promise<Buffer> {
    if (at + bytes > this.size)
      throw new DataError(
        `${this.name}: the archive is cut short at byte ${this.size}: copy or make it again`,
      )
    if (bytes > windowBytes)
      return (await this.#file.read(Buffer.alloc(bytes), 0, bytes, at)).buffer
    if (at < this.#start || at + bytes > this.#end) {
      const { bytesRead } = await this.#file.read(this.#window, 0, windowBytes, at)
      this.#start = at
      this.#end = at + bytesRead
    }
    return this.#window.subarray(at - this.#start, at - this.#start + bytes)
  }
}
