import { mkdir, mkdtemp, rm, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { at } from '../../src/base/at.ts'
import { withLock } from '../../src/base/node/lock.ts'
import { cacheItems, removeItem } from '../../src/cli/cacheItems.ts'
import { ageText } from '../../src/cli/commands/cache.ts'
import { runHere } from './runHere.ts'

let folder = ''
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'graft-cache-'))
  vi.stubEnv('GRAFT_CACHE', folder)
})
afterEach(async () => {
  vi.unstubAllEnvs()
  await rm(folder, { recursive: true, force: true })
})

async function put(path: string, size: number): Promise<void> {
  await mkdir(dirname(join(folder, path)), { recursive: true })
  await writeFile(join(folder, path), new Uint8Array(size))
}

async function fill(): Promise<void> {
  await put('features/a1/0.safetensors', 3000)
  await put('tunings/lavapipe.json', 10)
  await put('weights/torchvision/alexnet/alexnet.pth', 2048)
  await put('datasets/hymenoptera/train/ants/1.jpg', 500)
  await put('datasets/.tf_flowers.archives/f.tgz.part', 700)
  await put('swiftshader-0123/libvulkan.so.1', 100)
  await put('something/else.txt', 9)
}

const named = async () => (await cacheItems()).map(({ kind, name, size }) => [kind, name, size])

test('what is cached is shown by kind, with its size, its age and its use', async () => {
  expect((await runHere('cache')).stdout).toMatch(/nothing is cached/)
  await fill()
  expect(await named()).toEqual([
    ['features', 'features', 3000],
    ['tunings', 'tunings', 10],
    ['weights', 'torchvision', 2048],
    ['datasets', '.tf_flowers.archives', 700],
    ['datasets', 'hymenoptera', 500],
    ['swiftshader', 'swiftshader-0123', 100],
  ])
  const old = new Date(Date.now() - 3 * 86_400_000 - 5000)
  await utimes(join(folder, 'weights/torchvision/alexnet/alexnet.pth'), old, old)
  const { stdout, code } = await runHere('cache')
  expect([code, stdout.split('\n')[0]]).toEqual([0, `cache        ${folder}`])
  expect(stdout).toMatch(/weights +torchvision +2\.0 KiB +3 days\n/)
  expect(stdout).toMatch(/\nweights +trained networks that were fetched\n/)
  expect(stdout).toMatch(/in all +6\.2 KiB/)
})

test('clear deletes the kinds that are named and says what it freed; --dry-run deletes nothing', async () => {
  await fill()
  const dry = await runHere('cache', 'clear', 'weights', 'datasets', '--dry-run')
  expect(dry.stdout).toMatch(/would delete weights torchvision, 2\.0 KiB\n/)
  expect(dry.stdout).toMatch(/would free +3\.2 KiB in /)
  expect((await named()).length).toBe(6)
  const cleared = await runHere('cache', 'clear', 'weights', 'datasets', '--json')
  expect(JSON.parse(cleared.stdout)).toMatchObject({ type: 'result', bytes: 3248, kept: [] })
  expect((await named()).map(([kind]) => kind)).toEqual(['features', 'tunings', 'swiftshader'])
  expect((await runHere('cache', 'clear', 'pictures')).code).toBe(2)
  await runHere('cache', 'clear')
  expect(await named()).toEqual([])
})

test('what another process is writing stays', async () => {
  await fill()
  const items = await cacheItems()
  const taken = () => new Error('taken')
  await withLock(join(folder, 'datasets', 'tf_flowers.lock'), { taken }, async () => {
    expect(await removeItem(at(items, 3))).toMatch(/another process.* is writing there/)
    expect(await removeItem(at(items, 4))).toBe(null)
  })
  const file = join(folder, 'weights/torchvision/alexnet/alexnet.pth')
  await withLock(`${file}.lock`, { taken }, async () => {
    expect(await removeItem(at(items, 2))).toMatch(/another process/)
  })
  expect((await named()).map(([, name]) => name)).toContain('torchvision')
  expect(await removeItem(at(items, 2))).toBe(null)
})

test('ages in words', () => {
  const ago = (seconds: number) => ageText(1e12 - 1000 * seconds, 1e12)
  expect([ago(5), ago(60), ago(7300), ago(90_000), ago(1e6)]).toEqual([
    'under a minute',
    '1 minute',
    '2 hours',
    '1 day',
    '11 days',
  ])
})
