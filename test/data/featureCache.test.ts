import { randomUUID } from 'node:crypto'
import { readdir, readFile, rename, rm, stat, truncate, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { GraftError } from '../../src/base/errors.ts'
import type { Source } from '../../src/data/dataset.ts'
import { FeatureCache } from '../../src/data/featureCache.ts'
import { contentKey, FileStates } from '../../src/data/imageKeys.ts'
import { useTempFolder, writeFiles } from './images.ts'

const inTemp = useTempFolder()
const bytes = (n: number) => new TextEncoder().encode(`image ${n}`)
const keys = (n: number) => ({ content: contentKey(bytes(n)), state: null })
const row = (n: number, width: number) => Float32Array.from({ length: width }, (_, i) => n + i / 8)
const filesOf = async (folder: string) =>
  (await readdir(folder, { recursive: true }))
    .filter((name) => name.endsWith('.safetensors'))
    .sort()

/** A cache with rows 0 … count - 1 in the table t. */
async function filled(count: number, width: number, options: { readonly limit?: number } = {}) {
  const cache = new FeatureCache({ folder: inTemp(randomUUID()), ...options })
  const table = cache.table('t', width)
  for (let n = 0; n < count; n++) expect(await table.add(keys(n), row(n, width))).toBe(n)
  await table.flush()
  await table.close()
  return cache
}

/** The table, and where it has the rows of some images; -1 where it has not. */
async function find(cache: FeatureCache, numbers: readonly number[], width: number, name = 't') {
  const table = cache.table(name, width)
  await table.open()
  const places: number[] = []
  for (const n of numbers) {
    const sought = await table.seek({ source: bytes(n), name: String(n) })
    places.push('place' in sought ? sought.place : -1)
  }
  return { table, places, found: numbers.filter((_, i) => places[i] !== -1) }
}

/** Of some images those that have rows. */
async function foundOf(cache: FeatureCache, numbers: readonly number[], width: number, name = 't') {
  const { table, found } = await find(cache, numbers, width, name)
  await table.close()
  return found
}

describe('a cache of rows', () => {
  it('gives back what was put in, in any order, and says what is not there', async () => {
    const cache = await filled(5, 3)
    const { table, places, found } = await find(cache, [4, 9, 0, 2], 3)
    expect(found).toEqual([4, 0, 2])
    const read = new Float32Array(9)
    await table.read([places[0] ?? 0, places[3] ?? 0, places[2] ?? 0], read)
    expect([...read]).toEqual([4, 2, 0].flatMap((n) => [...row(n, 3)]))
    expect(await table.seek({ source: bytes(9), name: '9' })).toEqual({
      bytes: bytes(9),
      keys: keys(9),
    })
    await table.close()
    expect(await foundOf(cache, [4], 3)).toEqual([4])
  })

  it('spreads many rows over files, and places stay true over all of them', async () => {
    const width = 2 ** 18 // 1 MiB a row, 32 a file
    const cache = await filled(70, width)
    expect(await filesOf(cache.folder)).toHaveLength(3)
    const { table, places, found } = await find(cache, [69, 3, 40], width)
    expect(found).toHaveLength(3)
    const read = new Float32Array(3 * width)
    await table.read(places, read)
    expect([0, 1, 2].map((i) => read[i * width])).toEqual([69, 3, 40])
    await table.close()
  }, 60_000)

  it('adds to what is there, has it at hand before it is written, and keeps tables and widths apart', async () => {
    const cache = await filled(2, 3)
    const { table } = await find(cache, [0, 1], 3)
    expect(await table.add(keys(7), row(7, 3))).toBe(2)
    expect(await table.seek({ source: bytes(7), name: '7' })).toEqual({ place: 2 })
    for (const _ of ['not written', 'written']) {
      const read = new Float32Array(6)
      await table.read([2, 1], read)
      expect([...read]).toEqual([...row(7, 3), ...row(1, 3)])
      await table.flush()
    }
    await table.close()
    expect(await foundOf(cache, [0, 1, 7], 3)).toEqual([0, 1, 7])
    expect(await foundOf(cache, [0], 3, 'other')).toEqual([])
  })

  it.each<[string, (path: string) => Promise<void>]>([
    ['cut short', async (path) => truncate(path, (await stat(path)).size - 4)],
    ['empty', (path) => truncate(path, 0)],
    ['of something else', (path) => writeFile(path, 'not rows')],
    [
      'changed in one bit',
      async (path) => {
        const content = await readFile(path)
        content[content.length - 2] = (content[content.length - 2] ?? 0) ^ 1
        await writeFile(path, content)
      },
    ],
    [
      'with keys changed',
      async (path) => {
        const text = await readFile(path, 'latin1')
        await writeFile(path, text.replace(keys(1).content, keys(2).content), 'latin1')
      },
    ],
  ])('passes over a file that is %s, removes it, and takes its rows anew', async (_, spoil) => {
    const cache = await filled(3, 4)
    const [file = ''] = await filesOf(cache.folder)
    await spoil(join(cache.folder, file))
    const { table, found } = await find(cache, [0, 1, 2], 4)
    expect(found).toEqual([])
    expect(await filesOf(cache.folder)).toEqual([])
    await table.add(keys(0), row(0, 4))
    await table.flush()
    await table.close()
    expect(await foundOf(cache, [0, 1, 2], 4)).toEqual([0])
  })

  it('leaves nothing half-written in its way', async () => {
    const cache = await filled(1, 4)
    await writeFile(join(cache.folder, 't', '.graft-x.tmp'), 'half')
    expect(await foundOf(cache, [0], 4)).toEqual([0])
  })

  it('stays within its limit: what was unused for longest goes first, and rows beyond it are refused', async () => {
    const bytesEach = 4 * 4096
    const cache = await filled(1, 4096, { limit: 3.5 * bytesEach })
    const add = async (name: string, n: number) => {
      const table = cache.table(name, 4096)
      await table.add(keys(n), row(n, 4096))
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
    await table.add(keys(1), row(1, 4 * 4096))
    await expect(table.flush()).rejects.toThrow(
      new GraftError(
        'write',
        `the features in ${cache.folder} would take more than ${3.5 * bytesEach} bytes`,
      ),
    )
    expect(await filesOf(cache.folder)).toHaveLength(3)
  })

  it('says what it cannot write', async () => {
    await writeFiles(inTemp(), { occupied: 'a file' })
    const table = new FeatureCache({ folder: inTemp('occupied') }).table('t', 2)
    await table.add(keys(0), row(0, 2))
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

describe('images', () => {
  /**
   * What a table with a row of each file finds in a later run without reading: null where it had to
   * read.
   */
  async function tableOf(sources: readonly Source[]) {
    const cache = new FeatureCache({ folder: inTemp(randomUUID()) })
    const table = cache.table('t', 1)
    for (const [i, source] of sources.entries()) {
      const sought = await table.seek({ source, name: 'x' })
      if ('keys' in sought) await table.add(sought.keys, Float32Array.of(i))
    }
    await table.flush()
    await table.close()
    return cache
  }
  const stateOf = (source: Source) => new FileStates().keyOf(source)

  it('are known by their content wherever they lie, and where the file is unchanged without being read', async () => {
    await writeFiles(inTemp('content'), { a: 'one', b: 'two' })
    const cache = await tableOf([inTemp('content', 'a')])
    const found = async (file: string) => {
      const table = cache.table('t', 1)
      await table.open()
      const sought = await table.seek({ source: inTemp('content', file), name: file })
      await table.close()
      return 'place' in sought
    }
    expect([await found('a'), await found('b')]).toEqual([true, false])
    await rename(inTemp('content', 'a'), inTemp('content', 'moved'))
    expect(await found('moved')).toBe(true)
    const { atime, mtime } = await stat(inTemp('content', 'moved'))
    // The same size and date as before, as `cp -p` or a reproducible archive would leave it.
    await writeFile(inTemp('content', 'moved'), 'new')
    await utimes(inTemp('content', 'moved'), atime, mtime)
    expect(await found('moved')).toBe(false)
    await expect(found('none')).rejects.toThrow(/^none: there is no such file/)
  })

  it('have states that change with a file, and with nothing else', async () => {
    await writeFiles(inTemp('states'), { a: 'one', b: 'one' })
    const [a, b, none] = await Promise.all(
      ['a', 'b', 'none'].map((name) => stateOf(inTemp('states', name))),
    )
    expect(a).toMatch(/^[0-9a-f]{32}$/)
    expect(b).not.toBe(a)
    expect([none, await stateOf(bytes(1))]).toEqual([null, null])
    expect(await stateOf(inTemp('states', 'a'))).toEqual(a)
    await writeFile(inTemp('states', 'new'), 'two')
    await rename(inTemp('states', 'new'), inTemp('states', 'a'))
    expect(await stateOf(inTemp('states', 'a'))).not.toEqual(a)
  })

  it('are told apart as members of an archive', async () => {
    await writeFiles(inTemp('states'), { 'x.tar': 'archive' })
    const states = new FileStates()
    const part = (start: number, length: number) =>
      states.keyOf({ path: inTemp('states', 'x.tar'), start, bytes: length })
    expect(new Set(await Promise.all([part(0, 2), part(0, 3), part(2, 2)])).size).toBe(3)
  })
})
