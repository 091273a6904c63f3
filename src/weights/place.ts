import { WeightsError } from '../base/errors.ts'
import type { ByteSource, WeightsPlace } from '../base/weightsPlace.ts'
import { labeled, quote } from './arrays.ts'
import { bytesSource } from './source.ts'

export type { WeightsPlace }

/** How a host opens files. */
export interface Opener {
  /** @throws WeightsError in one line, without the place's name */
  open(place: string | URL): Promise<ByteSource>
  /** The place of a file of that name in the folder of another one. */
  beside(place: string | URL, name: string): string | URL
  /**
   * Opens a file in the folder of another one or below it; follows no symbolic link.
   * @param path the folders and the file, each by its plain name
   * @throws WeightsError in one line, without the file's name
   */
  below(place: string | URL, path: readonly string[]): Promise<ByteSource>
}

/**
 * Opens a file, so that other files of its folder can be opened as well.
 * @throws WeightsError in one line, without the place's name
 */
export async function openPlace(opener: Opener, place: string | URL): Promise<WeightsPlace> {
  return placeOf(
    await opener.open(place),
    async (name) => opener.open(opener.beside(place, name)),
    (path) => opener.below(place, path),
  )
}

/**
 * A file's bytes as an open file.
 * @param others what is beside it, by path with `/`
 */
export function bytesPlace(
  bytes: Uint8Array,
  others: Readonly<Record<string, Uint8Array>> = {},
): WeightsPlace {
  const open = async (path: string) => {
    const found = Object.hasOwn(others, path) ? others[path] : undefined
    if (!found) throw new WeightsError('it is not among the bytes given')
    return bytesSource(found)
  }
  return placeOf(bytesSource(bytes), open, (path) => open(path.join('/')))
}

function placeOf(
  source: ByteSource,
  openBeside: (name: string) => Promise<ByteSource>,
  openBelow: (path: readonly string[]) => Promise<ByteSource>,
): WeightsPlace {
  const opened = [source]
  const opening = async (name: string, open: () => Promise<ByteSource>) => {
    try {
      const next = await open()
      opened.push(next)
      return next
    } catch (cause) {
      throw labeled(`its file ${name}`, cause)
    }
  }
  return {
    source,
    sibling: async (given) => {
      // TensorFlow.js writes ./weights.bin.
      const name = given.replace(/^\.\//, '')
      if (!isPlain(name))
        throw new WeightsError(
          `it names the file ${quote(name)}, which is not a plain file name in its own folder`,
        )
      return opening(name, () => openBeside(name))
    },
    below: async (given) => {
      const path = given.replace(/^(\.\/)+/, '')
      const parts = path.split('/')
      if (!parts.every(isPlain))
        throw new WeightsError(
          `it names the file ${quote(given)}, which is not a path inside its own folder`,
        )
      return opening(path, () => openBelow(parts))
    },
    close: async () => {
      for (const one of opened) await one.close()
    },
  }
}

/** Whether a name from a file is that of a file or folder, on any system. */
function isPlain(name: string): boolean {
  return /^[^/\\:\0]+$/.test(name) && name !== '.' && name !== '..'
}
