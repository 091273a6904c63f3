/** Opens the cases that it is told of, one after the other, and reports each to its parent. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { measured } from '../support/measured.ts'
import { casesOf, openIn, problemOf } from './cases.ts'
import { makeSubjects } from './subjects.ts'

/** What the parent asks for: the cases of one subject from `first` to `count`. */
export interface Task {
  readonly subject: string
  readonly seed: number
  readonly count: number
  readonly first: number
}

/** One case: begun, or ended. */
export interface Report {
  readonly index: number
  readonly what: string
  readonly ended: {
    readonly seconds: number
    readonly megabytes: number
    readonly problem: string | null
  } | null
}

const task = JSON.parse(process.argv[2] ?? '') as Task
const report = (one: Report) => process.send?.(one)

const subjects = await makeSubjects()
const subject = subjects.find(({ name }) => name === task.subject)
if (!subject) throw new Error(`no subject ${task.subject}`)
const root = await mkdtemp(join(tmpdir(), 'graft-fuzz-'))
// What the readers themselves are made of is loaded before anything is measured.
for (let i = 0; i < 3; i++)
  await openIn(join(root, 'whole'), { subject, files: subject.files, what: 'nothing' })
let index = 0
for (const one of casesOf(subject, subjects, task.count, task.seed)) {
  if (index >= task.first) {
    report({ index, what: one.what, ended: null })
    const { outcome, ...cost } = await measured(() => problemOf(join(root, 'one'), one))
    report({ index, what: one.what, ended: { ...cost, problem: outcome } })
  }
  index++
}
await rm(root, { recursive: true })
process.disconnect()
