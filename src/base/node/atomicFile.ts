import { randomUUID } from 'node:crypto'
import { open, readdir, realpath, rename, rm, stat, writeFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { GraftError } from '../errors.ts'

/** What can be written to a file. */
type Content = Uint8Array | string | readonly Uint8Array[] | AsyncIterable<string>

const [prefix, suffix] = ['.graft-', '.tmp']

/**
 * Writes a file so that a reader, or a crash at any moment, finds either the old file or the whole
 * new one. The bytes go to a temporary file in the same folder, are flushed to the disk, and then
 * the temporary file is renamed. A symbolic link is kept and its target is replaced. What is not a
 * regular file (a pipe, /dev/stdout) cannot be replaced by renaming and is written to directly.
 *
 * This is Graft's own code because the package write-file-atomic needs Node 20.17, takes one array
 * only (a checkpoint's arrays would have to be joined in memory first), does not flush the folder,
 * and does not remove what a killed process left behind.
 *
 * @param path the file; its folder must exist
 * @param content text is written as UTF-8, several parts one after the other as they come
 * @throws GraftError with code `write` that names the file and the reason; the old file is then
 * unchanged and the temporary file is removed
 * @example
 * await writeFileAtomic('run/model.safetensors', writeSafetensors(model.stateDict()))
 */
export async function writeFileAtomic(path: string, content: Content): Promise<void> {
  try {
    const existing = await stat(path).catch(() => null)
    if (existing?.isDirectory())
      throw new GraftError('write', `cannot write ${path}: it is a folder; name a file in it`)
    if (existing && !existing.isFile()) await writeFile(path, content)
    else await replaceFile(existing ? await realpath(path) : path, content)
  } catch (cause) {
    throw cannotWrite(path, cause)
  }
}

/** The error for a file that could not be written, with the system's reason in plain words. */
export function cannotWrite(path: string, cause: unknown): GraftError {
  if (cause instanceof GraftError) return cause
  return new GraftError('write', `cannot write ${path}: ${reasonFor(cause, path)}`, { cause })
}

/**
 * Removes the temporary files that a killed process left in a folder. No other process may be
 * writing to that folder.
 */
export async function removeTemporaryFiles(folder: string): Promise<void> {
  const names = await readdir(folder).catch(() => [])
  const left = names.filter((name) => name.startsWith(prefix) && name.endsWith(suffix))
  await Promise.all(left.map((name) => rm(join(folder, name), { force: true })))
}

async function replaceFile(path: string, content: Content): Promise<void> {
  // This name is never longer than 255 bytes, and it has no extension of a known file type.
  const temporary = join(dirname(path), `${prefix}${randomUUID()}${suffix}`)
  const parts = typeof content === 'string' || ArrayBuffer.isView(content) ? [content] : content
  try {
    const file = await open(temporary, 'wx')
    try {
      for await (const part of parts) await file.writeFile(part) // each one is appended
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(temporary, path)
  } catch (error) {
    await rm(temporary, { force: true })
    throw error
  }
  await syncFolder(dirname(path))
}

/** Makes the rename itself durable. Windows cannot flush a folder and goes without. */
async function syncFolder(folder: string): Promise<void> {
  const file = await open(folder, 'r').catch(() => null)
  await file?.sync().catch(() => {})
  await file?.close()
}

function reasonFor(error: unknown, path: string): string {
  const { code, message, path: place = path } = error as NodeJS.ErrnoException
  if (code === 'EEXIST') return `${place} is a file, and has to be a folder; name another place`
  if (code === 'ENOENT' || code === 'ENOTDIR')
    return `there is no folder ${dirname(path)}; create it first`
  if (code === 'EACCES' || code === 'EPERM')
    return `no permission to write in ${dirname(path)}; choose another place or change its rights`
  if (code === 'EROFS') return 'the disk is read-only; choose another place'
  if (code === 'ENOSPC' || code === 'EDQUOT') return 'the disk is full; free some space'
  if (code === 'EFBIG')
    return (
      'the file would be larger than the system allows; raise the limit (ulimit -f), ' +
      'or choose another disk'
    )
  if (code === 'ENAMETOOLONG')
    return `the name ${basename(path).slice(0, 40)}... is too long; choose a shorter one`
  return message
}
