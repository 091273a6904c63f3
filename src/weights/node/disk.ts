import { open, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { WeightsError } from '../../base/errors.ts'
import type { Opener } from '../place.ts'
import { type ByteSource, requireRange } from '../source.ts'
import { web } from '../web.ts'

/** Paths and file: addresses lie on the disk, all others are fetched. */
export const disk: Opener = {
  async open(place) {
    if (place instanceof URL && place.protocol !== 'file:') return web.open(place)
    try {
      return await fileSource(place)
    } catch (cause) {
      if (cause instanceof WeightsError) throw cause
      throw new WeightsError(reasonFor(cause, place), { cause })
    }
  },
  beside: (place, name) =>
    place instanceof URL ? web.beside(place, name) : join(dirname(place), name),
}

/** At most this many bytes in one call: Node refuses reads of 2 GiB. */
const longestRead = 2 ** 30

/**
 * A file on the disk.
 * @throws WeightsError where it is no ordinary file, and the system's own error where it cannot be
 * opened
 */
async function fileSource(path: string | URL): Promise<ByteSource> {
  // Asked before it is opened: opening a pipe would wait for a writer.
  const found = await stat(path)
  if (found.isDirectory()) throw new WeightsError('this is a folder; name the file in it')
  if (!found.isFile())
    throw new WeightsError(
      'this is no ordinary file, and weights are read by parts; write them to a file first',
    )
  const file = await open(path, 'r')
  let closed = false
  return {
    size: found.size,
    read: async (begin, length) => {
      requireRange(found.size, begin, length)
      const bytes = new Uint8Array(length)
      for (let at = 0; at < length; ) {
        const { bytesRead } = await file.read(
          bytes,
          at,
          Math.min(length - at, longestRead),
          begin + at,
        )
        if (bytesRead === 0)
          throw new WeightsError(
            `the file ended at byte ${begin + at} while it was read; copy it again`,
          )
        at += bytesRead
      }
      return bytes
    },
    close: async () => {
      if (closed) return
      closed = true
      await file.close()
    },
  }
}

function reasonFor(error: unknown, place: string | URL): string {
  const { code, message } = error as NodeJS.ErrnoException
  if (code === 'ENOENT' || code === 'ENOTDIR')
    return place instanceof URL
      ? `${place.pathname} is missing; install Graft again`
      : 'no such file; check the path'
  if (code === 'EACCES' || code === 'EPERM') return 'no permission to read it; change its rights'
  return `cannot be read (${message})`
}
