import { WeightsError } from '../base/errors.ts'
import { labeled, quote } from './arrays.ts'
import type { ByteSource } from './source.ts'

/** An open weights file, with access to other files of its folder. */
export interface WeightsPlace {
  readonly source: ByteSource
  /**
   * Opens another file of the same folder; it is closed with this one.
   * @param name from a manifest; paths are refused, so that a manifest cannot leave its folder
   */
  sibling(name: string): Promise<ByteSource>
  close(): Promise<void>
}

/** How a host opens files. */
export interface Opener {
  /** @throws WeightsError in one line, without the place's name */
  open(place: string | URL): Promise<ByteSource>
  /** The place of a file of that name in the folder of another one. */
  beside(place: string | URL, name: string): string | URL
}

/**
 * Opens a file, so that other files of its folder can be opened as well.
 * @throws WeightsError in one line, without the place's name
 */
export async function openPlace(
  { open, beside }: Opener,
  place: string | URL,
): Promise<WeightsPlace> {
  const source = await open(place)
  const opened = [source]
  return {
    source,
    sibling: async (given) => {
      // TensorFlow.js writes ./weights.bin.
      const name = given.replace(/^\.\//, '')
      if (!/^[^/\\:]+$/.test(name) || name === '.' || name === '..')
        throw new WeightsError(
          `it names the file ${quote(name)}, which is not a plain file name in its own folder`,
        )
      try {
        const next = await open(beside(place, name))
        opened.push(next)
        return next
      } catch (cause) {
        throw labeled(`its file ${name}`, cause)
      }
    },
    close: async () => {
      for (const one of opened) await one.close()
    },
  }
}
