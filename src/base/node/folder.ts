import { mkdir, rmdir, stat } from 'node:fs/promises'
import { dirname } from 'node:path'

/**
 * Creates a folder and those above it. Node's own recursive mkdir never returns where the system
 * does not allow it with "no such file", as below /proc.
 * @param mode their rights, less the process's umask
 * @returns the uppermost folder that was created; null if all were there
 * @throws the system's error where one cannot be created
 */
export async function makeFolder(path: string, mode = 0o777): Promise<string | null> {
  if (await isFolder(path)) return null
  const above = dirname(path)
  const uppermost = above === path ? null : await makeFolder(above, mode)
  try {
    await mkdir(path, mode)
  } catch (error) {
    if (!(await isFolder(path))) throw error
    return uppermost // another process made it in between
  }
  return uppermost ?? path
}

/**
 * Removes a folder and those above it, up to and with `uppermost`, as far as they are empty.
 * @example await removeEmptyFolders('runs/dogs', 'runs')
 */
export async function removeEmptyFolders(path: string, uppermost: string): Promise<void> {
  const removed = await rmdir(path).then(
    () => true,
    () => false,
  )
  if (removed && path !== uppermost) await removeEmptyFolders(dirname(path), uppermost)
}

/** Whether there is a folder of that name, or a link to one. */
export function isFolder(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  )
}
