import { WeightsError } from '../base/errors.ts'
import type { ByteSource } from '../base/weightsPlace.ts'
import { fetchAgain } from './arrays.ts'

export type { ByteSource }

/** The bytes of an array. */
export function bytesSource(bytes: Uint8Array): ByteSource {
  return {
    size: bytes.length,
    read: async (begin, length) => {
      requireRange(bytes.length, begin, length)
      return new Uint8Array(bytes.subarray(begin, begin + length))
    },
    close: async () => {},
  }
}

/** A browser's blob. */
export function blobSource(blob: Blob): ByteSource {
  return {
    size: blob.size,
    read: async (begin, length) => {
      requireRange(blob.size, begin, length)
      return new Uint8Array(await blob.slice(begin, begin + length).arrayBuffer())
    },
    close: async () => {},
  }
}

/** Several sources joined into one. */
export function joinedSource(parts: readonly ByteSource[]): ByteSource {
  const size = parts.reduce((sum, part) => sum + part.size, 0)
  return {
    size,
    read: async (begin, length) => {
      requireRange(size, begin, length)
      const bytes = new Uint8Array(length)
      let start = 0
      for (const part of parts) {
        const from = Math.max(begin, start)
        const to = Math.min(begin + length, start + part.size)
        if (from < to) bytes.set(await part.read(from - start, to - from), from - begin)
        start += part.size
      }
      return bytes
    },
    close: async () => {
      for (const part of parts) await part.close()
    },
  }
}

/** @throws WeightsError if a range ends after the source does */
export function requireRange(size: number, begin: number, length: number): void {
  if (begin >= 0 && length >= 0 && begin + length <= size) return
  throw new WeightsError(
    `the file is truncated: ${size} bytes where ${begin + length} are called for; ${fetchAgain}`,
  )
}

/** Bytes of memory that any file may take, however small it is. */
const smallFile = 2 ** 24

/** Bytes of memory that a file may take per byte of its own: a byte becomes a float32, or more. */
const mostGrowth = 8

/**
 * Refuses a file that would take far more memory than it has bytes, because it is damaged or made
 * to exhaust the memory (a "bomb"). Called before anything is allocated.
 * @param what takes the memory, for the message: 'its tensors'
 * @throws WeightsError for more than 8 times the file's size plus 16 MiB
 */
export function requireRoom(what: string, bytes: number, fileSize: number): void {
  if (bytes <= smallFile + mostGrowth * fileSize) return
  throw new WeightsError(
    `${what} would take ${bytes} bytes of memory, from a file of ${fileSize}: refused as a bomb; ` +
      'write the file again without such tensors',
  )
}
