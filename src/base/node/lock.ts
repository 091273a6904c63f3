import { createHash } from 'node:crypto'
import { realpath, rm } from 'node:fs/promises'
import { connect, createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { basename, dirname, join, resolve } from 'node:path'
import { UsageError } from '../errors.ts'

/**
 * Runs `body` while this process holds the lock of a path; only one process on this machine can
 * hold it. The lock is a socket that the process listens on, so it is free again as soon as the
 * process ends, even after `kill -9`, when a lock file would stay. Processes on other machines that
 * share the folder are not excluded.
 * @param path what is locked; it need not exist
 * @param taken makes the error for the case that another process holds the lock
 * @throws what `taken` makes
 * @example await withLock('run', () => new UsageError('another process uses run'), () => train())
 */
export async function withLock<T>(
  path: string,
  taken: () => Error,
  body: () => Promise<T>,
): Promise<T> {
  const server = await listen(addressOf(await realPath(resolve(path))))
  if (server === 'taken') throw taken()
  try {
    return await body()
  } finally {
    server?.close()
  }
}

/**
 * Runs `body` as the only training on this machine that writes to a run folder. Two would overwrite
 * each other's weights, figures and checkpoints.
 * @param folder need not exist
 * @throws UsageError while another process holds it
 */
export function holdingRun<T>(folder: string, body: () => Promise<T>): Promise<T> {
  const taken = () =>
    new UsageError(
      `another training is writing to ${folder}: wait for it, or train into another folder`,
    )
  return withLock(folder, taken, body)
}

/** The path without symbolic links, as far as it exists. */
async function realPath(path: string): Promise<string> {
  const real = await realpath(path).catch(() => null)
  return (
    real ?? (path === dirname(path) ? path : join(await realPath(dirname(path)), basename(path)))
  )
}

/** The socket's address: short, because macOS allows 104 bytes. */
function addressOf(path: string): string {
  const name = `graft-${createHash('sha256').update(path).digest('hex').slice(0, 24)}`
  return process.platform === 'win32' ? `\\\\.\\pipe\\${name}` : join(tmpdir(), `${name}.sock`)
}

/** Listens on an address; null where the machine has no such sockets, and nothing can be locked. */
async function listen(address: string): Promise<Server | 'taken' | null> {
  for (let tries = 0; tries < 3; tries++) {
    const server = createServer((client) => client.destroy()).unref()
    const failure = await new Promise<NodeJS.ErrnoException | null>((done) => {
      server.once('error', done).listen(address, () => done(null))
    })
    if (!failure) return server
    if (failure.code !== 'EADDRINUSE') return null
    if (await answers(address)) return 'taken'
    // A killed process left the socket's file. (Windows leaves none.)
    await rm(address, { force: true })
  }
  return 'taken'
}

/** Whether a process listens on the address; one that refuses this user counts as well. */
function answers(address: string): Promise<boolean> {
  return new Promise((done) => {
    const client = connect(address, () => {
      client.destroy()
      done(true)
    })
    client.once('error', (error: NodeJS.ErrnoException) =>
      done(error.code !== 'ECONNREFUSED' && error.code !== 'ENOENT'),
    )
  })
}
