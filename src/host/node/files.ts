import { constants } from 'node:buffer'
import { rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { removeTemporaryFiles, writeFileAtomic } from '../../base/node/atomicFile.ts'
import { makeFolder } from '../../base/node/folder.ts'
import { ReadError, readInput } from '../../base/node/inputFile.ts'
import type { Files } from '../host.ts'

/** Bytes of the longest array in Node 20: no checkpoint is written that is larger. */
const mostBytes = constants.MAX_LENGTH

/** Files on the disk. */
export const diskFiles: Files = {
  read: (path) =>
    readInput(path, mostBytes).catch((error: unknown) => {
      if (error instanceof ReadError && error.problem === 'missing') return null
      throw error
    }),
  async write(path, parts) {
    await makeFolder(dirname(path))
    await writeFileAtomic(path, parts)
  },
  remove: (path) => rm(path, { force: true }),
  sweep: removeTemporaryFiles,
}
