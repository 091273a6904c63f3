import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import sharp from 'sharp'
import { afterAll, beforeAll } from 'vitest'
import { DataError } from '../../src/base/errors.ts'

/** A function that joins paths below a folder made for this test file and removed after it. */
export function useTempFolder(): (...parts: string[]) => string {
  let folder = ''
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'graft-data-'))
  })
  afterAll(() => rm(folder, { recursive: true, force: true }))
  return (...parts) => join(folder, ...parts)
}

/** Writes files with any content; the folders above them are made. */
export async function writeFiles(
  root: string,
  files: Record<string, string | Uint8Array>,
): Promise<void> {
  for (const [name, content] of Object.entries(files)) {
    await mkdir(dirname(join(root, name)), { recursive: true })
    await writeFile(join(root, name), content)
  }
}

/** Writes empty files: enough for whatever does not decode them. */
export function touch(root: string, names: readonly string[]): Promise<void> {
  return writeFiles(root, Object.fromEntries(names.map((name) => [name, ''])))
}

/** One color all over, as PNG. */
export function plainPng(
  red: number,
  green: number,
  blue: number,
  width = 4,
  height = 3,
): Promise<Uint8Array> {
  return sharp({
    create: { width, height, channels: 3, background: { r: red, g: green, b: blue } },
  })
    .png()
    .toBuffer()
}

/** The DataError that the promise rejects with; its message is checked to be one line. */
export async function dataErrorOf(promise: Promise<unknown>): Promise<DataError> {
  const error = await promise.then(
    () => new Error('it did not fail'),
    (reason: unknown) => reason,
  )
  if (!(error instanceof DataError)) throw error
  if (error.message.includes('\n')) throw new Error(`more than one line: ${error.message}`)
  return error
}
