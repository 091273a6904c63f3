import { existsSync } from 'node:fs'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { WeightsError } from '../../src/base/errors.ts'
import { loadWeights } from '../../src/weights/load.ts'
import { archive } from './hostile/build.ts'
import { type HostileFile, hostile, lay, sound } from './hostile/index.ts'

let root = ''
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'graft-hostile-'))
})
afterAll(() => rm(root, { recursive: true }))

/** Opens a file in a folder of its own; what comes of it, and whether the folder is as it was. */
async function open(file: HostileFile): Promise<unknown> {
  const folder = join(root, 'one')
  const path = await lay(folder, file)
  const outcome = await loadWeights(path).catch((error: unknown) => error)
  expect((await readdir(folder)).sort(), 'nothing is written').toEqual(
    Object.keys(file.files).sort(),
  )
  await rm(folder, { recursive: true })
  if (outcome instanceof Error) expectOneLine(outcome, path)
  return outcome
}

function expectOneLine(error: Error, path: string): void {
  if (!(error instanceof WeightsError)) throw error
  expect(error.message.startsWith(`${path}: `)).toBe(true)
  expect(error.message).not.toMatch(/\p{Cc}/u)
  expect(error.message.length - path.length).toBeLessThan(600)
}

/** The files by the first word of their titles, so that one test stands for one format. */
const formats = new Map<string, HostileFile[]>()
for (const file of hostile) {
  const format = file.title.slice(0, file.title.indexOf(':'))
  formats.set(format, [...(formats.get(format) ?? []), file])
}

describe('hostile files', () => {
  test('are more than enough', () => {
    expect(hostile.length).toBeGreaterThan(200)
    expect(new Set(hostile.map(({ title }) => title)).size).toBe(hostile.length)
  })

  test.each([...formats])(
    'of the format %s are refused with one typed error each, and nothing is executed or written',
    async (_, files) => {
      const read: string[] = []
      for (const file of files)
        if (!((await open(file)) instanceof WeightsError)) read.push(file.title)
      expect(read).toEqual([])
      expect(existsSync('pwned')).toBe(false)
    },
  )

  test.each(sound)('$title: the file that others are made from is read', async (file) => {
    expect(await open(file)).toMatchObject({ tensors: expect.anything() })
  })

  test.each(sound)(
    '$title: whatever bytes of it are changed, it is read or refused with a WeightsError',
    async (file) => {
      const names = Object.keys(file.files)
      const change = fc.record({
        file: fc.nat({ max: names.length - 1 }),
        at: fc.nat(),
        byte: fc.nat({ max: 255 }),
      })
      await fc.assert(
        fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 4 }), async (changes) => {
          const files = Object.fromEntries(
            Object.entries(file.files).map(([name, bytes]) => [name, bytes.slice()]),
          )
          for (const { file: i, at, byte } of changes) {
            const bytes = files[names[i] ?? ''] ?? new Uint8Array(1)
            bytes[at % bytes.length] = byte
          }
          await open({ title: file.title, files })
        }),
        { numRuns: 150 },
      )
    },
  )

  test('pickles of random opcodes are read or refused with a WeightsError', async () => {
    const opcodes = fc.constantFrom(
      ...')]}(.012NRQbaestud\x85\x86\x87\x81\x93\x94\x88\x89\x8f\x90\x91'
        .split('')
        .map((c) => c.charCodeAt(0)),
      0x4b,
      0x71,
      0x68,
      0x58,
    )
    await fc.assert(
      fc.asyncProperty(fc.array(opcodes, { maxLength: 40 }), async (program) => {
        await open({
          title: 'random',
          files: { 'a.pth': archive(Uint8Array.from([0x80, 2, ...program, 0x2e])) },
        })
      }),
      { numRuns: 300 },
    )
  })
})
