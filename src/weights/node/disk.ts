import { lstat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { WeightsError } from '../../base/errors.ts'
import { fsPath } from '../../base/node/fileNames.ts'
import { openInput, ReadError, readRange } from '../../base/node/inputFile.ts'
import type { Opener } from '../place.ts'
import { type ByteSource, requireRange } from '../source.ts'
import { web } from '../web.ts'

/** Paths and file: addresses lie on the disk, all others are fetched. */
export const disk: Opener = {
  async open(place) {
    if (place instanceof URL && place.protocol !== 'file:') return web.open(place)
    return clearly(place, () => fileSource(place))
  },
  beside: (place, name) =>
    place instanceof URL ? web.beside(place, name) : join(dirname(place), name),
  async below(place, path) {
    if (place instanceof URL && place.protocol !== 'file:') return web.below(place, path)
    let at = dirname(place instanceof URL ? fileURLToPath(place) : place)
    for (const part of path) {
      at = join(at, part)
      // What is not there is told when it is opened.
      const found = await lstat(fsPath(at)).catch(() => null)
      if (found?.isSymbolicLink())
        throw new WeightsError(
          `${part} is a symbolic link, which may lead out of the folder; put the file itself there`,
        )
    }
    return clearly(at, () => fileSource(at))
  },
}

/** Opens a file; errors become one line. */
async function clearly(place: string | URL, open: () => Promise<ByteSource>): Promise<ByteSource> {
  try {
    return await open()
  } catch (cause) {
    throw cause instanceof ReadError ? weightsError(cause, place) : cause
  }
}

/**
 * A file on the disk.
 * @throws ReadError where it is no ordinary file, or cannot be opened
 */
async function fileSource(path: string | URL): Promise<ByteSource> {
  const { file, size } = await openInput(path)
  let closed = false
  return {
    size,
    read: async (begin, length) => {
      requireRange(size, begin, length)
      return readRange(path, file, begin, length).catch((cause: unknown) => {
        throw cause instanceof ReadError ? weightsError(cause, path) : cause
      })
    },
    close: async () => {
      if (closed) return
      closed = true
      await file.close()
    },
  }
}

function weightsError(cause: ReadError, place: string | URL): WeightsError {
  return new WeightsError(reasonFor(cause, place), { cause })
}

function reasonFor({ problem, reason }: ReadError, place: string | URL): string {
  if (problem === 'missing')
    return place instanceof URL
      ? `${place.pathname} is missing; install Graft again`
      : 'no such file; check the path'
  if (problem === 'folder') return 'this is a folder; name the file in it'
  return reason
}
