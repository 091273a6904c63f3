import { randomUUID } from 'node:crypto'
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { cacheFolder } from '../../base/node/cacheFolder.ts'
import type { TilingStore } from '../platform.ts'

/** One file an adapter, in the cache folder. */
export const fileTilingStore: TilingStore = {
  async read(name) {
    return readFile(pathOf(name), 'utf8').catch(() => null)
  },
  async write(name, text) {
    const path = pathOf(name)
    await mkdir(folder(), { recursive: true })
    const draft = `${path}.${randomUUID()}.tmp`
    try {
      await writeFile(draft, text)
      await rename(draft, path)
    } finally {
      await rm(draft, { force: true })
    }
  },
}

function folder(): string {
  return join(cacheFolder(), 'tunings')
}

function pathOf(name: string): string {
  return join(folder(), `${name}.json`)
}
