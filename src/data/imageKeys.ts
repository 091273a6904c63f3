import { createHash } from 'node:crypto'
import { stat } from 'node:fs/promises'
import { resolve } from 'node:path'
import { fsPath } from '../base/node/fileNames.ts'
import { wellFormed } from '../base/wellFormed.ts'
import { isStored } from '../host/host.ts'
import type { Source } from './dataset.ts'

/** How a later run recognizes an image: keys of 128 bits, as 32 hexadecimal digits. */
export interface ImageKeys {
  /** From the sha256 of its encoded bytes; it does not depend on where they are stored. */
  readonly content: string
  /**
   * From its file's state, which shows without reading that the bytes are the same; null for an
   * image in memory.
   */
  readonly state: string | null
}

/** The key of encoded bytes. */
export function contentKey(bytes: Uint8Array): string {
  return digest(bytes)
}

/**
 * Keys of files' states. The state of a file is its path, inode, size and the times at which its
 * content and its inode last changed, in nanoseconds; that of an archive's member is the archive's
 * state and the member's place in it; that of an image in a store is its address and version, and
 * its place in an archive. The time of the inode's last change, which no program can
 * set, reveals a file that was replaced by one with the old date and size.
 */
export class FileStates {
  /** The states of archives seen before: each archive holds many images. */
  readonly #archives = new Map<string, Promise<string | null>>()

  /** Null for a missing file, and for an image in memory. */
  async keyOf(source: Source): Promise<string | null> {
    if (source instanceof Uint8Array || source instanceof Blob) return null
    if (typeof source === 'string') {
      const state = await stateOf(source)
      return state === null ? null : digest(state)
    }
    if (isStored(source)) {
      const { address, version, start = '', bytes } = source
      return digest([wellFormed(address), version, start, bytes].join('\0'))
    }
    const known = this.#archives.get(source.path) ?? stateOf(source.path)
    this.#archives.set(source.path, known)
    const state = await known
    return state === null ? null : digest(`${state}\0${source.start}\0${source.bytes}`)
  }
}

async function stateOf(path: string): Promise<string | null> {
  try {
    const { ino, size, mtimeNs, ctimeNs } = await stat(fsPath(path), { bigint: true })
    return [wellFormed(resolve(path)), ino, size, mtimeNs, ctimeNs].join('\0')
  } catch {
    return null
  }
}

function digest(content: string | Uint8Array): string {
  return createHash('sha256').update(content).digest('hex').slice(0, 32)
}
