import { execFile } from 'node:child_process'
import { mkdtemp, readdir, rm, truncate } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { describeAdapters, nodePlatform } from '../../../src/gpu/node/platform.ts'
import { unpackSwiftShader } from '../../../src/gpu/node/swiftshader.ts'

const worker = fileURLToPath(new URL('./worker.ts', import.meta.url))
const linux = process.platform === 'linux' && process.arch === 'x64'
const reports = await describeAdapters()
const has = (kind: string) => reports.some((report) => report.kind === kind && report.found)

let cache: string
beforeAll(async () => {
  cache = await mkdtemp(join(tmpdir(), 'graft-cache-test-'))
})
afterAll(() => rm(cache, { recursive: true, force: true }))

/** A fresh process that opens each of the adapters in turn; it has to exit by itself. */
async function open(choices: string[], env: NodeJS.ProcessEnv = {}): Promise<unknown[]> {
  const run = promisify(execFile)
  const { stdout } = await run(process.execPath, ['--import', 'tsx', worker, ...choices], {
    env: { ...process.env, XDG_CACHE_HOME: cache, ...env },
  })
  return stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as unknown)
}

const works = (kind: string) => ({ kind, y: [0, 2] })

describe('every kind of adapter in a process of its own', () => {
  test.skipIf(!linux)('SwiftShader comes from npm alone, whatever else is installed', async () => {
    expect(await open(['swiftshader'])).toEqual([works('swiftshader')])
    expect(await open(['swiftshader'], { VK_ICD_FILENAMES: '/nowhere.json', VK_DRIVER_FILES: '/nowhere.json' })).toEqual([
      works('swiftshader'),
    ])
  })

  test.skipIf(!has('lavapipe'))('lavapipe, also where the environment names no driver that exists', async () => {
    expect(await open(['lavapipe'])).toEqual([works('lavapipe')])
    expect(await open(['lavapipe'], { VK_ICD_FILENAMES: '/nowhere.json' })).toEqual([works('lavapipe')])
  })

  test.skipIf(!has('lavapipe') || !linux)('one after the other in one process', async () => {
    expect(await open(['lavapipe', 'swiftshader', 'lavapipe'])).toEqual([works('lavapipe'), works('swiftshader'), works('lavapipe')])
  })

  test('auto takes the first kind that is there', async () => {
    expect(await open(['auto'])).toEqual([works(reports.find((report) => report.found)?.kind ?? 'none')])
  })

  test.skipIf(has('hardware'))('a kind that is not there says what was tried and how to get it', async () => {
    const [{ code, message } = { code: '', message: '' }] = (await open(['hardware'])) as { code: string; message: string }[]
    expect(code).toBe('adapter')
    expect(message).toMatch(/^no hardware adapter\. hardware: .+; install the driver of your GPU.*\.$/)
  })

  test('an unknown kind is named with those there are', async () => {
    await expect(nodePlatform.requestAdapter('metal' as 'auto')).rejects.toThrow(
      /no adapter 'metal'; there are auto, hardware, lavapipe, swiftshader/,
    )
  })
})

describe.skipIf(!linux)('unpacking SwiftShader', () => {
  test('happens once, also when two processes begin together, and a damaged copy is made anew', async () => {
    const before = process.env.XDG_CACHE_HOME
    process.env.XDG_CACHE_HOME = join(cache, 'unpack')
    try {
      const [a, b] = await Promise.all([unpackSwiftShader(), unpackSwiftShader()])
      expect(a).toEqual(b)
      expect(await readdir(join(cache, 'unpack', 'graft'))).toEqual([expect.stringMatching(/^swiftshader-[0-9a-f]{16}$/)])
      const library = a.icd.replace('vk_swiftshader_icd.json', 'libvk_swiftshader.so')
      await truncate(library, 100)
      await unpackSwiftShader()
      expect(await open(['swiftshader'], { XDG_CACHE_HOME: join(cache, 'unpack') })).toEqual([works('swiftshader')])
    } finally {
      if (before === undefined) delete process.env.XDG_CACHE_HOME
      else process.env.XDG_CACHE_HOME = before
    }
  })

  test('without the package it says which to install', async () => {
    const missing = () => {
      throw new Error('not found')
    }
    await expect(unpackSwiftShader(missing)).rejects.toThrow('the npm package @sparticuz/chromium is not installed')
  })
})
