/** The order of the house: imports, the length of files and lines, the spelling of words. */
import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, test } from 'vitest'
import { filesIn } from './support/sources.ts'

const root = join(import.meta.dirname, '..')
const run = promisify(execFile)

interface Cruise {
  readonly summary: {
    readonly totalCruised: number
    readonly violations: readonly {
      readonly from: string
      readonly to: string
      readonly rule: { readonly name: string }
    }[]
  }
}

/** Files under some folders that people read and write, with their lines. */
async function sources(...folders: string[]) {
  const files = await filesIn(folders, /\.(tsx?|c?js|wgsl|css|html)$/)
  return files.map(({ path, text }) => ({ name: path, lines: text.trimEnd().split('\n') }))
}

describe('the structure', () => {
  test('imports form no circle and never go up, types included', async () => {
    const cruise = join(root, 'node_modules', 'dependency-cruiser', 'bin', 'dependency-cruise.mjs')
    // Into a file: what it prints into a pipe may be cut off when it exits.
    const folder = await mkdtemp(join(tmpdir(), 'graft-structure-'))
    const file = join(folder, 'imports.json')
    const options = ['--config', '.dependency-cruiser.cjs', '--output-type', 'json']
    // It exits with the number of errors, which the file names.
    await run(process.execPath, [cruise, 'src', ...options, '--output-to', file], {
      cwd: root,
    }).catch(() => null)
    const { summary } = JSON.parse(await readFile(file, 'utf8')) as Cruise
    await rm(folder, { recursive: true })
    expect(summary.totalCruised).toBeGreaterThan(300)
    const found = summary.violations.map(({ rule, from, to }) => `${rule.name}: ${from} -> ${to}`)
    expect(found).toEqual([])
  })

  test('no file is longer than 400 lines', async () => {
    const long = (await sources('src', 'shaders', 'test', 'bench', 'examples'))
      .filter(({ lines }) => lines.length > 400)
      .map(({ name, lines }) => `${name}: ${lines.length}`)
    expect(long).toEqual([])
  })

  test('no line is longer than 100 columns', async () => {
    const long = (await sources('src', 'shaders', 'examples')).flatMap(({ name, lines }) =>
      lines.flatMap((line, i) => ([...line].length > 100 ? [`${name}:${i + 1}`] : [])),
    )
    expect(long).toEqual([])
  })

  test('docs/architecture.md shows every room, in the order that imports follow', async () => {
    const page = await readFile(join(root, 'docs', 'architecture.md'), 'utf8')
    const picture = page.split('```')[1] ?? ''
    const rooms = [...picture.matchAll(/^.{20}([a-z]+) {3,}\S/gm)].map(([, name]) => name)
    const { forbidden } = createRequire(import.meta.url)('../.dependency-cruiser.cjs') as {
      readonly forbidden: readonly { readonly name: string }[]
    }
    const order = forbidden.flatMap(({ name }) => /^up from ([a-z]+)$/.exec(name)?.[1] ?? [])
    expect(rooms.reverse()).toEqual([...order, 'cli'])
  })
})
