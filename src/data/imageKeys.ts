import { createHash } from 'node:crypto'
import { stat } from 'node:fs/promises'
import { resolve } from 'node:path'
import type { Source } from './dataset.ts'

/** What an image is known by in a later run: 128 bits each, as 32 hexadecimal digits. */
export interface ImageKeys {
  /** Of its encoded bytes, by sha256: the same wherever they lie. */
  readonly content: string
  /**
   * Of its file's state, which tells that the bytes are the same without reading them; null for an
   * image in memory.
   */
  readonly state: string | null
}

/** The key of encoded bytes. */
export function contentKey(bytes: Uint8Array): string {
  return digest(bytes)
}

/**
 * Keys of files' states. A file is known by its path, its size and the times its content and its
 * inode last changed, in nanoseconds; a member of an archive by the archive's and its place in it.
 * The time of the inode's last change, which no program can set, shows a file that was replaced
 * with the old date and size.
 */
export class FileStates {
  /** Of archives already asked for: each holds many images. */
  readonly #archives = new Map<string, Promise<string | null>>()

  /** Null for a file that is not there, and for an image in memory. */
  async keyOf(source: Source): Promise<string | null> {
    if (source instanceof Uint8Array || source instanceof Blob) return null
    if (typeof source === 'string') {
      const state = await stateOf(source)
      return state === null ? null : digest(state)
    }
    const known = this.#archives.get(source.path) ?? stateOf(source.path)
    this.#archives.set(source.path, known)
    const state = await known
    return state === null ? null : digest(`${state}\0${source.start}\0${source.bytes}`)
  }
}

async function stateOf(path: string): Promise<string | null> {
  try {
    const { size, mtimeNs, ctimeNs } = await stat(path, { bigint: true })
    return [resolve(path), size, mtimeNs, ctimeNs].join('\0')
  } catch {
    return null
  }
}

function digest(content: string | Uint8Array): string {
  return createHash('sha256').update(content).digest('hex').slice(0, 32)
}
