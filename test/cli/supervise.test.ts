import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { supervise } from '../../src/cli/supervise.ts'

let folder = ''
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'graft-supervise-'))
})
afterAll(() => rm(folder, { recursive: true }))

/** Supervises a program that dies so many times before it ends, and counts how often it started. */
async function supervised(name: string, deaths: number, begins: boolean) {
  const [program, starts] = [join(folder, `${name}.mjs`), join(folder, `${name}.txt`)]
  await writeFile(
    program,
    `import { appendFileSync, readFileSync } from 'node:fs'
    appendFileSync(${JSON.stringify(starts)}, '.')
    const die = () => process.kill(process.pid, 'SIGKILL')
    if (readFileSync(${JSON.stringify(starts)}).length > ${deaths}) process.exit(7)
    ${begins ? "process.send('ready', die)" : 'die()'}`,
  )
  const [command, code] = [process.argv[1], process.exitCode]
  process.argv[1] = program
  const said: string[] = []
  try {
    await supervise((text) => said.push(text), 0)
    return { code: process.exitCode, said, starts: (await readFile(starts)).length }
  } finally {
    process.argv[1] = command ?? ''
    process.exitCode = code
  }
}

test('a process that dies of its work is followed by another one, however often', async () => {
  const { code, said, starts } = await supervised('work', 7, true)
  expect([code, said.length, starts]).toEqual([7, 7, 8])
  expect(said[0]).toMatch(/has died \(SIGKILL.*another one goes on/)
})

test('a process that dies before it works is not started for ever', async () => {
  await expect(supervised('start', 9, false)).rejects.toThrow(/dies as soon as it starts \(SIGKILL/)
})
