import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { DataError } from '../../../base/errors.ts'
import { cannotWrite } from '../../../base/node/atomicFile.ts'
import { makeFolder } from '../../../base/node/folder.ts'

/** Where an image goes: its class, in a part if the dataset has parts, and its own name. */
export type Target = readonly [...folders: string[], file: string]

/** Bytes that the images of a dataset may take in all. */
const mostBytes = 2 ** 34
/** Letters that no system refuses in a name, and that lead to no other folder. */
const plainName = /^(?![. ])[^\p{Cc}\p{Cs}/\\:*?"<>|]{1,120}(?<![. ])$/u

/** The folder that a dataset is unpacked into; it gets its final name when it is whole. */
export class Draft {
  readonly folder: string
  readonly #made = new Set<string>()
  #bytes = 0
  /** Images that are written. */
  images = 0

  constructor(folder: string) {
    this.folder = folder
  }

  /**
   * Writes an image; never outside of the folder, and never over another one.
   * @param from its place in the archive, for messages
   * @throws DataError for a name that is none, a name that is there already, or too many bytes
   * @throws GraftError with code `write` if it cannot be written
   */
  async write(target: Target, bytes: Uint8Array, from: string): Promise<void> {
    if (!target.every((name) => plainName.test(name)))
      throw new DataError(`the archive holds ${from}, whose name cannot be used: refused`)
    this.#bytes += bytes.length
    if (this.#bytes > mostBytes)
      throw new DataError(`the archive holds more than ${mostBytes} bytes of images: refused`)
    const path = join(this.folder, ...target)
    const folder = join(this.folder, ...target.slice(0, -1))
    try {
      if (!this.#made.has(folder)) await makeFolder(folder)
      this.#made.add(folder)
      const file = await open(path, 'wx')
      try {
        await file.writeFile(bytes)
      } finally {
        await file.close()
      }
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code === 'EEXIST')
        throw new DataError(`the archive holds two images for ${target.join('/')}: refused`, {
          cause,
        })
      throw cannotWrite(path, cause)
    }
    this.images++
  }
}
