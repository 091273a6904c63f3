import { join } from 'node:path'
import { writeFileAtomic } from '../../base/node/atomicFile.ts'
import { cacheFolder } from '../../base/node/cacheFolder.ts'
import { makeFolder } from '../../base/node/folder.ts'
import { readInput } from '../../base/node/inputFile.ts'
import type { TilingStore } from '../host.ts'

/** Bytes that a file of tilings may have; they have a few thousand. */
const mostBytes = 2 ** 24

/** One file per adapter, in the cache folder. */
export const fileTilingStore: TilingStore = {
  read: (name) =>
    readInput(pathOf(name), mostBytes).then(
      (bytes) => bytes.toString(),
      () => null,
    ),
  async write(name, text) {
    await makeFolder(folder())
    await writeFileAtomic(pathOf(name), text)
  },
}

function folder(): string {
  return join(cacheFolder(), 'tunings')
}

function pathOf(name: string): string {
  return join(folder(), `${name}.json`)
}
