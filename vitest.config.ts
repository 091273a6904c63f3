import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path/posix'
import { defineConfig } from 'vitest/config'

const tests = readdirSync('test', { recursive: true, encoding: 'utf8' })
  .map((name) => join('test', name.replaceAll('\\', '/')))
  .filter((name) => name.endsWith('.test.ts'))

const computesHere = ['test/support/engine.ts', 'test/support/lentDevice.ts']

/** Whether a file of test/ computes on what tests share, itself or by what it imports. */
function usesEngine(file: string): boolean {
  const text = readFileSync(file, 'utf8')
  const imported = [...text.matchAll(/^(?:import|export) (?!type\b)[^']* from '(\..+\.ts)'/gm)]
    .map(([, path = '']) => join(file, '..', path))
    .filter((path) => path.startsWith('test/') && existsSync(path))
  return imported.some((path) => computesHere.includes(path) || usesEngine(path))
}

const shared = {
  pool: 'forks',
  isolate: false,
  testTimeout: 120_000,
  hookTimeout: 120_000,
  // A page in a browser shares two cores with a software adapter: it may answer late.
  expect: { poll: { timeout: 30_000 } },
} as const

/**
 * Two parts, one after the other. What computes in the test's own process runs in one worker with
 * one engine, since several software adapters on two cores starve each other. The rest mostly waits
 * for processes that it started, so two files of it run at a time.
 */
export default defineConfig({
  test: {
    projects: [
      {
        test: {
          ...shared,
          name: 'engine',
          include: tests.filter(usesEngine),
          maxWorkers: 1,
          sequence: { groupOrder: 0 },
        },
      },
      {
        test: {
          ...shared,
          name: 'processes',
          globalSetup: 'test/support/leftOut.ts',
          include: tests.filter((file) => !usesEngine(file)),
          maxWorkers: 2,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
})
