/** Jobs in this process, and what every runner checks. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { findDone } from '../../src/jobs/doneMark.ts'
import { HereRunner } from '../../src/jobs/here.ts'
import { canonicalJson, jobId } from '../../src/jobs/identity.ts'
import { JobError, type JobKind } from '../../src/jobs/job.ts'
import { Pace } from '../../src/jobs/node/pace.ts'
import { refusalOf } from '../../src/jobs/node/refusal.ts'
import { readUrl } from '../../src/jobs/node/server.ts'
import type { JobEvent } from '../../src/jobs/runner.ts'
import { Workplace } from '../../src/jobs/workplace.ts'
import { Stores } from '../../src/store/node/openStore.ts'
import { shout, shoutJob } from '../support/testJobs.ts'

let folder = ''
let work = ''
let stores = new Stores([])
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'graft-here-'))
  work = pathToFileURL(folder).href
  stores = new Stores([work])
})
afterEach(async () => {
  await stores.close()
  await rm(folder, { recursive: true, maxRetries: 5 })
})

const placeWith = (kinds: readonly JobKind[]) =>
  new Workplace({
    kinds,
    store: (address) => stores.store(address),
    openEngine: () => Promise.reject(new Error('no engine')),
  })

test('a job is called by its content, whatever the order of what it says', async () => {
  expect(canonicalJson({ b: [{ d: 1, c: null }], a: 'é' })).toBe('{"a":"é","b":[{"c":null,"d":1}]}')
  const { kind, images, task } = shoutJob(work, { text: 'a', takes: 1 })
  const id = await jobId({ kind, work, images, task })
  expect(await jobId({ task: { takes: 1, text: 'a' }, images, work, kind })).toBe(id)
  expect(await jobId({ kind, work, images: images + 1, task })).not.toBe(id)
  expect(id).toMatch(/^j[0-9a-f]{32}$/)
})

test('outcomes are in the order of the jobs; what is done is found; failures are named', async () => {
  const jobs = [
    shoutJob(work, { text: 'slow', takes: 50 }),
    shoutJob(work, { text: 'ill', ill: 'fails' }),
    shoutJob(work, { text: 'quick' }),
  ]
  const runner = new HereRunner(placeWith([shout]))
  const first = await runner.run(jobs, { total: 3 })
  expect(
    first.map((one) => ('failure' in one ? one.failure : one.result.outputs[0]?.path)),
  ).toEqual(['shouts/slow', 'it went wrong', 'shouts/quick'])
  const events: JobEvent[] = []
  const second = await runner.run(jobs, { total: 3, onEvent: (event) => events.push(event) })
  expect(second).toEqual(first)
  expect(events.filter(({ type }) => type === 'job-again')).toHaveLength(2)
  expect(events.at(-1)).toMatchObject({ type: 'jobs', done: 2, failed: 1, found: 2, images: 200 })
})

test('one job computes at a time, and the next one reads meanwhile', async () => {
  const log: string[] = []
  const kind: JobKind<null> = {
    name: 'shout',
    check() {},
    async read({ task }) {
      log.push(`read ${String(task.text)}`)
      return null
    },
    async run({ task, images }) {
      log.push(`begin ${String(task.text)}`)
      await new Promise((resolve) => setTimeout(resolve, 30))
      log.push(`end ${String(task.text)}`)
      return { adapter: null, images, broken: [], outputs: [], facts: {} }
    },
  }
  const jobs = ['a', 'b', 'c'].map((text) => shoutJob(work, { text }))
  await new HereRunner(placeWith([kind])).run(jobs, { total: 3 })
  const computing = log.filter((line) => !line.startsWith('read'))
  expect(computing.map((line) => line.split(' ')[0])).toEqual([
    ...['begin', 'end', 'begin', 'end', 'begin', 'end'],
  ])
  expect(log.indexOf('read b')).toBeLessThan(log.indexOf('end a'))
})

test('an aborted run ends, and does no more jobs', async () => {
  const stop = new AbortController()
  const jobs = Array.from({ length: 20 }, (_, i) => shoutJob(work, { text: `t${i}`, takes: 10 }))
  let done = 0
  const run = new HereRunner(placeWith([shout])).run(jobs, {
    total: 20,
    signal: stop.signal,
    onEvent(event) {
      if (event.type !== 'jobs' || event.done === 0) return
      done = event.done
      stop.abort(new Error('enough'))
    },
  })
  await expect(run).rejects.toThrow('enough')
  expect(done).toBeLessThan(20)
})

test('a done mark that Graft has not written is refused', async () => {
  const store = await stores.store(work)
  const good = { kind: 'a', adapter: null, images: 1, broken: [], outputs: [], facts: {} }
  const output = { path: '../up', sha256: '0'.repeat(64) }
  const marks = ['{', '[]', '{}', { ...good, images: -1 }, { ...good, outputs: [output] }]
  await store.write('done/none.json', new Uint8Array(0))
  for (const mark of marks) {
    const text = typeof mark === 'string' ? mark : JSON.stringify(mark)
    await writeFile(join(folder, 'done', 'j1.json'), text)
    await expect(findDone(store, 'j1'), text).rejects.toThrow(JobError)
  }
  await writeFile(join(folder, 'done', 'j1.json'), JSON.stringify(good))
  expect(await findDone(store, 'j1')).toEqual(good)
  expect(await findDone(store, 'j2')).toBeNull()
})

test('a deadline is several times the pace of fellows, and none as long as there are few', () => {
  const pace = new Pace(1000)
  pace.note(100, 10)
  pace.note(120, 10)
  expect(pace.deadline(1_000_000)).toBe(Number.POSITIVE_INFINITY)
  pace.note(5000, 10)
  expect(pace.deadline(10)).toBe(1000)
  expect(pace.deadline(1000)).toBe(5 * 12 * 1000)
})

test('the URL of a queue is read, and never shown with its password', () => {
  expect(readUrl('postgres://me:secret@host/graft?sslmode=require')).toEqual({
    url: 'postgres://me:secret@host/graft?sslmode=require',
    shown: 'postgres://me@host/graft',
    postgres: true,
  })
  expect(readUrl('valkeys://:secret@host:1')).toEqual({
    url: 'rediss://:secret@host:1',
    shown: 'valkeys://host:1',
    postgres: false,
  })
  for (const text of ['host', 'http://host', ''])
    expect(() => readUrl(text), text).toThrow(/a queue/)
})

test('what a server of queues says comes with what to do about it', () => {
  const error = (message: string, code = '') => Object.assign(new Error(message), { code })
  const both = new AggregateError([error('connect ECONNREFUSED ::1:6379', 'ECONNREFUSED')])
  const said: readonly [unknown, string][] = [
    [both, 'connect ECONNREFUSED ::1:6379: start the server'],
    [error('NOAUTH HELLO must be called'), 'it wants a password (NOAUTH): put user and password'],
    [error('WRONGPASS invalid pair.'), 'WRONGPASS invalid pair: put user and password'],
    [error('password authentication failed', '28P01'), 'password authentication failed: put'],
    [error('self-signed certificate'), 'self-signed certificate: NODE_EXTRA_CA_CERTS=FILE'],
    [error('database "x" does not exist', '3D000'), 'database "x" does not exist: make the'],
    [error('no answer'), 'no answer: check its port, and whether it speaks TLS'],
    [error('ERR max number of clients reached'), 'ERR max number of clients reached'],
  ]
  for (const [one, line] of said) expect(refusalOf(one).slice(0, line.length)).toBe(line)
})
