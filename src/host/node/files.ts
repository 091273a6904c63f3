import { mkdir, readFile, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { removeTemporaryFiles, writeFileAtomic } from '../../base/node/atomicFile.ts'
import type { Files } from '../host.ts'

/** Files on the disk. */
export const diskFiles: Files = {
  read: (path) =>
    readFile(path).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return null
      throw error
    }),
  async write(path, parts) {
    await mkdir(dirname(path), { recursive: true })
    await writeFileAtomic(path, parts)
  },
  remove: (path) => rm(path, { force: true }),
  sweep: removeTemporaryFiles,
}
