import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { cacheFolder } from '../../../src/base/node/cacheFolder.ts'
import { FeatureCache } from '../../../src/data/featureCache.ts'
import { unpackSwiftShader } from '../../../src/host/node/swiftshader.ts'
import { fileTilingStore } from '../../../src/host/node/tilingStore.ts'
import { fetchWeights } from '../../../src/weights/node/store.ts'
import { FileServer, send } from '../../support/fileServer.ts'

const before = process.env.GRAFT_CACHE
let folder = ''
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'graft-cache-folder-'))
  process.env.GRAFT_CACHE = folder
})
afterEach(async () => {
  if (before === undefined) delete process.env.GRAFT_CACHE
  else process.env.GRAFT_CACHE = before
  await rm(folder, { recursive: true })
})

test('GRAFT_CACHE moves every cache: weights, features, tunings, SwiftShader', async () => {
  const server = new FileServer()
  await server.listen()
  const bytes = Uint8Array.of(1, 2, 3)
  server.now((visit) => send(bytes, visit))
  const path = await fetchWeights({
    name: 'lab/net',
    file: server.url('/net.pth'),
    sha256: '039058c6f2c0cb492c533b0a4d14ef77cc0f78abccced5287d84a1a2011cfb81',
    variant: null,
    classes: null,
    parameters: null,
    accuracy: null,
    license: null,
  })
  await server.close()
  expect(path).toBe(join(folder, 'weights', 'lab', 'net', 'net.pth'))
  expect(new FeatureCache().folder).toBe(join(folder, 'features'))
  await fileTilingStore.write('adapter', '{}')
  expect(await readdir(join(folder, 'tunings'))).toEqual(['adapter.json'])
  if (process.platform === 'linux' && process.arch === 'x64')
    expect((await unpackSwiftShader()).icd).toContain(join(folder, 'swiftshader-'))
  expect(cacheFolder()).toBe(folder)
})
