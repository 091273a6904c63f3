import {
  chmod,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  stat,
  truncate,
  writeFile,
} from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { unpackSwiftShader } from '../../../src/host/node/swiftshader.ts'

const linux = process.platform === 'linux' && process.arch === 'x64'
if (!linux) console.log('skipping tests of SwiftShader: its npm package is for Linux x64')

describe.skipIf(!linux)('unpacking SwiftShader', () => {
  const variables = ['XDG_CACHE_HOME', 'GRAFT_CACHE', 'TMPDIR'] as const
  const before = variables.map((name) => process.env[name])
  let home: string

  beforeEach(async () => {
    home = await mkdtemp(join(tmpdir(), 'graft-unpack-test-'))
    process.env.XDG_CACHE_HOME = join(home, 'cache')
    delete process.env.GRAFT_CACHE
    process.env.TMPDIR = join(home, 'tmp')
    await mkdir(process.env.TMPDIR)
  })

  afterEach(async () => {
    for (const [i, name] of variables.entries()) {
      const value = before[i]
      if (value === undefined) delete process.env[name]
      else process.env[name] = value
    }
    await rm(home, { recursive: true, force: true })
  })

  test('happens once, into one folder that holds what is needed', async () => {
    const { icd, loader } = await unpackSwiftShader()
    expect(await readdir(join(home, 'cache', 'graft'))).toEqual([
      expect.stringMatching(/^swiftshader-[0-9a-f]{16}$/),
    ])
    expect((await readdir(dirname(icd))).sort()).toEqual([
      'complete',
      'libvk_swiftshader.so',
      'libvulkan.so.1',
      'vk_swiftshader_icd.json',
    ])
    for (const path of [icd, loader]) expect((await stat(path)).uid).toBe(process.getuid?.())
    const { ino } = await stat(loader)
    expect(await unpackSwiftShader()).toEqual({ icd, loader })
    expect((await stat(loader)).ino).toBe(ino)
  })

  test('may happen several times at once', async () => {
    const found = await Promise.all([1, 2, 3].map(() => unpackSwiftShader()))
    expect(new Set(found.map(({ icd }) => icd)).size).toBe(1)
    expect(await readdir(join(home, 'cache', 'graft'))).toHaveLength(1)
  })

  const damages: Record<string, (folder: string) => Promise<void>> = {
    'cut short': (folder) => truncate(join(folder, 'libvk_swiftshader.so'), 100),
    'zeros of the right length': async (folder) => {
      const path = join(folder, 'libvk_swiftshader.so')
      await writeFile(path, new Uint8Array((await stat(path)).size))
    },
    'a missing file': (folder) => rm(join(folder, 'libvulkan.so.1')),
    'an unpacking that was interrupted': (folder) => rm(join(folder, 'complete')),
  }
  test.for(Object.entries(damages))('%s: made anew', async ([, damage]) => {
    const { icd } = await unpackSwiftShader()
    const library = join(dirname(icd), 'libvk_swiftshader.so')
    const good = await readFile(library)
    await damage(dirname(icd))
    expect(await unpackSwiftShader()).toMatchObject({ icd })
    expect(good.equals(await readFile(library))).toBe(true)
    await expect(stat(join(dirname(icd), 'libvulkan.so.1'))).resolves.toBeDefined()
  })

  test('a cache that cannot be written gives way to a folder of the user under the temporary one', async () => {
    process.env.XDG_CACHE_HOME = '/dev/null'
    const { icd } = await unpackSwiftShader()
    expect(icd).toContain(join(home, 'tmp', 'graft-cache-'))
  })

  test('a temporary folder that others can write is not trusted', async () => {
    process.env.XDG_CACHE_HOME = '/dev/null'
    const root = join(home, 'tmp', `graft-cache-${process.getuid?.()}`)
    await mkdir(root)
    await chmod(root, 0o777)
    await expect(unpackSwiftShader()).rejects.toThrow(
      /could not be unpacked into \/dev\/null\/graft \(.+\) or .+ \(.*someone else/,
    )
    expect(await readdir(root)).toEqual([])
  })

  test('without the package, or without its archive, it says what to install', async () => {
    const missing = () => {
      throw new Error('not found')
    }
    await expect(unpackSwiftShader(missing)).rejects.toThrow(
      'the npm package @sparticuz/chromium is not installed',
    )
    const other = () => join(home, '@sparticuz/chromium/build/cjs/index.cjs')
    await expect(unpackSwiftShader(other)).rejects.toThrow(
      'carries no bin/swiftshader.tar.br: install version 143 of it',
    )
  })

  test('an archive that is damaged leaves nothing behind', async () => {
    const bin = join(home, '@sparticuz/chromium/bin')
    await mkdir(bin, { recursive: true })
    await writeFile(join(bin, 'swiftshader.tar.br'), 'no archive')
    await expect(
      unpackSwiftShader(() => join(home, '@sparticuz/chromium/build/cjs/index.cjs')),
    ).rejects.toThrow('could not be unpacked')
    expect(await readdir(join(home, 'cache', 'graft')).catch(() => [])).toEqual([])
  })
})
