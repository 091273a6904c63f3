/**
 * The recipe for an operator of docs/add-an-operator.md, followed to the letter: in a copy of the
 * project its three files and its one line are written, and everything that reads the table has to
 * know the operator.
 */
import { execFile } from 'node:child_process'
import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { at } from '../src/base/at.ts'
import type { Explanation } from '../src/reference/explanation.ts'

const root = join(import.meta.dirname, '..')
const tests = ['test/ops/specifications.test.ts', 'test/reference/specifications.test.ts']
const parts = ['package.json', 'tsconfig.json', 'vitest.config.ts', 'src', 'shaders']
const adapter = process.env.GRAFT_ADAPTER ?? 'auto'

interface Written {
  readonly file: string
  readonly text: string
}

/** The code blocks of the recipe, each with the file that is named before it. */
async function recipe(): Promise<Written[]> {
  const page = await readFile(join(root, 'docs', 'add-an-operator.md'), 'utf8')
  const blocks = page.matchAll(/`([\w/]+\.\w+)`(?:(?!```).)*?\n {3}```\w+\n(.*?)\n {3}```/gs)
  return [...blocks].map(([, file = '', code = '']) => ({
    file,
    text: `${code.replace(/^ {3}/gm, '')}\n`,
  }))
}

let folder = ''
const write = (file: string, text: string) => writeFile(join(folder, file), text)
const readCopy = (file: string) => readFile(join(folder, file), 'utf8')

/** Runs a program of node_modules, or of the copy, in the copy. */
function run(script: string, ...args: string[]): Promise<{ code: number; text: string }> {
  // This test's own runner must not be taken for that of the tests in the copy.
  const kept = Object.entries(process.env).filter(([name]) => !name.startsWith('VITEST'))
  const options = { cwd: folder, env: Object.fromEntries(kept), maxBuffer: 2 ** 26 }
  return new Promise((resolve) => {
    execFile(process.execPath, [join(folder, script), ...args], options, (error, out, err) => {
      resolve({ code: error ? Number(error.code) : 0, text: out + err })
    })
  })
}
const typeCheck = () =>
  run('node_modules/typescript/bin/tsc', '--incremental', '--tsBuildInfoFile', 'tsc.json')
const check = () => run('src/cli/graft.js', 'check', 'leaky_relu', '--adapter', adapter)

let written: Written[] = []
beforeAll(async () => {
  written = await recipe()
  folder = await mkdtemp(join(tmpdir(), 'graft-operator-'))
  for (const part of [...parts, 'test/support', 'test/oracle', ...tests])
    await cp(join(root, part), join(folder, part), { recursive: true })
  await symlink(join(root, 'node_modules'), join(folder, 'node_modules'))
  for (const { file, text } of written.slice(0, 3)) {
    await mkdir(dirname(join(folder, file)), { recursive: true })
    await writeFile(join(folder, file), text, { flag: 'wx' }) // an existing file is an error
  }
})
afterAll(() => rm(folder, { recursive: true, force: true }))

describe('an operator added as the recipe says', () => {
  test('takes three files and one line', () => {
    expect(written.map(({ file }) => file)).toEqual([
      'shaders/leaky_relu/leaky_relu.wgsl',
      'src/ops/leakyRelu.ts',
      'src/reference/leakyRelu.ts',
      'src/reference/table.ts',
    ])
    expect(at(written, 3).text.trim().split('\n')).toHaveLength(1)
  })

  test('is unknown without its line in the table, and cannot be offered to users', async () => {
    const { code, text } = await check()
    expect(code).not.toBe(0)
    expect(text).toContain('there is nothing called leaky_relu to check')

    const functions = 'src/autograd/functions.ts'
    const before = await readCopy(functions)
    await write(
      functions,
      `import { leakyRelu as leakyReluOp } from '../ops/leakyRelu.ts'\n${before}
export function leakyRelu(x: Tensor): Tensor {
  return apply(leakyReluOp, { x }, { slope: 0.01 })
}\n`,
    )
    const offered = await typeCheck()
    await write(functions, before)
    expect(offered.code).not.toBe(0)
    expect(offered.text).toMatch(/src\/reference\/index\.ts.*\n.*'leakyRelu' is missing/)
    expect(offered.text.match(/error TS/g)).toHaveLength(1)
  })

  test('compiles with its line', async () => {
    const { file, text } = at(written, 3)
    await write(file, (await readCopy(file)) + text)
    expect(await typeCheck()).toEqual({ code: 0, text: '' })
  })

  test('is tested with all the others', async () => {
    const report = ['--reporter=json', '--outputFile=report.json']
    const { code, text } = await run(
      'node_modules/vitest/vitest.mjs',
      ...['run', ...tests, '-t', 'leakyRelu', ...report],
    )
    expect(code, text).toBe(0)
    const counts = JSON.parse(await readCopy('report.json')) as Record<string, unknown>
    expect(counts).toMatchObject({ numFailedTests: 0 })
    expect(counts.numPassedTests).toBeGreaterThan(8)
  })

  test('is checked by the command, which finds a wrong kernel', async () => {
    const right = await check()
    expect(right.text).toMatch(/leakyRelu +y +float64 .* ok +leaky_relu\/leaky_relu/)
    expect(right.code, right.text).toBe(0)

    const { file, text } = at(written, 0)
    await write(file, text.replace('x[i] > vec4f()', 'x[i] < vec4f()'))
    const wrong = await check()
    await write(file, text)
    expect(wrong.text).toContain('shaders/leaky_relu/leaky_relu.wgsl: ')
    expect(wrong.code).toBe(1)
  })

  test('has its numbers explained by the inspector', async () => {
    await write(
      'explain.ts',
      `import { apply } from './src/autograd/apply.ts'
import { createEngine } from './src/index.ts'
import { explainOutput } from './src/inspect/terms.ts'
import { leakyRelu } from './src/ops/leakyRelu.ts'

const engine = await createEngine({ adapter: '${adapter}' })
const recorder = engine.record({ values: true })
const x = engine.tensor(Float32Array.of(3, -2), [2])
apply(leakyRelu, { x }, { slope: 0.25 })
const { calls: [{ operator, attrs, tensors }] } = await recorder.finish()
console.log(JSON.stringify(explainOutput({ operator, attrs, tensors }, [1])))
engine.dispose()
`,
    )
    const { code, text } = await run('node_modules/tsx/dist/cli.mjs', 'explain.ts')
    expect(code, text).toBe(0)
    const line = text.split('\n').find((one) => one.startsWith('{'))
    expect(JSON.parse(line ?? text) as Explanation).toMatchObject({
      formula: 'y[1] = x where x > 0, else 0.25 · x',
      terms: [{ a: -2, b: 0.25 }],
      result: -0.5,
    })
  })
})
