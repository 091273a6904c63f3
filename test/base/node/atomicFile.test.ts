import { lstat, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { GraftError } from '../../../src/base/errors.ts'
import { removeTemporaryFiles, writeFileAtomic } from '../../../src/base/node/atomicFile.ts'

let folder = ''
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'graft-files-'))
})
afterEach(() => rm(folder, { recursive: true }))

async function failure(action: Promise<unknown>): Promise<GraftError> {
  const error = await action.then(
    () => null,
    (reason: unknown) => reason,
  )
  expect(error).toBeInstanceOf(GraftError)
  expect((error as GraftError).code).toBe('write')
  expect((error as GraftError).message).not.toMatch(/\n/)
  return error as GraftError
}

describe('writeFileAtomic', () => {
  test('writes bytes and text, new and over an old file, and leaves nothing else', async () => {
    const path = join(folder, 'a.bin')
    await writeFileAtomic(path, 'longer text, für alle')
    expect(await readFile(path, 'utf8')).toBe('longer text, für alle')
    await writeFileAtomic(path, Uint8Array.of(1, 0, 255))
    expect([...(await readFile(path))]).toEqual([1, 0, 255])
    expect(await readdir(folder)).toEqual(['a.bin'])
  })

  test('replaces the file instead of writing into it', async () => {
    const path = join(folder, 'a')
    await writeFile(path, 'old')
    const before = await lstat(path)
    await writeFileAtomic(path, 'new')
    expect((await lstat(path)).ino).not.toBe(before.ino)
  })

  test('takes many writers of one file at once; the last whole one stays', async () => {
    const path = join(folder, 'a')
    const texts = Array.from({ length: 20 }, (_, i) => String(i).repeat(10_000))
    await Promise.all(texts.map((text) => writeFileAtomic(path, text)))
    expect(texts).toContain(await readFile(path, 'utf8'))
    expect(await readdir(folder)).toEqual(['a'])
  })

  test('keeps a link and replaces its target', async () => {
    await writeFile(join(folder, 'target'), 'old')
    await symlink('target', join(folder, 'link'))
    await writeFileAtomic(join(folder, 'link'), 'new')
    expect((await lstat(join(folder, 'link'))).isSymbolicLink()).toBe(true)
    expect(await readFile(join(folder, 'target'), 'utf8')).toBe('new')
  })

  test.skipIf(process.platform === 'win32')('writes to a device without replacing it', async () => {
    await writeFileAtomic('/dev/null', 'gone')
    expect((await lstat('/dev/null')).isCharacterDevice()).toBe(true)
  })

  test('leaves the old file and no temporary one when writing fails', async () => {
    const path = join(folder, 'a')
    await writeFile(path, 'old')
    const error = await failure(writeFileAtomic(path, 42 as unknown as string))
    expect(error.message).toContain(path)
    expect(await readFile(path, 'utf8')).toBe('old')
    expect(await readdir(folder)).toEqual(['a'])
  })

  test('leaves no temporary file when the last step, the rename, fails', async () => {
    const error = await failure(writeFileAtomic(join(folder, 'n'.repeat(300)), 'text'))
    expect(error.cause).toMatchObject({ syscall: 'rename' })
    expect(error.message).toMatch(/too long/)
    expect(await readdir(folder)).toEqual([])
  })

  test('says so when the path is a folder, or its folder does not exist', async () => {
    await mkdir(join(folder, 'sub'))
    expect((await failure(writeFileAtomic(join(folder, 'sub'), 'text'))).message).toMatch(
      /sub: it is a folder/,
    )
    expect((await failure(writeFileAtomic(join(folder, 'none', 'a'), 'text'))).message).toMatch(
      /no folder .*none/,
    )
    expect(await readdir(folder)).toEqual(['sub'])
  })

  test('what a killed process left behind is removed, and nothing else', async () => {
    for (const name of ['.graft-0.tmp', '.graft-0', 'a.tmp', 'kept'])
      await writeFile(join(folder, name), '')
    await removeTemporaryFiles(folder)
    expect((await readdir(folder)).sort()).toEqual(['.graft-0', 'a.tmp', 'kept'])
    await removeTemporaryFiles(join(folder, 'nowhere'))
  })

  test('several arrays are written one after the other', async () => {
    await writeFileAtomic(join(folder, 'parts'), [
      Uint8Array.of(1, 2),
      new Uint8Array(0),
      Uint8Array.of(3),
    ])
    expect([...(await readFile(join(folder, 'parts')))]).toEqual([1, 2, 3])
  })
})
