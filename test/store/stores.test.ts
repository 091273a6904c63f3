import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { parseAddress, writeAddress } from '../../src/store/node/address.ts'
import { FileStore } from '../../src/store/node/fileStore.ts'
import { openS3Store } from '../../src/store/node/s3Store.ts'
import type { Store, StoredObject } from '../../src/store/store.ts'
import { makeBucket, present, s3Environment, startS3, type TestServer } from '../support/servers.ts'

const bytes = (text: string) => new TextEncoder().encode(text)
const text = (content: Uint8Array) => new TextDecoder().decode(content)
const partBytes = 5 * 2 ** 20

async function listed(store: Store, folder = ''): Promise<StoredObject[]> {
  const objects: StoredObject[] = []
  for await (const object of store.list(folder)) objects.push(object)
  return objects
}

const paths = async (store: Store, folder = '') =>
  (await listed(store, folder)).map(({ path }) => path)

interface Kind {
  open(): Promise<Store>
  close(): Promise<void>
}

/** Stores of both kinds have to do the same. */
const kinds: Readonly<Record<string, { readonly here: boolean; start(): Promise<Kind> }>> = {
  'file:': {
    here: true,
    async start() {
      const folder = mkdtempSync(join(tmpdir(), 'graft-store-'))
      let count = 0
      return {
        async open() {
          const place = parseAddress(join(folder, `store ${count++}`))
          if (place.kind !== 'file') throw new Error('not a folder')
          return new FileStore(place.path, writeAddress(place))
        },
        close: async () => rmSync(folder, { recursive: true, force: true }),
      }
    },
  },
  's3:': {
    here: present.s3,
    async start() {
      const server: TestServer = await startS3()
      Object.assign(process.env, s3Environment(server.url))
      await makeBucket(server.url, 'bucket')
      let count = 0
      return {
        open() {
          const place = { kind: 's3', bucket: 'bucket', prefix: `store ${count++}` } as const
          return openS3Store(place, writeAddress(place), { partBytes, pauses: [] })
        },
        close: () => server.stop(),
      }
    },
  },
}

describe.each(Object.entries(kinds))('a store at %s', (_, { here, start }) => {
  describe.skipIf(!here)('', () => {
    let kind: Kind
    let store: Store

    beforeAll(async () => {
      kind = await start()
      store = await kind.open()
    })
    afterAll(() => kind.close())

    test.each([
      ['a.json', 'one'],
      ['in/folders/of/any/depth', 'two'],
      ['empty', ''],
      ['größe/🙂 cat.jpg', 'unicode'],
      ["a+b %41&c'd;e=f,(g).jpg", 'signs'],
      [' spaces ', 'at the ends'],
      [`${'long'.repeat(50)}`, 'long'],
    ])('%s is written, found, read and removed', async (path, content) => {
      expect(await store.stat(path)).toBeNull()
      expect(await store.write(path, bytes(content))).toBe(true)
      const found = await store.stat(path)
      expect(found).toEqual({ path, bytes: bytes(content).length, version: expect.any(String) })
      expect(text(await store.read(path))).toBe(content)
      expect(await listed(store)).toEqual([found])
      await store.remove(path)
      await store.remove(path)
      expect(await store.stat(path)).toBeNull()
      expect(await paths(store)).toEqual([])
    })

    test('another content has another version', async () => {
      await store.write('version', bytes('one'))
      const one = await store.stat('version')
      await store.write('version', bytes('two'))
      expect((await store.stat('version'))?.version).not.toBe(one?.version)
      expect(text(await store.read('version'))).toBe('two')
    })

    test('parts are read, and what lies past the end is missing', async () => {
      await store.write('parts', bytes('0123456789'))
      const part = async (start: number, length: number) =>
        text(await store.read('parts', { start, bytes: length }))
      expect(await part(0, 1)).toBe('0')
      expect(await part(3, 7)).toBe('3456789')
      expect(await part(4, 0)).toBe('')
      for (const [start, length] of [
        [8, 3],
        [10, 1],
        [1000, 1],
      ] as const)
        await expect(part(start, length)).rejects.toMatchObject({ problem: 'missing' })
    })

    test('what is there already stays where it is asked for', async () => {
      expect(await store.write('once', bytes('first'), { ifAbsent: true })).toBe(true)
      expect(await store.write('once', bytes('second'), { ifAbsent: true })).toBe(false)
      expect(text(await store.read('once'))).toBe('first')
    })

    test('of many writers at one moment exactly one is the first', async () => {
      const writers = Array.from({ length: 8 }, (_, i) =>
        store.write('race', bytes(`${i}`.repeat(1000)), { ifAbsent: true }),
      )
      const first = (await Promise.all(writers)).indexOf(true)
      expect((await Promise.all(writers)).filter((won) => won)).toHaveLength(1)
      expect(text(await store.read('race'))).toBe(`${first}`.repeat(1000))
    })

    test('large content goes in parts, whole or on a condition', async () => {
      const large = new Uint8Array(2 * partBytes + 1).map((_, i) => i * 7)
      await store.write('large', large)
      expect(Buffer.compare(await store.read('large'), large)).toBe(0)
      expect(await store.stat('large')).toMatchObject({ bytes: large.length })
      expect(await store.write('large', new Uint8Array(2 * partBytes), { ifAbsent: true })).toBe(
        false,
      )
      expect(Buffer.compare(await store.read('large'), large)).toBe(0)
    })

    test('lists below a folder, by the bytes of paths', async () => {
      const own = await kind.open()
      expect(await paths(own)).toEqual([])
      const written = ['b/2', 'b/10', 'b.txt', 'b0', 'a/x/y', 'bb/1', '\ue000', '🙂']
      for (const path of written) await own.write(path, bytes(path))
      expect(await paths(own)).toEqual([
        ...['a/x/y', 'b.txt', 'b/10', 'b/2', 'b0', 'bb/1', '\ue000', '🙂'],
      ])
      expect(await paths(own, 'b')).toEqual(['b/10', 'b/2'])
      expect(await paths(own, 'a/x')).toEqual(['a/x/y'])
      expect(await paths(own, 'nothing')).toEqual([])
      expect(await paths(own, 'b.txt')).toEqual([])
    })

    test.each([
      '../outside',
      'a/../../outside',
      '..',
      '/etc/passwd',
      'a//b',
      './a',
      'a/.',
      'a/',
      '',
      'a\\..\\b',
      'a\nb',
      'a\0b',
      'x'.repeat(1025),
    ])('the path %j is refused', async (path) => {
      const refused = { code: 'store', problem: 'refused' }
      await expect(store.read(path)).rejects.toMatchObject(refused)
      await expect(store.stat(path)).rejects.toMatchObject(refused)
      await expect(store.write(path, bytes('x'))).rejects.toMatchObject(refused)
      await expect(store.remove(path)).rejects.toMatchObject(refused)
      if (path !== '') await expect(listed(store, path)).rejects.toMatchObject(refused)
    })

    test('what is not there is missing, and the line names it', async () => {
      const reading = store.read('no/such')
      await expect(reading).rejects.toMatchObject({ problem: 'missing' })
      await expect(reading).rejects.toThrow(`${store.address}/no/such: there is no such`)
    })
  })
})
