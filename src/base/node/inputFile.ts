import { closeSync, constants, fstatSync, openSync, readSync, type Stats, statSync } from 'node:fs'
import { type FileHandle, open, stat } from 'node:fs/promises'
import { GraftError } from '../errors.ts'
import { fsPath } from './fileNames.ts'

/** Why a file cannot be read, for callers that have more to say about one of the reasons. */
export type ReadProblem = 'missing' | 'denied' | 'folder' | 'irregular' | 'too-large' | 'other'

/** A file that was given to Graft and cannot be read. */
export class ReadError extends GraftError {
  readonly problem: ReadProblem
  /** The message without the file's name, to go on after it. */
  readonly reason: string

  constructor(path: string | URL, problem: ReadProblem, reason: string, options?: ErrorOptions) {
    super('read', `${String(path)}: ${reason}`, options)
    this.problem = problem
    this.reason = reason
  }
}

/** A regular file, open for reading. */
export interface InputFile {
  readonly file: FileHandle
  /** Its length when it was opened: no more is read, whatever is appended. */
  readonly size: number
}

/** At most this many bytes in one call: Node refuses reads of 2 GiB. */
const longestRead = 2 ** 30
/** Bytes of a piece of a file that is read as a stream. */
const pieceBytes = 2 ** 20

/**
 * Opens a file that was given to Graft. Only regular files are opened, links followed: a pipe, a
 * device or a socket could block for ever, or never end. It is asked for its kind before it is
 * opened, because opening a device can act on it, and again afterwards, in case that it was
 * replaced; opening does not wait in any case.
 * @param most the most bytes that such a file may have
 * @throws ReadError in one line: missing, no permission, a folder or another kind of file, too
 * large
 * @example const { file, size } = await openInput('labels.csv', 2 ** 30)
 */
export async function openInput(
  path: string | URL,
  most = Number.MAX_SAFE_INTEGER,
): Promise<InputFile> {
  let file: FileHandle | null = null
  try {
    requireRegular(path, await stat(fsPath(path)), most)
    file = await open(fsPath(path), openFlags)
    return { file, size: requireRegular(path, await file.stat(), most) }
  } catch (cause) {
    await file?.close()
    throw readError(path, cause)
  }
}

/**
 * A file's bytes.
 * @param most the most bytes that such a file may have
 * @throws ReadError as `openInput` does, and if the file becomes shorter while it is read
 */
export async function readInput(path: string | URL, most: number): Promise<Buffer> {
  const { file, size } = await openInput(path, most)
  try {
    return await readRange(path, file, 0, size)
  } catch (cause) {
    throw readError(path, cause)
  } finally {
    await file.close()
  }
}

/** As `readInput`, without waiting; for small files. */
export function readInputSync(path: string, most: number): Buffer {
  let file: number | null = null
  try {
    requireRegular(path, statSync(fsPath(path)), most)
    file = openSync(fsPath(path), openFlags)
    const bytes = Buffer.alloc(requireRegular(path, fstatSync(file), most))
    for (let at = 0; at < bytes.length; ) {
      const read = readSync(file, bytes, at, bytes.length - at, at)
      if (read === 0) throw becameShorter(path, at)
      at += read
    }
    return bytes
  } catch (cause) {
    throw readError(path, cause)
  } finally {
    if (file !== null) closeSync(file)
  }
}

/**
 * A file's bytes, one piece after the other; the file is closed when the loop ends or is left.
 * @throws ReadError as `readInput` does
 * @example for await (const piece of inputPieces(path, 2 ** 30)) hash.update(piece)
 */
export async function* inputPieces(
  path: string | URL,
  most?: number,
): AsyncGenerator<Buffer, void, undefined> {
  const { file, size } = await openInput(path, most)
  try {
    for (let at = 0; at < size; at += pieceBytes)
      yield await readRange(path, file, at, Math.min(pieceBytes, size - at))
  } catch (cause) {
    throw readError(path, cause)
  } finally {
    await file.close()
  }
}

/**
 * A part of an open file, in an array that starts at offset 0 of its buffer.
 * @throws ReadError if the file ends before
 */
export async function readRange(
  path: string | URL,
  file: FileHandle,
  begin: number,
  length: number,
): Promise<Buffer<ArrayBuffer>> {
  const bytes = Buffer.allocUnsafeSlow(length)
  for (let at = 0; at < length; ) {
    const most = Math.min(length - at, longestRead)
    const { bytesRead } = await file.read(bytes, at, most, begin + at)
    if (bytesRead === 0) throw becameShorter(path, begin + at)
    at += bytesRead
  }
  return bytes
}

/** The error for a file that cannot be read, in plain words. */
export function readError(path: string | URL, cause: unknown): ReadError {
  if (cause instanceof ReadError) return cause
  const { code, message } = cause as NodeJS.ErrnoException
  const [problem, reason] = problemOf(code, message)
  return new ReadError(path, problem, reason, { cause })
}

function problemOf(code: string | undefined, message: string): [ReadProblem, string] {
  if (code === 'ENOENT' || code === 'ENOTDIR') return ['missing', 'there is no such file']
  if (code === 'EACCES' || code === 'EPERM')
    return ['denied', 'no permission to read the file; change its access rights']
  if (code === 'ELOOP') return ['missing', 'it is a link that leads to itself']
  return ['other', `cannot be read (${message})`]
}

/** Windows has no such flag, and no pipes among its files. */
const openFlags = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0)

function requireRegular(path: string | URL, found: Stats, most: number): number {
  if (found.isDirectory()) throw new ReadError(path, 'folder', 'this is a folder')
  if (!found.isFile())
    throw new ReadError(
      path,
      'irregular',
      `this is no ordinary file but ${kindOf(found)}; write what it gives to a file first`,
    )
  requireSize(path, found.size, most)
  return found.size
}

/** @throws ReadError if a file, or the part of it that is wanted, has more bytes than `most` */
export function requireSize(path: string | URL, size: number, most: number): void {
  if (size <= most) return
  throw new ReadError(
    path,
    'too-large',
    `the file has ${size} bytes, and ${most} are the most that are read of its kind`,
  )
}

function kindOf(found: Stats): string {
  if (found.isFIFO()) return 'a named pipe'
  if (found.isSocket()) return 'a socket'
  return 'a device'
}

function becameShorter(path: string | URL, end: number): ReadError {
  return new ReadError(
    path,
    'other',
    `the file ended at byte ${end} while it was read; copy it again`,
  )
}
