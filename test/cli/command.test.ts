import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { compiledCommand } from '../support/compiled.ts'
import { graft } from './run.ts'

test('help carries examples; the version is the package’s', async () => {
  const commands = ['train', 'evaluate', 'predict', 'export', 'weights', 'adapters', 'demo']
  const helps = await Promise.all(
    [['--help'], ...commands.map((name) => [name, '--help'])].map((args) => graft(args)),
  )
  for (const help of helps) {
    expect([help.code, help.complaints]).toEqual([0, []])
    expect(help.stdout).toMatch(/\nExamples:\n {2}node .*graft\.js \w+/)
  }
  for (const name of commands) expect(helps[0]?.stdout).toContain(`\n  ${name} `)
  const manifest = JSON.parse(await readFile('package.json', 'utf8')) as { version: string }
  expect((await graft(['--version'])).stdout).toBe(`${manifest.version}\n`)
})

test('a slip of the finger gets one line, with what may have been meant', async () => {
  const [command, option, argument] = await Promise.all(
    [
      ['trian', 'photos'],
      ['train', 'photos', '--epoch', '3'],
      ['predict', '--json'],
    ].map((args) => graft(args)),
  )
  expect([command?.code, option?.code, argument?.code]).toEqual([2, 2, 2])
  expect(command?.complaints).toEqual(["graft: unknown command 'trian' (Did you mean train?)"])
  expect(option?.complaints).toEqual(["graft: unknown option '--epoch' (Did you mean --epochs?)"])
  expect(argument?.complaints).toEqual(["graft: missing required argument 'run'"])
  expect(argument?.events()).toEqual([
    { type: 'error', code: 'usage', message: "missing required argument 'run'" },
  ])
})

test('a stack trace is for GRAFT_DEBUG alone', async () => {
  // Of two names: two trainings into one run folder at a time are another mistake.
  const runs = ['0', '1'].map((GRAFT_DEBUG) =>
    graft(['train', `nowhere${GRAFT_DEBUG}`], { env: { GRAFT_DEBUG } }),
  )
  const [plain, debug] = await Promise.all(runs)
  expect([plain?.complaints.length, debug?.code]).toEqual([1, 1])
  expect(debug?.stderr).toMatch(/\n {4}at /)
})

test('adapters says what there is, how to get the rest, and what auto takes', async () => {
  const { code, events } = await graft(['adapters', '--json'], { env: { GRAFT_ADAPTER: 'auto' } })
  expect(code).toBe(0)
  const { type, chosen, adapters } = events().at(-1) as {
    type: string
    chosen: string
    adapters: {
      kind: string
      found: boolean
      howTo: string
      limits: Record<string, number> | null
      features: string[] | null
    }[]
  }
  expect([type, ...adapters.map(({ kind }) => kind)]).toEqual([
    'result',
    'hardware',
    'lavapipe',
    'swiftshader',
  ])
  const first = adapters.find(({ found }) => found)
  expect(chosen).toBe(first?.kind)
  expect(first?.limits?.maxStorageBufferBindingSize).toBeGreaterThan(2 ** 20)
  for (const { found, howTo, features, limits } of adapters) {
    expect(howTo).not.toBe('')
    expect([features !== null, limits !== null]).toEqual([found, found])
  }
})

test('adapters minds which one is asked for', async () => {
  const kinds = ['hardware', 'lavapipe', 'swiftshader']
  const asked = await Promise.all(
    kinds.map((GRAFT_ADAPTER) => graft(['adapters', '--json'], { env: { GRAFT_ADAPTER } })),
  )
  for (const [i, { code, events, complaints }] of asked.entries()) {
    const { chosen, adapters } = events()[0] as {
      chosen?: string
      adapters: { kind: string; found: boolean }[]
    }
    const there = adapters.some(({ kind, found }) => found && kind === kinds[i])
    expect([code, chosen]).toEqual(there ? [0, kinds[i]] : [1, undefined])
    if (!there)
      expect(complaints).toEqual([
        `graft: there is no ${kinds[i]} adapter; the lines above say for each kind how to get it`,
      ])
  }
})

/** Prints the address of every module that Node loads. */
const watcher = `
  import { register } from 'node:module'
  register('data:text/javascript,' + encodeURIComponent(\`
    export async function load(url, context, next) {
      process._rawDebug(url)
      return next(url, context)
    }\`))`

async function modulesOf(...args: readonly string[]): Promise<string[]> {
  const { stderr } = await promisify(execFile)(process.execPath, [
    ...['--import', `data:text/javascript,${encodeURIComponent(watcher)}`],
    ...[await compiledCommand(), ...args],
  ])
  return stderr.split('\n').filter((line) => line.startsWith('file:'))
}

test('help loads no more than it prints, and a command none of the others', async () => {
  const [all, one] = await Promise.all([modulesOf('--help'), modulesOf('explain', '--help')])
  const computing =
    /node_modules\/(webgpu|sharp|preact|undici)\/|\/dist\/(gpu|ops|nn|weights|data)\//
  expect(all.some((url) => url.endsWith('/dist/cli/main.js'))).toBe(true)
  expect(all.filter((url) => /\/commands\//.test(url) || computing.test(url))).toEqual([])
  expect(one.filter((url) => /\/commands\//.test(url))).toEqual([
    expect.stringMatching(/explain\.js$/),
  ])
  expect(one.filter((url) => /node_modules\/(webgpu|sharp)\//.test(url))).toEqual([])
})
