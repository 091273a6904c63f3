import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { writeFileAtomic } from '../../base/node/atomicFile.ts'
import { cacheFolder } from '../../base/node/cacheFolder.ts'
import type { TilingStore } from '../host.ts'

/** One file per adapter, in the cache folder. */
export const fileTilingStore: TilingStore = {
  read: (name) => readFile(pathOf(name), 'utf8').catch(() => null),
  async write(name, text) {
    await mkdir(folder(), { recursive: true })
    await writeFileAtomic(pathOf(name), text)
  },
}

function folder(): string {
  return join(cacheFolder(), 'tunings')
}

function pathOf(name: string): string {
  return join(folder(), `${name}.json`)
}
