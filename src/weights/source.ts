import { WeightsError } from '../base/errors.ts'

/** Bytes that are read by parts: a file on the disk, or an array in memory. */
export interface ByteSource {
  /** Bytes in all. */
  readonly size: number
  /**
   * The bytes from `begin` on, in a new array that begins at the start of its buffer and is the
   * caller's.
   * @throws WeightsError where the source ends before
   */
  read(begin: number, length: number): Promise<Uint8Array<ArrayBuffer>>
  /** Lets the file go. May be called twice. */
  close(): Promise<void>
}

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

/** A browser's blob, which may lie on the disk as well. */
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

/** Several sources, one after the other, as one. */
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

/** @throws WeightsError where a source ends before what is wanted of it */
export function requireRange(size: number, begin: number, length: number): void {
  if (begin >= 0 && length >= 0 && begin + length <= size) return
  throw new WeightsError(
    `the file is truncated: ${size} bytes where ${begin + length} are called for; download or copy the file again`,
  )
}

/** Room that any file may take, however small it is. */
const smallFile = 2 ** 24

/**
 * How many times its own size a file may take as float32: a byte becomes four, and a packed or
 * strided tensor somewhat more.
 */
const mostGrowth = 8

/**
 * Refuses a file that would take far more memory than it has bytes: a bomb, or damage. Called
 * before anything is allocated.
 * @param what holds the numbers, for the message: 'its tensors'
 * @throws WeightsError for more than 8 times the file's size and 16 MiB
 */
export function requireRoom(what: string, bytes: number, fileSize: number): void {
  if (bytes <= smallFile + mostGrowth * fileSize) return
  throw new WeightsError(
    `${what} would take ${bytes} bytes of memory, from a file of ${fileSize}: refused as a bomb; write the file again without such tensors`,
  )
}
