import { type BigIntStats, constants } from 'node:fs'
import { type FileHandle, lstat, open, rm, stat } from 'node:fs/promises'
import { hostname } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { GraftError, UsageError } from '../errors.ts'
import { cannotWrite } from './atomicFile.ts'
import { makeFolder, removeEmptyFolders } from './folder.ts'

export interface LockOptions {
  /**
   * Called while another process holds the lock, with what is known of it: ' (process 17 on dave)',
   * or an empty text. Returns the error to give up with, or null to wait.
   */
  readonly taken: (holder: string) => Error | null
  /** Stops the waiting. */
  readonly signal?: AbortSignal
}

/** Milliseconds between two attempts. */
const pause = 200
/** So often in a row may the lock's folder vanish after it was made. */
const maxVanished = 20

/**
 * Runs `body` while this process holds the lock of a file. The lock is the kernel's own (OFD locks
 * on Linux, flock on macOS, LockFileEx on Windows): it is free again as soon as the process ends,
 * even after `kill -9`. It excludes every process that sees the file: of other users, in other
 * containers, and on other machines where the file system shares locks.
 *
 * Node has no such call; the package fs-native-extensions has, with binaries inside it.
 *
 * The file exists only while it is locked, or after a kill. Its owner removes it while it still
 * holds the lock; whoever gets the lock of a removed file tries again with the present one.
 *
 * @param file it and its folder are created, and removed again if nothing else is in them
 * @throws what `taken` returns; GraftError with code `lock` where nothing can be locked, with code
 * `write` where the file cannot be created
 * @example
 * const taken = (holder: string) => new UsageError(`another process${holder} writes there`)
 * await withLock('runs/dogs/.graft-lock', { taken }, () => train())
 */
export async function withLock<T>(
  file: string,
  options: LockOptions,
  body: () => Promise<T>,
): Promise<T> {
  const folder = dirname(file)
  const uppermost = await makeFolder(folder).catch((cause: unknown) => {
    throw cannotWrite(file, cause)
  })
  try {
    const handle = await acquire(file, options)
    try {
      return await body()
    } finally {
      await rm(file, { force: true }).catch(() => {}) // one that stays is locked again next time
      await handle.close()
    }
  } finally {
    if (uppermost !== null) await removeEmptyFolders(folder, uppermost)
  }
}

/**
 * Runs `body` as the only training that writes to a run folder. Two would overwrite each other's
 * weights, figures and checkpoints.
 * @param folder need not exist
 * @throws UsageError while another process holds it, GraftError where nothing can be locked
 */
export function holdingRun<T>(folder: string, body: () => Promise<T>): Promise<T> {
  const taken = (holder: string) =>
    new UsageError(
      `another training${holder} is writing to ${folder}: ` +
        'wait for it, or train into another folder',
    )
  return withLock(join(folder, '.graft-lock'), { taken }, body)
}

/**
 * As `withLock`, but waits for another process that holds the lock.
 * @param options.onWait called once, when the waiting begins, with what is known of the holder
 * @param body is told whether it had to wait: the other process may have done its work
 * @throws GraftError as `withLock`
 */
export function waitingForLock<T>(
  file: string,
  { onWait, signal }: Pick<LockOptions, 'signal'> & { readonly onWait?: (holder: string) => void },
  body: (waited: boolean) => Promise<T>,
): Promise<T> {
  let waited = false
  const taken = (holder: string) => {
    if (!waited) onWait?.(holder)
    waited = true
    return null
  }
  return withLock(file, { taken, ...(signal ? { signal } : {}) }, () => body(waited))
}

/** Opens and locks the file at a path, which is still there once it is locked. */
async function acquire(file: string, { taken, signal }: LockOptions): Promise<FileHandle> {
  const tryLock = await loadTryLock(file)
  for (let vanished = 0; ; ) {
    const handle = await openLockFile(file, vanished < maxVanished)
    if (!handle) {
      vanished++
      continue
    }
    try {
      if (!tryLock(handle.fd)) {
        const error = taken(await readOwner(handle))
        if (error) throw error
        await wait(pause, undefined, { signal })
      } else if (await isStillAt(handle, file)) {
        await describeOwner(handle, file)
        return handle
      }
    } catch (error) {
      await handle.close()
      if (error instanceof GraftError && error.code === 'lock') await rm(file, { force: true })
      throw error
    }
    await handle.close()
  }
}

/** @returns whether the lock was free */
type TryLock = (fd: number) => boolean

/** Loaded only here: elsewhere a machine that the package has no binary for does without. */
async function loadTryLock(file: string): Promise<TryLock> {
  const { tryLock } = await import('fs-native-extensions').catch((cause: Error) => {
    const machine = `${process.platform}-${process.arch}`
    throw new GraftError(
      'lock',
      `cannot lock ${file}: fs-native-extensions does not load on this machine, ${machine} ` +
        `(${cause.message}); reinstall Graft with npm, or use another machine`,
      { cause },
    )
  })
  return (fd) => {
    try {
      return tryLock(fd)
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code === 'EBUSY') return false // Windows
      throw new GraftError(
        'lock',
        `cannot lock ${file}: this file system has no locks (${(cause as Error).message}), and ` +
          'two processes could write there at once; choose a folder on another disk',
        { cause },
      )
    }
  }
}

/**
 * Opens the file, or creates it for all who may write to its folder. A link is not followed and a
 * pipe not waited for: the folder may come from somebody else. (Windows has neither flag.)
 * @param mayVanish whether its folder may be missing, because another process removed it
 * @returns null if the folder was missing; it is there again
 */
async function openLockFile(file: string, mayVanish: boolean): Promise<FileHandle | null> {
  const { O_RDWR, O_CREAT, O_NOFOLLOW, O_NONBLOCK } = constants
  let handle: FileHandle
  try {
    handle = await open(file, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK, 0o666)
  } catch (cause) {
    const { code = '' } = cause as NodeJS.ErrnoException
    if (code === 'ENOENT' && mayVanish) {
      await makeFolder(dirname(file))
      return null
    }
    if (['ELOOP', 'EISDIR', 'ENXIO'].includes(code)) throw notALock(file)
    throw cannotWrite(file, cause)
  }
  if ((await handle.stat()).isFile()) return handle
  await handle.close()
  throw notALock(file)
}

function notALock(file: string): UsageError {
  return new UsageError(`${file} is in the way of a lock: it is not a regular file; remove it`)
}

/** Whether a path still names the open file: the lock's last owner removed it otherwise. */
async function isStillAt(handle: FileHandle, path: string): Promise<boolean> {
  const found: BigIntStats | null = await lstat(path, { bigint: true }).catch(() => null)
  const own = await handle.stat({ bigint: true })
  return found !== null && found.ino === own.ino && found.dev === own.dev
}

/** Writes who holds the lock, for the messages of others, and lets them lock the file later. */
async function describeOwner(handle: FileHandle, file: string): Promise<void> {
  try {
    await handle.truncate()
    await handle.write(`process ${process.pid} on ${hostname()}\n`, 0)
    const { mode } = await stat(dirname(file))
    await handle.chmod(mode & 0o666)
  } catch {
    // A full disk, or a file that another user's killed process left: the lock itself holds.
  }
}

/** Who holds the lock, as far as the file tells. (On Windows nobody else can read it meanwhile.) */
async function readOwner(handle: FileHandle): Promise<string> {
  const { buffer, bytesRead } = await handle
    .read(Buffer.alloc(300), 0, 300, 0)
    .catch(() => ({ buffer: Buffer.alloc(0), bytesRead: 0 }))
  const text = buffer.toString('utf8', 0, bytesRead)
  const owner = /^process \d{1,10} on [\w.-]+(?=\n$)/.exec(text)?.[0]
  return owner ? ` (${owner})` : ''
}
