import { execFileSync } from 'node:child_process'
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { FeatureCache } from '../../src/data/featureCache.ts'
import { openLabelFile } from '../../src/data/labelFile.ts'
import { openTarShards } from '../../src/data/tarShards.ts'
import { decodeImage } from '../../src/host/node/decode.ts'
import { diskFiles } from '../../src/host/node/files.ts'

let folder = ''
let server: Server
const inTemp = (...names: string[]): string => join(folder, ...names)

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'graft-irregular-'))
  execFileSync('mkfifo', [inTemp('pipe')])
  symlinkSync('/dev/zero', inTemp('zero'))
  mkdirSync(inTemp('folder'))
  server = createServer().listen(inTemp('socket'))
  await new Promise((resolve) => server.once('listening', resolve))
})

afterAll(async () => {
  server.close()
  await rm(folder, { recursive: true, force: true })
})

/** Everything that reads a file by a path it was given; all are to refuse, and not to wait. */
const readers: Record<string, (path: string) => Promise<unknown>> = {
  'an image': (path) => decodeImage(path),
  'an image in an archive': (path) => decodeImage({ path, start: 0, bytes: 10 }),
  'a file of labels': (path) => openLabelFile(path),
  'a checkpoint': (path) => diskFiles.read(path),
}

describe.each(Object.entries(readers))('as %s', (_what, read) => {
  it.each([
    ['pipe', /this is no ordinary file but a named pipe/],
    ['socket', /this is no ordinary file but a socket/],
    ['zero', /this is no ordinary file but a device/],
    ['folder', /this is a folder/],
  ])('a %s is refused', async (name, reason) => {
    await expect(read(inTemp(name))).rejects.toThrow(reason)
  })
})

it('an archive that is a pipe is refused', async () => {
  mkdirSync(inTemp('shards'))
  execFileSync('mkfifo', [inTemp('shards', 'x.tar')])
  await expect(openTarShards(inTemp('shards'))).rejects.toThrow(/x\.tar \(.* a named pipe;/)
})

it('files of labels that name what is no file are opened, and the images are broken', async () => {
  const names = ['pipe', 'socket', 'zero', 'folder']
  writeFileSync(
    inTemp('labels.csv'),
    ['file,label,split']
      .concat(names.flatMap((name, i) => `${name},${i % 2},${i < 2 ? 'train' : 'val'}`))
      .join('\n'),
  )
  const { train, val } = await openLabelFile(inTemp('labels.csv'))
  for (const { source, name } of [...train, ...val])
    await expect(decodeImage(source, name)).rejects.toThrow(name)
})

it('a pipe in the feature cache is passed over', async () => {
  mkdirSync(inTemp('cache', 'table'), { recursive: true })
  execFileSync('mkfifo', [inTemp('cache', 'table', 'x.safetensors')])
  const table = new FeatureCache({ folder: inTemp('cache') }).table('table', 4)
  await table.open()
  expect(table.rowsInFiles).toBe(0)
  await table.close()
})
