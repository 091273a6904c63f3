import { createHash } from 'node:crypto'
import { realpath, rm } from 'node:fs/promises'
import { connect, createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { basename, dirname, join, resolve } from 'node:path'
import { UsageError } from '../errors.ts'

/**
 * Runs `body` as the only training on this machine that writes to a run folder: two would overwrite
 * each other's weights, figures and checkpoints. What says that a folder is taken is a socket that
 * the process listens on, so that it is free again the moment the process ends, by `kill -9` too; a
 * lock file would outlive it. Another machine that shares the folder is not seen.
 * @param folder need not exist
 * @throws UsageError while another process has it
 */
export async function holdingRun<T>(folder: string, body: () => Promise<T>): Promise<T> {
  const server = await listen(addressOf(await realPlace(resolve(folder))))
  if (server === 'taken')
    throw new UsageError(
      `another training is writing to ${folder}: wait for it, or name another folder with --out`,
    )
  try {
    return await body()
  } finally {
    server?.close()
  }
}

/** The path without symbolic links, as far as it exists. */
async function realPlace(path: string): Promise<string> {
  const real = await realpath(path).catch(() => null)
  return (
    real ?? (path === dirname(path) ? path : join(await realPlace(dirname(path)), basename(path)))
  )
}

/** Sockets have names of 104 bytes at most on macOS. */
function addressOf(place: string): string {
  const name = `graft-${createHash('sha256').update(place).digest('hex').slice(0, 24)}`
  return process.platform === 'win32' ? `\\\\.\\pipe\\${name}` : join(tmpdir(), `${name}.sock`)
}

/** Listens on an address; null on a machine that has no such sockets, where nothing can be held. */
async function listen(address: string): Promise<Server | 'taken' | null> {
  for (let tries = 0; tries < 3; tries++) {
    const server = createServer((client) => client.destroy()).unref()
    const failure = await new Promise<NodeJS.ErrnoException | null>((done) => {
      server.once('error', done).listen(address, () => done(null))
    })
    if (!failure) return server
    if (failure.code !== 'EADDRINUSE') return null
    if (await answers(address)) return 'taken'
    // What a process that was killed has left: Windows leaves nothing.
    await rm(address, { force: true })
  }
  return 'taken'
}

/** Whether somebody listens there; one who may not be asked does. */
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
