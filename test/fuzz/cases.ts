/** Damaged files by their numbers, and what comes of opening one. */
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import fc from 'fast-check'
import { at } from '../../src/base/at.ts'
import { GraftError } from '../../src/base/errors.ts'
import { damaged, damages } from './mutations.ts'
import type { Subject } from './subjects.ts'

/** One damaged file among its subject's others. */
export interface Case {
  readonly subject: Subject
  readonly files: Readonly<Record<string, Uint8Array>>
  /** The damage, for people. */
  readonly what: string
}

/** `count` cases of a subject, the same for the same seed. */
export function* casesOf(
  subject: Subject,
  subjects: readonly Subject[],
  count: number,
  seed: number,
): Generator<Case> {
  const donors = subjects.flatMap(({ files }) => Object.values(files))
  for (const damage of fc.sample(damages, { numRuns: count, seed })) {
    const name = at(subject.damaged, damage.file % subject.damaged.length)
    const whole = subject.files[name] ?? new Uint8Array()
    const files = { ...subject.files, [name]: damaged(whole, damage, donors) }
    const json = (_: string, value: unknown) => (typeof value === 'bigint' ? `${value}` : value)
    yield { subject, files, what: `${name} ${JSON.stringify(damage.mutations, json)}` }
  }
}

/**
 * Writes a case into an empty folder, opens it and empties the folder.
 * @throws what opening it does
 */
export async function openIn(folder: string, { subject, files }: Case): Promise<void> {
  for (const [name, content] of Object.entries(files)) {
    await mkdir(dirname(join(folder, name)), { recursive: true })
    await writeFile(join(folder, name), content)
  }
  try {
    await subject.open(folder)
  } finally {
    await rm(folder, { recursive: true })
  }
}

/** Null for right values or a typed error of one line, else what comes of opening a case. */
export async function problemOf(folder: string, one: Case): Promise<string | null> {
  try {
    await openIn(folder, one)
    return null
  } catch (error) {
    if (!(error instanceof GraftError))
      return error instanceof Error ? `${error.stack}` : `${error}`
    return /\p{Cc}/u.test(error.message) ? `more than one line: ${error.message}` : null
  }
}
