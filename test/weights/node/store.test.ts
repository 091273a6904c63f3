import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { UsageError, WeightsError } from '../../../src/base/errors.ts'
import { variants } from '../../../src/nn/alexnet.ts'
import { imagenetClasses } from '../../../src/weights/imagenet.ts'
import { loadNamedWeights, loadWeights } from '../../../src/weights/load.ts'
import { entriesFile } from '../../../src/weights/node/entries.ts'
import {
  addWeights,
  fetchWeights,
  findWeights,
  localFile,
  ownWeights,
  problemOf,
  removeWeights,
} from '../../../src/weights/node/store.ts'
import { findNamedWeights, type NamedWeights, namedWeights } from '../../../src/weights/registry.ts'
import { writeSafetensors } from '../../../src/weights/safetensors.ts'
import { FileServer, send } from '../../support/fileServer.ts'

const file = writeSafetensors({ x: { shape: [2], data: Float32Array.of(3, 4) } }, { k: 'v' })
const other = writeSafetensors({ x: { shape: [2], data: Float32Array.of(3, 5) } })
const sumOf = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')

const server = new FileServer()
beforeAll(() => server.listen())
afterAll(() => server.close())

const variables = [
  'XDG_CONFIG_HOME',
  'XDG_CACHE_HOME',
  'GRAFT_CACHE',
  'TORCH_HOME',
  'GRAFT_OFFLINE',
  'HOME',
] as const
const before = variables.map((name) => process.env[name])
let folder = ''
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'graft-store-'))
  process.env.XDG_CONFIG_HOME = join(folder, 'config')
  process.env.XDG_CACHE_HOME = join(folder, 'cache')
  process.env.TORCH_HOME = join(folder, 'torch')
  delete process.env.GRAFT_CACHE
  delete process.env.GRAFT_OFFLINE
  server.now((visit) => send(file, visit))
})
afterEach(async () => {
  await rm(folder, { recursive: true })
  for (const [i, name] of variables.entries()) {
    if (before[i] === undefined) delete process.env[name]
    else process.env[name] = before[i]
  }
})

/** Weights on the test's server, known by their first digits. */
const remote = (): NamedWeights => ({
  ...{
    name: 'lab/remote',
    file: server.url('/models/remote-1.safetensors'),
    sha256: sumOf(file).slice(0, 8),
    variant: 'bvlc',
  },
  ...{
    classes: 2,
    classNames: async () => ['a', 'b'],
    parameters: 2,
    accuracy: null,
    license: null,
  },
})

const message = async (
  action: Promise<unknown>,
  type: typeof WeightsError | typeof UsageError = WeightsError,
) => {
  const error = await action.then(
    () => null,
    (reason: unknown) => reason,
  )
  expect(error).toBeInstanceOf(type)
  expect((error as Error).message).not.toMatch(/\n/)
  return (error as Error).message
}

describe('what Graft knows', () => {
  test('has names of its own, a network, classes and figures', () => {
    expect(new Set(namedWeights.map(({ name }) => name)).size).toBe(namedWeights.length)
    for (const { variant, classes, parameters, accuracy, sha256 } of namedWeights) {
      expect(variants).toContain(variant)
      expect([classes, parameters].every((n) => n !== null && n > 0)).toBe(true)
      expect(accuracy?.top1).toBeLessThan(accuracy?.top5 ?? 0)
      expect(sha256).toMatch(/^[0-9a-f]{8,64}$/)
    }
  })

  test('of torchvision’s AlexNet: both names of the file, whose digits are in them, and ImageNet’s classes', async () => {
    const weights = findNamedWeights('torchvision/alexnet')
    for (const { file, sha256 } of [weights, weights?.earlier].filter((one) => one !== undefined))
      expect(file.pathname).toContain(`-${sha256}.pth`)
    expect(weights).toMatchObject({
      variant: 'torchvision',
      classes: 1000,
      parameters: 61_100_840,
      accuracy: { top1: 0.56522, top5: 0.79066 },
    })
    expect(await weights?.classNames?.()).toBe(imagenetClasses)
    expect([imagenetClasses.length, new Set(imagenetClasses).size]).toEqual([1000, 1000])
    expect([0, 1, 281, 388, 779, 999].map((i) => imagenetClasses[i])).toEqual([
      'tench',
      'goldfish',
      'tabby',
      'giant panda',
      'school bus',
      'toilet tissue',
    ])
  })
})

describe('named weights that are not here', () => {
  test('are fetched once, checked, and say what they are', async () => {
    expect(await localFile(remote())).toBeNull()
    const { tensors, metadata } = await loadNamedWeights(remote())
    expect(tensors.x?.data).toEqual(Float32Array.of(3, 4))
    expect(metadata).toEqual({ architecture: 'bvlc', classes: '["a","b"]', k: 'v' })
    await loadNamedWeights(remote())
    expect(server.requests).toEqual(['/models/remote-1.safetensors'])
    expect(await localFile(remote())).toBe(
      join(folder, 'cache', 'graft', 'weights', 'lab', 'remote', 'remote-1.safetensors'),
    )
  })

  test('are fetched again where the copy was changed, and refused where it was while offline', async () => {
    const path = await fetchWeights(remote())
    await writeFile(path, other)
    expect(await message(fetchWeights(remote(), { offline: true }))).toMatch(
      /^lab\/remote: the file is damaged or was changed: its sha256 is/,
    )
    expect(await fetchWeights(remote())).toBe(path)
    expect(await problemOf(remote(), path)).toBeNull()
  })

  test('are not fetched while offline, by option or by GRAFT_OFFLINE', async () => {
    expect(await message(fetchWeights(remote(), { offline: true }))).toMatch(
      /not on this machine, and nothing is fetched while offline/,
    )
    process.env.GRAFT_OFFLINE = '1'
    expect(await message(loadNamedWeights(remote()))).toMatch(/nothing is fetched while offline/)
    expect(server.requests).toEqual([])
    process.env.GRAFT_OFFLINE = '0'
    await fetchWeights(remote())
  })

  test('are taken from torch.hub’s cache where they are sound there', async () => {
    const checkpoints = join(folder, 'torch', 'hub', 'checkpoints')
    await mkdir(checkpoints, { recursive: true })
    const theirs = join(checkpoints, 'remote-1.safetensors')
    await writeFile(theirs, file)
    expect(await fetchWeights(remote())).toBe(theirs)
    expect(server.requests).toEqual([])
    await writeFile(theirs, other)
    expect(await fetchWeights(remote())).toMatch(/cache.graft.weights/)
    expect(Buffer.compare(await readFile(theirs), other)).toBe(0)
  })

  test('come under their earlier name where the present one is gone', async () => {
    server.now((visit) =>
      visit.request.url === '/old' ? send(other, visit) : visit.response.writeHead(404).end(),
    )
    const weights = { ...remote(), earlier: { file: server.url('/old'), sha256: sumOf(other) } }
    await writeFile(join(folder, 'expected'), other)
    expect(await readFile(await fetchWeights(weights))).toEqual(
      await readFile(join(folder, 'expected')),
    )
    expect(await message(fetchWeights({ ...remote(), name: 'lab/none' }))).toMatch(
      /^lab\/none: the server answered 404/,
    )
  })
})

describe('a user’s own names', () => {
  test('stand for files, by a sha256 that is computed, or addresses, by one that is given', async () => {
    const path = join(folder, 'mine.safetensors')
    await writeFile(path, file)
    await addWeights({ name: 'mine', source: path, variant: 'alexnet-64' })
    await addWeights({
      name: 'lab/x.1',
      source: server.url('/x.safetensors').href,
      sha256: sumOf(file).toUpperCase(),
    })
    await addWeights({
      name: 'hub',
      source: server.url(`/net-${sumOf(file).slice(0, 8)}.safetensors`).href,
      sha256: sumOf(file),
    })
    expect(ownWeights().map(({ name, sha256, variant }) => [name, sha256, variant])).toEqual([
      ['hub', sumOf(file), null],
      ['lab/x.1', sumOf(file), null],
      ['mine', sumOf(file), 'alexnet-64'],
    ])
    for (const name of ['mine', 'lab/x.1', 'hub'])
      expect((await loadWeights(name)).tensors.x?.data).toEqual(Float32Array.of(3, 4))
    expect((await loadWeights('mine')).metadata).toEqual({ architecture: 'alexnet-64', k: 'v' })
    await writeFile(path, other)
    expect(await message(loadWeights('mine'))).toMatch(
      /^mine: the file is damaged or was changed: .*fetch or add it again/,
    )
    await addWeights({ name: 'mine', source: path })
    expect((await loadWeights('mine')).tensors.x?.data).toEqual(Float32Array.of(3, 5))
    await rm(path)
    expect(await message(loadWeights('mine'))).toMatch(/^mine: .*mine\.safetensors is missing$/)
  })

  test('go, with what was fetched for them and never with a file of the user’s', async () => {
    const path = join(folder, 'mine.safetensors')
    await writeFile(path, file)
    const mine = await addWeights({ name: 'mine', source: path })
    const hub = await addWeights({
      name: 'hub',
      source: server.url('/x.safetensors').href,
      sha256: sumOf(file),
    })
    const fetched = await fetchWeights(hub)
    expect(await removeWeights(mine)).toEqual({ forgotten: true, deleted: [] })
    expect(await removeWeights(hub)).toEqual({ forgotten: true, deleted: [fetched] })
    expect((await stat(path)).isFile()).toBe(true)
    expect([findWeights('mine'), findWeights('hub'), ownWeights()]).toEqual([
      undefined,
      undefined,
      [],
    ])
  })

  test.each<[string, object, typeof WeightsError | typeof UsageError, RegExp]>([
    ['a name that climbs', { name: '../x', source: 'y' }, UsageError, /not a name for weights/],
    ['a hidden name', { name: 'a/.b', source: 'y' }, UsageError, /not a name for weights/],
    [
      'none, which means no weights',
      { name: 'none', source: 'y' },
      UsageError,
      /not a name for weights/,
    ],
    [
      'a name of Graft’s',
      { name: 'torchvision/alexnet', source: 'y' },
      UsageError,
      /a name of Graft's own/,
    ],
    ['a name that is no property', { name: 'a/__proto__', source: 'y' }, UsageError, /not a name/],
    [
      'an address with a password',
      { name: 'x', source: 'https://ann:s3cret@example.org/x.pth', sha256: '0'.repeat(64) },
      UsageError,
      /^the address holds a user name or a password(?!.*s3cret)/,
    ],
    [
      'an address with the first digits of its sum alone',
      { name: 'x', source: 'https://example.org/x.pth', sha256: '01234567' },
      UsageError,
      /"01234567" is not a sha256: give its 64 hexadecimal digits/,
    ],
    [
      'an address that ends in the first digits of its sum',
      { name: 'x', source: 'https://example.org/x-01234567.pth' },
      UsageError,
      /the sha256 of .* is needed, all 64 digits/,
    ],
    ['a sum that is none', { name: 'x', source: 'y', sha256: 'abc' }, UsageError, /not a sha256/],
    [
      'an address without a sum',
      { name: 'x', source: 'https://example.org/x.pth' },
      UsageError,
      /the sha256 of .* is needed/,
    ],
    [
      'a file that is not there',
      { name: 'x', source: '/nowhere/x.pth' },
      WeightsError,
      /there is no such file; give a file's path, or a URL/,
    ],
    ['a folder', { name: 'x', source: tmpdir() }, WeightsError, /this is a folder/],
    [
      'another file than said',
      { name: 'x', source: fileURLToPath(import.meta.url), sha256: '0'.repeat(64) },
      WeightsError,
      /is .*, not 0{64}/,
    ],
  ])('%s is refused', async (_, entry, type, says) => {
    expect(await message(addWeights(entry as Parameters<typeof addWeights>[0]), type)).toMatch(says)
    expect(ownWeights()).toEqual([])
  })

  test.each<[string, object, RegExp]>([
    ['a name that climbs', { name: '../../x' }, /in the entry "..\/..\/x" .* is not a name/],
    ['__proto__', { name: '__proto__' }, /"__proto__" is not a name for weights/],
    ['a name of Graft’s', { name: 'torchvision/alexnet' }, /is a name of Graft's own/],
    ['a sum of eight digits', { sha256: '01234567' }, /"01234567" is not a sha256/],
    ['a path from somewhere', { source: 'x.pth' }, /neither an http address nor an absolute path/],
    ['another scheme', { source: 'file:///etc/passwd' }, /neither an http address/],
    ['a password', { source: 'http://ann:s3cret@x.org/x' }, /holds a user name(?!.*s3cret)/],
    ['a network of its own', { variant: '__proto__' }, /its variant is none/],
    ['no name', { name: 7 }, /an entry lacks a name, source or sha256/],
  ])('whose list was written by hand with %s are refused', async (_, change, says) => {
    await mkdir(join(folder, 'config', 'graft'), { recursive: true })
    const entry = {
      ...{ name: 'mine', source: 'https://x.org/x', sha256: '0'.repeat(64), variant: null },
      ...change,
    }
    await writeFile(entriesFile(), JSON.stringify({ weights: [entry] }))
    expect(await message(loadWeights('mine'))).toMatch(says)
  })

  test('of which one is wrong: files and other names are read, and it can be added again', async () => {
    const path = join(folder, 'mine.safetensors')
    await writeFile(path, file)
    await addWeights({ name: 'sound', source: path })
    const { weights } = JSON.parse(await readFile(entriesFile(), 'utf8')) as { weights: object[] }
    const short = { name: 'short', source: 'https://x.org/x', sha256: '01234567', variant: null }
    await writeFile(entriesFile(), JSON.stringify({ weights: [...weights, short] }))
    for (const one of ['sound', path])
      expect((await loadWeights(one)).tensors.x?.data).toEqual(Float32Array.of(3, 4))
    expect(await message(loadWeights('short'))).toMatch(/in the entry "short" "01234567" is not/)
    await addWeights({ name: 'short', source: path })
    expect(ownWeights().map(({ name }) => name)).toEqual(['short', 'sound'])
  })

  test('whose list was damaged are no silent loss', async () => {
    await mkdir(join(folder, 'config', 'graft'), { recursive: true })
    for (const text of [
      '{',
      'null',
      '{"weights":[{"name":1}]}',
      '{"weights":[{"name":"a","source":"b","sha256":"../x","variant":null}]}',
    ]) {
      await writeFile(entriesFile(), text)
      expect(() => ownWeights()).toThrow(
        /weights\.json is not a list of weights any more; correct or remove it/,
      )
      await expect(addWeights({ name: 'x', source: import.meta.url })).rejects.toThrow(WeightsError)
      expect(await readFile(entriesFile(), 'utf8')).toBe(text)
    }
  })
})
