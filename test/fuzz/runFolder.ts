/**
 * Damaged run folders, as somebody may hand one on, and what the commands say about them. The
 * commands run in this process.
 */
import { cp, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import fc from 'fast-check'
import { at } from '../../src/base/at.ts'
import { Random } from '../../src/base/random.ts'
import { writeRunTrust } from '../../src/train/runFolder.ts'
import { spreadOf } from '../../src/train/spread.ts'
import type { Trust } from '../../src/train/trust.ts'
import { graftHere, runHere } from '../cli/runHere.ts'
import { narrowWeights } from '../support/narrowWeights.ts'
import { damaged, damages } from './mutations.ts'

/** The files of a run that are damaged, one at a time. */
export const runFileNames = [
  'config.json',
  'metrics.jsonl',
  'trust.json',
  'weights.safetensors',
  'checkpoints/epoch.safetensors',
] as const
type RunFile = (typeof runFileNames)[number]

export const commandNames = [
  'explain',
  'predict',
  'evaluate',
  'report',
  'inspect',
  'resume',
] as const
export type CommandName = (typeof commandNames)[number]

const markup = '<script>alert(1)</script>'

/** What stands in the place of a value; `deep` becomes brackets that no parser survives unasked. */
const deep = 'deep-brackets'
const values: readonly unknown[] = [
  null,
  true,
  0,
  -1,
  0.5,
  1e9,
  1e308,
  2 ** 53,
  '',
  'x',
  '__proto__',
  'constructor',
  markup,
  'a\u202eb\u001b[2J\n',
  'y'.repeat(100_000),
  [],
  [[]],
  {},
  { length: 5 },
  deep,
]

/** A run of two epochs of a small network, with its images beside it. */
export async function makeRun(folder: string, photos: string): Promise<string> {
  const weights = await narrowWeights(join(folder, 'start.safetensors'))
  const run = join(folder, 'run')
  const told = await runHere('train', photos, '--weights', weights, '--epochs', '2', '--out', run)
  if (told.code !== 0) throw new Error(told.stderr)
  await writeRunTrust(run, madeUpTrust())
  return run
}

/** What more images would have taught of that network's classes. */
function madeUpTrust(): Trust {
  const random = new Random(1)
  const spread = (width: number) => {
    const values = () => Float32Array.from({ length: width }, () => random.normal())
    return spreadOf(
      Array.from({ length: 25 }, (_, i) => ({ label: i % 5, values: values() })),
      5,
    )
  }
  const scale = { mean: 3, deviation: 1 }
  return {
    temperature: 1,
    spreads: { look: spread(20), features: spread(8) },
    scales: { look: scale, features: scale },
    distances: Array.from({ length: 25 }, (_, i) => i / 5),
  }
}

/** One damage of a file, from a seed. */
export function spoil(file: RunFile, bytes: Uint8Array, seed: number): Uint8Array {
  const random = new Random(seed)
  const below = (n: number) => Math.floor(random.uniform() * n)
  if (below(3) === 0) {
    const [damage] = fc.sample(damages, { seed, numRuns: 1 })
    if (damage) return damaged(bytes, damage, [bytes])
  }
  const text = Buffer.from(bytes).toString('utf8')
  if (file === 'config.json' || file === 'trust.json') return Buffer.from(changed(text, below))
  if (file === 'metrics.jsonl') {
    const lines = text.trimEnd().split('\n')
    const i = below(lines.length)
    if (below(4) === 0) lines.splice(i, below(2), at(lines, below(lines.length)))
    else lines[i] = changed(at(lines, i), below)
    return Buffer.from(`${lines.join('\n')}\n`)
  }
  const end = 8 + new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true)
  const header = Buffer.from(changed(Buffer.from(bytes.subarray(8, end)).toString(), below))
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(header.length))
  return Buffer.concat([length, header, bytes.subarray(end)])
}

/** JSON with one value changed, removed or added, or with the same done to JSON within a text. */
function changed(json: string, below: (n: number) => number): string {
  const root: unknown = JSON.parse(json)
  const places: [object, string][] = []
  const visit = (value: unknown) => {
    if (typeof value !== 'object' || value === null) return
    for (const [key, inner] of Object.entries(value)) {
      places.push([value, key])
      visit(inner)
    }
  }
  visit(root)
  const [owner, key] = at(places, below(places.length))
  const before: unknown = Reflect.get(owner, key)
  const how = below(10)
  if (how === 0) Reflect.deleteProperty(owner, key)
  else if (how === 1) {
    const extra = at(['__proto__', 'constructor', 'extra'], below(3))
    const value = at(values, below(values.length))
    Object.defineProperty(owner, extra, { value, enumerable: true, configurable: true })
  } else if (typeof before === 'string' && before.startsWith('{'))
    Reflect.set(owner, key, changed(before, below))
  else Reflect.set(owner, key, at(values, below(values.length)))
  const text = JSON.stringify(root)
  return text.replaceAll(`"${deep}"`, () => '['.repeat(100_000) + ']'.repeat(100_000))
}

/**
 * Runs a command on a copy of a run with one file damaged.
 * @returns what is wrong with what it says, or null
 */
export async function problemWith(
  run: string,
  photos: string,
  { file, seed, command }: { file: RunFile; seed: number; command: CommandName },
): Promise<string | null> {
  const copy = `${run}-copy`
  await rm(copy, { recursive: true, force: true })
  await cp(run, copy, { recursive: true })
  if (file.startsWith('checkpoints')) await rm(join(copy, 'checkpoints/epoch-other.safetensors'))
  await writeFile(join(copy, file), spoil(file, await readFile(join(run, file)), seed))
  const image = join(photos, 'val', 'circle', '0.png')
  const page = join(copy, 'page.html')
  const commands: Readonly<Record<CommandName, readonly string[]>> = {
    explain: ['explain', copy],
    predict: ['predict', copy, image],
    evaluate: ['evaluate', copy, photos],
    report: ['report', copy, photos, '--top-losses', '0', '--out', page],
    inspect: ['inspect', copy, '--out', page],
    resume: ['train', photos, '--out', copy, '--resume', '--epochs', '3'],
  }
  const told = await graftHere(commands[command])
  const lines = told.stderr.split('\n').filter((line) => line !== '' && !/^Warning: /.test(line))
  const html = await readFile(page, 'utf8').catch(() => '')
  const all = told.stdout + told.stderr
  if (/bug in Graft/.test(all)) return told.stderr
  if (/^ +at .*:\d+:\d+\)?$/m.test(all)) return `a stack trace: ${told.stderr}`
  if (!lines.every((line) => line.startsWith('graft: '))) return `other lines: ${told.stderr}`
  if (told.code !== 0 && lines.length === 0) return `no line, and exit code ${told.code}`
  if (told.stdout.includes('\u202e') || all.includes('\u001b[2J')) return 'raw control characters'
  if (html.includes(markup)) return 'markup in a page'
  return null
}
