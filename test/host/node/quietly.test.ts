import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, describe, expect, test } from 'vitest'
import { compiledCommand } from '../../support/compiled.ts'

const folder = mkdtempSync(join(tmpdir(), 'graft-quietly-'))
afterAll(() => rmSync(folder, { recursive: true }))

const program = `
  import { readFileSync, writeSync } from 'node:fs'
  const { quietly } = await import(process.argv[1])
  console.error('before')
  quietly(() => writeSync(2, 'a driver\\n'))
  quietly(() => {
    writeSync(2, 'another\\n')
    if (process.argv[2] === 'die') process.abort()
  })
  console.error('after')
  if (process.argv[2] === 'count') {
    const children = readFileSync('/proc/self/task/' + process.pid + '/children', 'utf8')
    console.error(children.trim().split(' ').length)
  }`

/** What a program leaves on its error stream: Node's own pipe, or a file that others write to. */
async function errorsOf(to: 'pipe' | 'file', ...args: readonly string[]): Promise<string> {
  const module = join(await compiledCommand(), '../../../dist/host/node/quietly.js')
  const path = join(folder, 'errors.txt')
  const file = openSync(path, 'w')
  writeSync(file, 'the shell\n')
  const child = spawn(
    process.execPath,
    ['--input-type=module', '-e', program, pathToFileURL(module).href, ...args],
    {
      env: { ...process.env, GRAFT_VERBOSE: args.includes('verbose') ? '1' : '' },
      stdio: ['ignore', 'ignore', to === 'pipe' ? 'pipe' : file],
    },
  )
  let text = ''
  child.stderr?.on('data', (chunk) => {
    text += chunk
  })
  await once(child, 'close')
  if (to === 'file') writeSync(file, 'the shell again\n')
  closeSync(file)
  return to === 'file' ? readFileSync(path, 'utf8') : text
}

describe.skipIf(process.platform !== 'linux')('what native code writes to the error stream', () => {
  test('is held back, and the stream is the same afterwards', async () => {
    expect(await errorsOf('pipe')).toBe('before\nafter\n')
    expect(await errorsOf('file')).toBe('the shell\nbefore\nafter\nthe shell again\n')
  })

  test('is shown if the process dies in it', async () => {
    expect(await errorsOf('pipe', 'die')).toMatch(/^before\n(?!a driver)[\s\S]*another\n/)
  })

  test('one process watches it, however often it is held back', async () => {
    expect(await errorsOf('pipe', 'count')).toBe('before\nafter\n1\n')
  })

  test('is shown to those who ask for it', async () => {
    expect(await errorsOf('pipe', 'verbose')).toBe('before\na driver\nanother\nafter\n')
  })
})
