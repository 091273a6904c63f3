import { WeightsError } from '../base/errors.ts'
import type { ByteSource } from './source.ts'

/** A weights file that is open, and the folder it lies in. */
export interface WeightsPlace {
  readonly source: ByteSource
  /**
   * Opens another file of the same folder; it is closed with this one.
   * @param name as a manifest gives it: no path, so that a manifest cannot lead out of its folder
   */
  sibling(name: string): Promise<ByteSource>
  close(): Promise<void>
}

/** How a host gets at files. */
export interface Opener {
  /** @throws WeightsError in one line, without the place's name */
  open(place: string | URL): Promise<ByteSource>
  /** Where a file of that name lies, in the same folder as another one. */
  beside(place: string | URL, name: string): string | URL
}

/**
 * Opens a file, and lets others of its folder be opened.
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
          `it names the file ${JSON.stringify(name.slice(0, 80))}, which is not a plain name of one in its own folder`,
        )
      try {
        const next = await open(beside(place, name))
        opened.push(next)
        return next
      } catch (cause) {
        if (cause instanceof WeightsError)
          throw new WeightsError(`its file ${name}: ${cause.message}`, { cause })
        throw cause
      }
    },
    close: async () => {
      for (const one of opened) await one.close()
    },
  }
}
