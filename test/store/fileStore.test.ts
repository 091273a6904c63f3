import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { isBelow, parseAddress, writeAddress } from '../../src/store/node/address.ts'
import { openStore, Stores } from '../../src/store/node/openStore.ts'

const folder = mkdtempSync(join(tmpdir(), 'graft-store-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

async function paths(place: string): Promise<string[]> {
  const found: string[] = []
  for await (const { path } of (await openStore(place)).list('')) found.push(path)
  return found
}

test('links are followed, not in circles, and what is being written is not listed', async () => {
  const place = join(folder, 'links')
  mkdirSync(join(place, 'a'), { recursive: true })
  writeFileSync(join(place, 'a', '1'), 'x')
  writeFileSync(join(place, '.graft-6d6e7f4e-0000-4000-8000-000000000000.tmp'), 'half')
  symlinkSync('a', join(place, 'b'))
  symlinkSync('..', join(place, 'a', 'up'))
  expect(await paths(place)).toEqual(['a/1', 'b/1'])
})

test('a broken link is listed, so that somebody misses it', async () => {
  const place = join(folder, 'broken')
  mkdirSync(place)
  symlinkSync('nowhere', join(place, '1.jpg'))
  expect(await paths(place)).toEqual(['1.jpg'])
  const store = await openStore(place)
  await expect(store.read('1.jpg')).rejects.toMatchObject({ problem: 'missing' })
})

test('a file in the place of a folder is refused', async () => {
  const store = await openStore(join(folder, 'mixed'))
  await store.write('a', new Uint8Array(1))
  const writing = store.write('a/b', new Uint8Array(1))
  await expect(writing).rejects.toMatchObject({ problem: 'refused' })
  await expect(writing).rejects.toThrow('a file and a folder would have the same name')
  expect(await store.stat('a/b')).toBeNull()
})

test.skipIf(process.getuid?.() === 0)('no permission is said', async () => {
  const place = join(folder, 'closed')
  mkdirSync(place)
  chmodSync(place, 0o500)
  const store = await openStore(place)
  const writing = store.write('a', new Uint8Array(1))
  await expect(writing).rejects.toMatchObject({ problem: 'denied' })
})

test.each([
  ['s3://bucket', 's3://bucket'],
  ['s3://bucket/', 's3://bucket'],
  ['S3://my.bucket_1/a b/c/', 's3://my.bucket_1/a b/c'],
  ['s3://bucket/50%2F', 's3://bucket/50%2F'],
  ['file:///data/my%20work/', 'file:///data/my%20work'],
  ['/data/my work', 'file:///data/my%20work'],
  ['file:///a/b/../c', 'file:///a/c'],
  ['file:///', 'file:///'],
])('%s is the address %s', (given, address) => {
  expect(writeAddress(parseAddress(given))).toBe(address)
  expect(writeAddress(parseAddress(address))).toBe(address)
})

test.each([
  ['s3:', /names no bucket/],
  ['s3:photos', /names no bucket/],
  ['s3:///photos', /names no bucket/],
  ['s3://bucket/a/../b', /no path in a store/],
  ['s3://bucket/a//b', /no path in a store/],
  ['s3://id:secret@bucket/a', /^an s3: address holds no keys/],
  ['file://host/share', /no address of a folder here/],
  ['file:relative', /no address of a folder here/],
  ['file:///a?b', /no address of a folder here/],
  ['file:///a%2Fb', /no address of a folder here/],
  ['file:///caf%E9', /no address of a folder here/],
  ['gs://bucket', /^gs: is no kind of store/],
  ['https://host/photos', /^https: is no kind of store/],
])('%s is no address', (address, message) => {
  expect(() => parseAddress(address)).toThrow(message)
  expect(() => parseAddress(address)).not.toThrow(/secret/)
})

test.each([
  ['s3://bucket/work', true],
  ['s3://bucket/work/features', true],
  ['s3://bucket/workshop', false],
  ['s3://bucket', false],
  ['s3://bucket/w', false],
  ['s3://other/work', false],
  ['file:///work', false],
])('%s is below s3://bucket/work: %s', (address, below) => {
  expect(isBelow(parseAddress(address), parseAddress('s3://bucket/work'))).toBe(below)
})

test('a worker opens the stores that it was given, and no other', async () => {
  const stores = new Stores([join(folder, 'given'), 's3://bucket/work'])
  const inside = await stores.store(writeAddress(parseAddress(join(folder, 'given', 'data'))))
  await inside.write('a', new Uint8Array(1))
  expect(await paths(join(folder, 'given'))).toEqual(['data/a'])
  for (const address of [
    writeAddress(parseAddress(join(folder, 'given2'))),
    `${writeAddress(parseAddress(folder))}/given/../other`,
    `${writeAddress(parseAddress(folder))}/given/%2e%2e/other`,
    '/etc',
    's3://bucket',
    's3://bucket/work/../other',
    's3://bucket/workshop',
    'https://host/work',
  ])
    await expect(stores.store(address)).rejects.toMatchObject({ code: 'store', problem: 'refused' })
  await stores.close()
})
