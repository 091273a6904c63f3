import { execFileSync } from 'node:child_process'
import { chmodSync, mkdirSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  inputPieces,
  openInput,
  ReadError,
  readInput,
  readInputSync,
  readRange,
} from '../../../src/base/node/inputFile.ts'

let folder = ''
let server: Server
const inTemp = (name: string): string => join(folder, name)

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'graft-input-'))
  writeFileSync(inTemp('plain'), 'twelve bytes')
  writeFileSync(inTemp('empty'), '')
  writeFileSync(inTemp('pieces'), Buffer.alloc(2 ** 20 + 5, 7))
  writeFileSync(inTemp('sparse'), '')
  truncateSync(inTemp('sparse'), 2 ** 40)
  mkdirSync(inTemp('folder'))
  symlinkSync('plain', inTemp('link'))
  symlinkSync('loop', inTemp('loop'))
  symlinkSync('gone', inTemp('broken'))
  symlinkSync('/dev/zero', inTemp('zero'))
  symlinkSync('zero', inTemp('zero again'))
  execFileSync('mkfifo', [inTemp('pipe')])
  symlinkSync('pipe', inTemp('to a pipe'))
  server = createServer().listen(inTemp('socket'))
  await new Promise((resolve) => server.once('listening', resolve))
})

afterAll(async () => {
  server.close()
  await rm(folder, { recursive: true, force: true })
})

/** Each way to read a file whole. */
const ways: Record<string, (path: string, most: number) => Promise<Buffer>> = {
  readInput,
  readInputSync: async (path, most) => readInputSync(path, most),
  inputPieces: async (path, most) => {
    const pieces: Buffer[] = []
    for await (const piece of inputPieces(path, most)) pieces.push(piece)
    return Buffer.concat(pieces)
  },
}

describe.each(Object.entries(ways))('%s', (_name, read) => {
  it.each([
    ['plain', 12],
    ['link', 12],
    ['empty', 0],
    ['pieces', 2 ** 20 + 5],
  ])('reads %s', async (name, bytes) => {
    expect((await read(inTemp(name), 2 ** 21)).length).toBe(bytes)
  })

  it('reads up to the bound and no more', async () => {
    expect((await read(inTemp('plain'), 12)).toString()).toBe('twelve bytes')
    await expect(read(inTemp('plain'), 11)).rejects.toThrow(
      `${inTemp('plain')}: the file has 12 bytes, and 11 are the most that are read of its kind`,
    )
    await expect(read(inTemp('sparse'), 2 ** 30)).rejects.toThrow(/1099511627776 bytes/)
  })

  it.each([
    ['pipe', 'irregular', /this is no ordinary file but a named pipe/],
    ['to a pipe', 'irregular', /a named pipe/],
    ['socket', 'irregular', /a socket/],
    ['zero', 'irregular', /a device/],
    ['zero again', 'irregular', /a device/],
    ['/dev/null', 'irregular', /a device/],
    ['folder', 'folder', /this is a folder/],
    ['gone', 'missing', /there is no such file/],
    ['plain/below', 'missing', /there is no such file/],
    ['broken', 'missing', /there is no such file/],
    ['loop', 'missing', /a link that leads to itself/],
  ])('refuses %s in one line and does not wait', async (name, problem, reason) => {
    const path = name.startsWith('/') ? name : inTemp(name)
    const error: unknown = await read(path, 100).catch((cause: unknown) => cause)
    expect(error).toBeInstanceOf(ReadError)
    const { message, code, ...rest } = error as ReadError
    expect([code, rest.problem]).toEqual(['read', problem])
    expect(rest.reason).toMatch(reason)
    expect(message).toBe(`${path}: ${rest.reason}`)
  })

  it.skipIf(process.getuid?.() === 0)('says that a permission is missing', async () => {
    writeFileSync(inTemp('secret'), '')
    chmodSync(inTemp('secret'), 0)
    await expect(read(inTemp('secret'), 1)).rejects.toThrow(/no permission to read/)
  })
})

describe('a part of an open file', () => {
  it('is read, and its lack is an error', async () => {
    const { file, size } = await openInput(inTemp('plain'))
    expect(size).toBe(12)
    expect((await readRange('plain', file, 7, 5)).toString()).toBe('bytes')
    await expect(readRange('plain', file, 7, 6)).rejects.toThrow(
      'plain: the file ended at byte 12 while it was read; copy it again',
    )
    await file.close()
  })
})
