import { dirname, isAbsolute, join } from 'node:path'
import envPaths from 'env-paths'
import { WeightsError } from '../../base/errors.ts'
import { isRecord } from '../../base/json.ts'
import { cannotWrite, writeFileAtomic } from '../../base/node/atomicFile.ts'
import { makeFolder } from '../../base/node/folder.ts'
import { ReadError, readInputSync } from '../../base/node/inputFile.ts'
import { quote } from '../arrays.ts'
import { findNamedWeights, type NamedWeights } from '../registry.ts'

/** A user's own entry; their list is one JSON file in the user's folder for settings. */
export interface Entry {
  readonly name: string
  /** A URL, or an absolute path. */
  readonly source: string
  readonly sha256: string
  readonly variant: NamedWeights['variant']
}

/** A list of names is not larger. */
const mostListBytes = 2 ** 24

const variants: ReadonlySet<unknown> = new Set<NamedWeights['variant']>([
  'alexnet-64',
  'torchvision',
  'bvlc',
  null,
])

/** The file that contains a user's own entries. */
export function entriesFile(): string {
  return join(envPaths('graft', { suffix: '' }).config, 'weights.json')
}

/** An entry as it was read, and what is wrong with it: anyone may have edited the file. */
interface Found {
  readonly entry: Entry
  readonly problem: string | null
}

/**
 * The user's own entries.
 * @param but a name whose entry is left out, sound or not
 * @throws WeightsError where the list is damaged, or an entry could not be added now
 */
export function readEntries(but?: string): Entry[] {
  return readList()
    .filter(({ entry }) => entry.name !== but)
    .map(soundEntry)
}

/**
 * The user's entry of that name. What is wrong with others does not matter.
 * @throws WeightsError where the list is damaged, or the entry could not be added now
 */
export function findEntry(name: string): Entry | undefined {
  const found = readList().find(({ entry }) => entry.name === name)
  return found && soundEntry(found)
}

function soundEntry({ entry, problem }: Found): Entry {
  if (problem !== null) throw damaged(`: in the entry ${quote(entry.name)} ${problem}`)
  return entry
}

function damaged(why = ''): WeightsError {
  return new WeightsError(
    `${entriesFile()} is not a list of weights any more; correct or remove it${why}`,
  )
}

function readList(): Found[] {
  let text: string
  try {
    text = readInputSync(entriesFile(), mostListBytes).toString()
  } catch (cause) {
    if (cause instanceof ReadError && cause.problem === 'missing') return []
    throw new WeightsError(
      `the list of your own weights cannot be read: ${(cause as Error).message}`,
      { cause },
    )
  }
  let list: unknown
  try {
    list = JSON.parse(text)
  } catch {
    throw damaged()
  }
  const entries: unknown = isRecord(list) ? list.weights : null
  if (!Array.isArray(entries)) throw damaged()
  return entries.map((entry: unknown) => {
    if (!isEntry(entry)) throw damaged(': an entry lacks a name, source or sha256')
    const { name, source, sha256, variant } = entry
    const problem = problemOfName(name) ?? problemOfSource(source) ?? problemOfSum(sha256)
    return { entry, problem: problem ?? (variants.has(variant) ? null : 'its variant is none') }
  })
}

function isEntry(value: unknown): value is Entry {
  return (
    isRecord(value) &&
    [value.name, value.source, value.sha256].every((text) => typeof text === 'string')
  )
}

/** @throws GraftError with code `write` if the list cannot be written */
export async function writeEntries(weights: readonly Entry[]): Promise<void> {
  const path = entriesFile()
  await makeFolder(dirname(path)).catch((cause: unknown) => {
    throw cannotWrite(path, cause)
  })
  await writeFileAtomic(path, `${JSON.stringify({ weights }, null, 2)}\n`)
}

/** What is wrong with a name, in words, or null. It becomes a path in the cache folder. */
export function problemOfName(name: string): string | null {
  const parts = name.split('/')
  if (!parts.every((part) => /^\w[\w.-]*$/.test(part) && part !== '__proto__') || name === 'none')
    return (
      `${quote(name)} is not a name for weights: ` +
      "use letters, digits, '.', '-' and '_', parts divided by '/'"
    )
  return findNamedWeights(name) ? `${name} is a name of Graft's own; choose another` : null
}

/** What is wrong with an address or path, in words, or null. */
export function problemOfSource(source: string): string | null {
  if (!isUrl(source))
    return isAbsolute(source) ? null : `the source is neither an http address nor an absolute path`
  const { username, password } = new URL(source)
  // The list is a file that others may read, and addresses appear in messages.
  return username || password
    ? 'the address holds a user name or a password, which would be kept and shown; ' +
        'fetch the file yourself and give its path'
    : null
}

/** What is wrong with a sha256, in words, or null: fewer digits can be forged. */
export function problemOfSum(sha256: string): string | null {
  return /^[0-9a-f]{64}$/.test(sha256)
    ? null
    : `${quote(sha256)} is not a sha256: give its 64 hexadecimal digits (sha256sum FILE prints it)`
}

/** Whether a source is an address rather than a path. */
export function isUrl(source: string): boolean {
  return /^https?:\/\//i.test(source) && URL.canParse(source)
}
