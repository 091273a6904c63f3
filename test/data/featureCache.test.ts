import { randomUUID } from 'node:crypto'
import { readdir, readFile, rename, rm, stat, truncate, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { FeatureCache } from '../../src/data/featureCache.ts'
import { sampleKeys } from '../../src/data/sampleKeys.ts'
import { GraftError } from '../../src/gpu/errors.ts'
import { useTempFolder, writeFiles } from './pictures.ts'

const inTemp = useTempFolder()
const key = (n: number) => n.toString(16).padStart(32, '0')
const row = (n: number, width: number) => Float32Array.from({ length: width }, (_, i) => n + i / 8)
const filesOf = async (folder: string) =>
  (await readdir(folder, { recursive: true })).filter((name) => name.endsWith('.safetensors')).sort()

/** A cache with rows 0 … count - 1 in the table t. */
async function filled(count: number, width: number, options: { readonly limit?: number } = {}) {
  const cache = new FeatureCache({ folder: inTemp(randomUUID()), ...options })
  const table = cache.table('t', width)
  for (let n = 0; n < count; n++) expect(await table.add(key(n), row(n, width))).toBe(n)
  await table.flush()
  await table.close()
  return cache
}

/** What is found of some keys: by their numbers, the rows; and the table. */
async function find(cache: FeatureCache, numbers: readonly number[], width: number) {
  const table = cache.table('t', width)
  const rows = new Map<number, number[]>()
  const places = await table.find(new Map(numbers.map((n, i) => [key(n), i])), numbers.length, (i, found) =>
    rows.set(numbers[i] ?? Number.NaN, [...found]),
  )
  return { table, places, rows }
}

describe('a cache of rows', () => {
  it('gives back what was put in, in any order, and says what is not there', async () => {
    const cache = await filled(5, 3)
    const { table, places, rows } = await find(cache, [4, 9, 0, 2], 3)
    expect([...places].map((place) => place === -1)).toEqual([false, true, false, false])
    expect([...rows]).toEqual([0, 2, 4].map((n) => [n, [...row(n, 3)]]))
    const read = new Float32Array(9)
    await table.read([places[0] ?? 0, places[3] ?? 0, places[2] ?? 0], read)
    expect([...read]).toEqual([4, 2, 0].flatMap((n) => [...row(n, 3)]))
    await table.close()
    expect((await find(cache, [4], 3)).rows.size).toBe(1)
  })

  it('spreads many rows over files, and places stay true over all of them', async () => {
    const width = 2 ** 18 // 1 MiB a row, 32 a file
    const cache = await filled(70, width)
    expect(await filesOf(cache.folder)).toHaveLength(3)
    const { table, places, rows } = await find(cache, [69, 3, 40], width)
    expect(rows.size).toBe(3)
    const read = new Float32Array(3 * width)
    await table.read(places, read)
    expect([0, 1, 2].map((i) => read[i * width])).toEqual([69, 3, 40])
    await table.close()
  }, 60_000)

  it('adds to what is there, and keeps tables and widths apart', async () => {
    const cache = await filled(2, 3)
    const { table } = await find(cache, [0, 1], 3)
    expect(await table.add(key(7), row(7, 3))).toBe(2)
    await table.flush()
    const read = new Float32Array(6)
    await table.read([2, 1], read)
    expect([...read]).toEqual([...row(7, 3), ...row(1, 3)])
    await table.close()
    expect((await find(cache, [0, 1, 7], 3)).rows.size).toBe(3)
    expect([...(await cache.table('other', 3).find(new Map([[key(0), 0]]), 1, () => {}))]).toEqual([-1])
  })

  it.each<[string, (path: string) => Promise<void>]>([
    ['cut short', async (path) => truncate(path, (await stat(path)).size - 4)],
    ['empty', (path) => truncate(path, 0)],
    ['of something else', (path) => writeFile(path, 'not rows')],
    [
      'changed in one bit',
      async (path) => {
        const bytes = await readFile(path)
        bytes[bytes.length - 2] = (bytes[bytes.length - 2] ?? 0) ^ 1
        await writeFile(path, bytes)
      },
    ],
    [
      'with keys changed',
      async (path) => {
        const bytes = await readFile(path, 'latin1')
        await writeFile(path, bytes.replace(key(1), key(1).replace('0', 'z')), 'latin1')
      },
    ],
  ])('passes over a file that is %s, removes it, and takes its rows anew', async (_, spoil) => {
    const cache = await filled(3, 4)
    const [file = ''] = await filesOf(cache.folder)
    await spoil(join(cache.folder, file))
    const { table, rows } = await find(cache, [0, 1, 2], 4)
    expect(rows.size).toBe(0)
    expect(await filesOf(cache.folder)).toEqual([])
    await table.add(key(0), row(0, 4))
    await table.flush()
    await table.close()
    expect((await find(cache, [0, 1, 2], 4)).rows.size).toBe(1)
  })

  it('leaves nothing half-written in its way', async () => {
    const cache = await filled(1, 4)
    await writeFile(join(cache.folder, 't', '.graft-x.tmp'), 'half')
    expect((await find(cache, [0], 4)).rows.size).toBe(1)
  })

  it('stays within its limit: what was unused for longest goes first, and rows beyond it are refused', async () => {
    const bytesEach = 4 * 4096
    const cache = await filled(1, 4096, { limit: 3.5 * bytesEach })
    const add = async (name: string, n: number) => {
      const table = cache.table(name, 4096)
      await table.add(key(n), row(n, 4096))
      await table.flush()
      await table.close()
    }
    await add('u', 1)
    await add('v', 2)
    const old = new Date(Date.now() - 60_000)
    for (const [i, file] of (await filesOf(cache.folder)).entries())
      await utimes(join(cache.folder, file), old, new Date(old.getTime() + i))
    await (await find(cache, [0], 4096)).table.close()
    await add('w', 3)
    expect((await filesOf(cache.folder)).map((file) => file[0]).sort()).toEqual(['t', 'v', 'w'])
    const table = cache.table('big', 4 * 4096)
    await table.add(key(1), row(1, 4 * 4096))
    await expect(table.flush()).rejects.toThrow(
      new GraftError('write', `the features in ${cache.folder} would take more than ${3.5 * bytesEach} bytes`),
    )
    expect(await filesOf(cache.folder)).toHaveLength(3)
  })

  it('says what it cannot write', async () => {
    await writeFiles(inTemp(), { occupied: 'a file' })
    const table = new FeatureCache({ folder: inTemp('occupied') }).table('t', 2)
    await table.add(key(0), row(0, 2))
    await expect(table.flush()).rejects.toThrow(/^cannot make .*occupied/)
  })

  it('reads on from a file that somebody has removed', async () => {
    const cache = await filled(2, 3)
    const { table, places } = await find(cache, [0, 1], 3)
    await rm(cache.folder, { recursive: true })
    const read = new Float32Array(6)
    await table.read(places, read)
    expect([...read]).toEqual([...row(0, 3), ...row(1, 3)])
    await table.close()
  })
})

describe('keys', () => {
  const keysOf = (...names: string[]) => sampleKeys(names.map((name) => ({ source: inTemp('keys', name), name, label: 0 })))

  it('change with a file, and with nothing else', async () => {
    await writeFiles(inTemp('keys'), { a: 'one', b: 'one' })
    const [a, b, none] = await keysOf('a', 'b', 'none')
    expect(a).toMatch(/^[0-9a-f]{32}$/)
    expect(b).not.toBe(a)
    expect(none).toBe(null)
    expect(await keysOf('a')).toEqual([a])
    const { atime, mtime } = await stat(inTemp('keys', 'a'))
    // The same size and date as before, as `cp -p` or a reproducible archive would leave it.
    await writeFile(inTemp('keys', 'new'), 'two')
    await utimes(inTemp('keys', 'new'), atime, mtime)
    await rename(inTemp('keys', 'new'), inTemp('keys', 'a'))
    expect(await keysOf('a')).not.toEqual([a])
  })

  it('tell apart the members of an archive and pictures in memory', async () => {
    await writeFiles(inTemp('keys'), { 'x.tar': 'archive' })
    const part = (start: number, bytes: number) => ({ source: { path: inTemp('keys', 'x.tar'), start, bytes }, name: 'x', label: 0 })
    const inMemory = (text: string) => ({ source: new TextEncoder().encode(text), name: 'y', label: 0 })
    const keys = await sampleKeys([part(0, 2), part(0, 3), part(2, 2), inMemory('a'), inMemory('b')])
    expect(new Set(keys).size).toBe(5)
    expect(await sampleKeys([inMemory('a')])).toEqual([keys[3]])
  })
})
