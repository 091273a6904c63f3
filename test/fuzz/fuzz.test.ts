import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { casesOf, openIn, problemOf } from './cases.ts'
import { makeSubjects } from './subjects.ts'

let root = ''
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'graft-fuzz-'))
})
afterAll(() => rm(root, { recursive: true }))

const subjects = await makeSubjects()

// `npm run fuzz` opens thousands, and measures how long each takes and how much memory.
describe('a damaged file', () => {
  test.each(subjects.map((subject) => [subject.name, subject] as const))(
    'of the kind %s is read or refused with a typed error of one line',
    async (_, subject) => {
      await openIn(join(root, 'whole'), { subject, files: subject.files, what: 'nothing' })
      for (const one of casesOf(subject, subjects, 30, 15))
        expect(await problemOf(join(root, 'one'), one), one.what).toBe(null)
    },
  )
})
