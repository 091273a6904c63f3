import { mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { makeFolder, removeEmptyFolders } from '../../../src/base/node/folder.ts'

let place: string
beforeEach(async () => {
  place = await mkdtemp(join(tmpdir(), 'graft-folder-'))
})
afterEach(() => rm(place, { recursive: true, force: true }))

test('folders are made as far as they are missing, by several at once, and removed again', async () => {
  const path = join(place, 'a', 'b', 'c')
  const made = await Promise.all([path, path, path].map((path) => makeFolder(path)))
  expect(made).toContain(join(place, 'a'))
  expect((await stat(path)).isDirectory()).toBe(true)
  expect(await makeFolder(path)).toBe(null)
  expect(await makeFolder(join(place, 'a', 'd'), 0o700)).toBe(join(place, 'a', 'd'))
  expect((await stat(join(place, 'a', 'd'))).mode & 0o777).toBe(0o700)
  await removeEmptyFolders(path, join(place, 'a'))
  expect(await readdir(join(place, 'a')), 'what is not empty stays').toEqual(['d'])
  await removeEmptyFolders(join(place, 'a', 'd'), join(place, 'a'))
  expect(await readdir(place)).toEqual([])
})

test('a folder that cannot be made is an error, not an endless loop', async () => {
  await writeFile(join(place, 'file'), '')
  await expect(makeFolder(join(place, 'file'))).rejects.toThrow('EEXIST')
  await expect(makeFolder(join(place, 'file', 'a', 'b'))).rejects.toThrow('EEXIST')
  await expect(makeFolder('/proc/graft/a/b')).rejects.toThrow(/^E/)
})
