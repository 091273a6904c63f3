import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { describeAdapters, requestAdapter } from '../../../src/host/node/adapters.ts'
import { loadDawn, namedDrivers } from '../../../src/host/node/dawn.ts'
import { unpackSwiftShader } from '../../../src/host/node/swiftshader.ts'

const worker = fileURLToPath(new URL('./worker.ts', import.meta.url))
const thread = fileURLToPath(new URL('./thread.ts', import.meta.url))
const linux = process.platform === 'linux' && process.arch === 'x64'
const reports = await describeAdapters()
const has = (kind: string) => reports.some((report) => report.kind === kind && report.found)
if (!linux) console.log('skipping tests of SwiftShader: its npm package is for Linux x64')
for (const { kind, found, detail } of reports)
  if (kind === 'lavapipe' && !found) console.log(`skipping tests of lavapipe: ${detail}`)

let cache: string
beforeAll(async () => {
  cache = await mkdtemp(join(tmpdir(), 'graft-cache-test-'))
})
afterAll(() => rm(cache, { recursive: true, force: true }))

/** A fresh process that opens each of the adapters in turn; it has to exit by itself. */
async function open(
  choices: string[],
  env: NodeJS.ProcessEnv = {},
  script = worker,
): Promise<unknown[]> {
  const run = promisify(execFile)
  const { stdout } = await run(process.execPath, ['--import', 'tsx', script, ...choices], {
    env: { ...process.env, GRAFT_CACHE: cache, ...env },
  })
  return stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as unknown)
}

const names = { lavapipe: /llvmpipe/, swiftshader: /SwiftShader/ }
const works = (kind: string) => ({ kind, y: [0, 2] })

describe('every kind of adapter in a process of its own', () => {
  test.skipIf(!linux)('SwiftShader comes from npm alone, whatever else is installed', async () => {
    expect(await open(['swiftshader'])).toEqual([works('swiftshader')])
    expect(
      await open(['swiftshader'], {
        VK_ICD_FILENAMES: '/nowhere.json',
        VK_DRIVER_FILES: '/nowhere.json',
      }),
    ).toEqual([works('swiftshader')])
  })

  test.skipIf(!has('lavapipe'))(
    'lavapipe, also where the environment names no driver that exists',
    async () => {
      expect(await open(['lavapipe'])).toEqual([works('lavapipe')])
      expect(await open(['lavapipe'], { VK_ICD_FILENAMES: '/nowhere.json' })).toEqual([
        works('lavapipe'),
      ])
    },
  )

  test.skipIf(!has('lavapipe') || !linux)('one after the other in one process', async () => {
    expect(await open(['lavapipe', 'swiftshader', 'lavapipe'])).toEqual([
      works('lavapipe'),
      works('swiftshader'),
      works('lavapipe'),
    ])
  })

  test.skipIf(!has('lavapipe') || !linux)(
    'both at once, and the environment is as before',
    async () => {
      const before = namedDrivers()
      const choices = ['lavapipe', 'swiftshader', 'lavapipe', 'swiftshader'] as const
      const found = await Promise.all(choices.map((choice) => requestAdapter(choice)))
      expect(found.map(({ adapter }) => adapter.info.description)).toEqual(
        choices.map((choice) => expect.stringMatching(names[choice])),
      )
      expect(namedDrivers()).toEqual(before)
    },
  )

  test.skipIf(!linux)(
    'a worker thread gets the kind it asks for, or hears what stands in the way',
    async () => {
      expect(await open(['shared', 'swiftshader'], {}, thread)).toEqual([works('swiftshader')])
      const [{ message } = { message: '' }] = (await open(['own', 'swiftshader'], {}, thread)) as {
        message: string
      }[]
      expect(message).toContain('SHARE_ENV')
    },
  )

  test.skipIf(!linux || has('hardware'))(
    'auto stays with the driver that the environment names, where it works',
    async () => {
      const { icd } = await unpackSwiftShader()
      const loader = has('lavapipe') ? {} : { LD_LIBRARY_PATH: dirname(icd) }
      expect(
        await open(['auto'], { VK_DRIVER_FILES: icd, VK_ICD_FILENAMES: icd, ...loader }),
      ).toEqual([works('swiftshader')])
    },
  )

  test('auto takes the first kind that is there', async () => {
    expect(await open(['auto'])).toEqual([
      works(reports.find((report) => report.found)?.kind ?? 'none'),
    ])
  })

  test.skipIf(has('hardware'))(
    'a kind that is not there says what was tried and how to get it',
    async () => {
      const [{ code, message } = { code: '', message: '' }] = (await open(['hardware'])) as {
        code: string
        message: string
      }[]
      expect(code).toBe('adapter')
      expect(message).toMatch(
        /^no hardware adapter\. hardware: .+; install the driver of your GPU.*\. GRAFT_VERBOSE=1 shows what the drivers themselves print\.$/,
      )
    },
  )

  test('a Dawn that does not load says why, and what to do', async () => {
    const broken = () =>
      Promise.reject(new Error("Cannot find module 'dawn.node'\nRequire stack: …"))
    await expect(loadDawn(broken)).rejects.toThrow(
      /^the package webgpu does not load on .+: Cannot find module 'dawn.node' \(reinstall it/,
    )
  })

  test('every kind is reported, in the order in which auto takes them', () => {
    expect(reports.map(({ kind }) => kind).sort()).toEqual(['hardware', 'lavapipe', 'swiftshader'])
    for (const { found, adapter, detail, howTo } of reports) {
      expect(adapter !== null).toBe(found)
      expect(detail).not.toBe('')
      expect(howTo).not.toBe('')
    }
  })

  test('an unknown kind is named with those there are', async () => {
    await expect(requestAdapter('metal' as 'auto')).rejects.toThrow(
      /no adapter 'metal'; there are auto, hardware, lavapipe, swiftshader/,
    )
  })
})
