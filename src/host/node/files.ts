import { randomUUID } from 'node:crypto'
import {
  type FileHandle,
  mkdir,
  open,
  readdir,
  readFile,
  realpath,
  rename,
  rm,
  stat,
  writeFile,
} from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { GraftError } from '../../base/errors.ts'
import type { Files } from '../host.ts'

/** What can be written to a file. */
type Content = Uint8Array | string | readonly Uint8Array[]

/**
 * Writes a file so that a reader, or a crash at any moment, meets either the old file or the whole
 * new one: the bytes go to a temporary file in the same folder, reach the disk, and take the file's
 * name in one step. A link keeps pointing to its target, which is replaced. What is no ordinary
 * file (a pipe, /dev/stdout) cannot be renamed onto and is written to directly.
 *
 * @param path the file; its folder must exist
 * @param content text is written as UTF-8, several arrays one after the other
 * @throws GraftError with code `write` that names the file and the reason; the old file is then
 * untouched and the temporary one is gone
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
    if (cause instanceof GraftError) throw cause
    throw new GraftError('write', `cannot write ${path}: ${reasonFor(cause, path)}`, { cause })
  }
}

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

const [prefix, suffix] = ['.graft-', '.tmp']

/**
 * Removes what a process that was killed while it wrote has left in a folder that nobody else
 * writes to.
 */
export async function removeTemporaryFiles(folder: string): Promise<void> {
  const names = await readdir(folder).catch(() => [])
  const left = names.filter((name) => name.startsWith(prefix) && name.endsWith(suffix))
  await Promise.all(left.map((name) => rm(join(folder, name), { force: true })))
}

async function replaceFile(path: string, content: Content): Promise<void> {
  // No longer than 255 bytes whatever the file is called, and without its extension, so that nobody
  // who lists the folder takes it for one.
  const temporary = join(dirname(path), `${prefix}${randomUUID()}${suffix}`)
  try {
    await using(await open(temporary, 'wx'), async (file) => {
      // Each goes on where the one before has ended.
      for (const part of typeof content === 'string' || content instanceof Uint8Array
        ? [content]
        : content)
        await file.writeFile(part)
      await file.sync()
    })
    await rename(temporary, path)
  } catch (error) {
    await rm(temporary, { force: true })
    throw error
  }
  await syncFolder(dirname(path))
}

async function using(file: FileHandle, work: (file: FileHandle) => Promise<void>): Promise<void> {
  try {
    await work(file)
  } finally {
    await file.close()
  }
}

/**
 * Makes the new name itself durable. Systems that cannot open or sync a folder (Windows) keep the
 * rename without it.
 */
async function syncFolder(folder: string): Promise<void> {
  try {
    await using(await open(folder, 'r'), (file) => file.sync())
  } catch {}
}

function reasonFor(error: unknown, path: string): string {
  const { code, message } = error as NodeJS.ErrnoException
  if (code === 'ENOENT' || code === 'ENOTDIR')
    return `there is no folder ${dirname(path)}; create it first`
  if (code === 'EACCES' || code === 'EPERM')
    return `no permission to write in ${dirname(path)}; choose another place or change its rights`
  if (code === 'EROFS') return 'the disk is read-only; choose another place'
  if (code === 'ENOSPC' || code === 'EDQUOT') return 'the disk is full; free some space'
  if (code === 'EFBIG')
    return 'the file would be larger than the system allows; raise the limit (ulimit -f), or choose another disk'
  if (code === 'ENAMETOOLONG')
    return `the name ${basename(path).slice(0, 40)}... is too long; choose a shorter one`
  return message
}
