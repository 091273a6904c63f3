/** Jobs through BullMQ on real servers: what goes wrong, and what comes of it. */
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { at } from '../../src/base/at.ts'
import { AdapterError } from '../../src/base/errors.ts'
import { HereRunner } from '../../src/jobs/here.ts'
import { jobId } from '../../src/jobs/identity.ts'
import type { Job } from '../../src/jobs/job.ts'
import { QueueAdmin } from '../../src/jobs/node/queueAdmin.ts'
import { openQueueRunner } from '../../src/jobs/node/queueRunner.ts'
import { runWorker } from '../../src/jobs/node/queueWorker.ts'
import { findServer } from '../../src/jobs/node/server.ts'
import type { WorkerEvent, WorkerSummary } from '../../src/jobs/node/workerEvents.ts'
import {
  type JobEvent,
  MixedAdaptersError,
  type Outcome,
  QueueError,
  type RunOptions,
} from '../../src/jobs/runner.ts'
import { Workplace } from '../../src/jobs/workplace.ts'
import { Stores } from '../../src/store/node/openStore.ts'
import { type Store, StoreError } from '../../src/store/store.ts'
import { JobCrew } from '../support/jobCrew.ts'
import { present, startPostgres, startRedis, type TestServer } from '../support/servers.ts'
import { type Shout, shortTiming, shout, shoutJob } from '../support/testJobs.ts'

let folder = ''
let work = ''
let name = ''
let stores = new Stores([])
const endings: (() => Promise<unknown>)[] = []

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'graft-jobs-'))
  work = pathToFileURL(folder).href
  stores = new Stores([work])
  name = `test-${folder.slice(-6)}`
})
afterEach(async () => {
  for (const end of endings.splice(0).reverse()) await end()
  await stores.close()
  await rm(folder, { recursive: true, force: true })
})

const given = (address: string) => stores.store(address)
const shouts = (n: number, more: Partial<Shout> = {}) =>
  Array.from({ length: n }, (_, i) => shoutJob(work, { text: `word-${i}`, ...more }))

/** What the jobs have written, by name. */
async function written(where = folder): Promise<Record<string, string>> {
  const names = (await readdir(join(where, 'shouts'))).sort()
  const texts = names.map(async (name) => [
    name,
    await readFile(join(where, 'shouts', name), 'utf8'),
  ])
  return Object.fromEntries(await Promise.all(texts))
}

const engines = [
  ['Redis', present.redis, startRedis],
  ['PostgreSQL', present.postgres, startPostgres],
] as const

/** All that one process makes of jobs, in another folder. */
async function writtenHere(jobs: readonly Job[]): Promise<Record<string, string>> {
  const elsewhere = await mkdtemp(join(tmpdir(), 'graft-here-'))
  const own = new Stores([elsewhere])
  const store = (address: string) => own.store(address)
  const openEngine = () => Promise.reject(new Error('shouts need no engine'))
  const place = new Workplace({ kinds: [shout], store, openEngine })
  const runner = new HereRunner(place)
  const moved = jobs.map((job) => ({ ...job, work: pathToFileURL(elsewhere).href }))
  await runner.run(moved, { total: jobs.length })
  const all = await written(elsewhere)
  await rm(elsewhere, { recursive: true })
  return all
}

const failureOf = (outcome: Outcome | undefined) =>
  outcome && 'failure' in outcome ? outcome.failure : null
const allDone = (outcomes: readonly Outcome[]) => outcomes.every((one) => 'result' in one)

for (const [engine, here, start] of engines)
  describe.skipIf(!here)(`a queue on ${engine}`, () => {
    let server: TestServer
    beforeAll(async () => {
      server = await start()
      await (await findServer({ url: server.url })).migrate()
    })
    afterAll(async () => {
      await server.stop()
    })

    /** Has jobs done by whoever works on the queue. */
    async function send(
      jobs: readonly Job[],
      more: Partial<RunOptions> & { patience?: number; backlog?: number } = {},
    ): Promise<Outcome[]> {
      const { patience = shortTiming.patience, backlog, ...options } = more
      const timing = { ...shortTiming, patience }
      const place = { url: server.url, name, store: given, backlog, timing }
      const runner = await openQueueRunner(place)
      try {
        return await runner.run(jobs, { total: jobs.length, ...options })
      } finally {
        await runner.close()
      }
    }

    /** A worker in this process. */
    function worker(more: { store?: typeof given; openEngine?: () => Promise<never> } = {}) {
      const stop = new AbortController()
      const events: WorkerEvent[] = []
      const { store = given, openEngine = () => Promise.reject(new Error('no engine')) } = more
      const summary: Promise<WorkerSummary> = runWorker({
        url: server.url,
        name,
        timing: shortTiming,
        signal: stop.signal,
        tools: { kinds: [shout], store, openEngine },
        onEvent: (event) => events.push(event),
      })
      summary.catch(() => {})
      const end = () => {
        stop.abort()
        return summary
      }
      endings.push(() => end().catch(() => {}))
      return { summary, events, end }
    }

    function crew(workers: number, more: { deaths?: number } = {}, environment = {}) {
      const argument = { url: server.url, name, stores: [work], ...more }
      const all = new JobCrew(argument, workers, environment)
      endings.push(() => all.end())
      return all
    }

    test('workers are killed and the server restarts: the same bytes, none lost', async () => {
      const jobs = shouts(16, { takes: 100 })
      const workers = crew(2)
      let restarts = 0
      const hurt = async () => {
        for (let i = 0; i < 2; i++) {
          await workers.heard('job')
          workers.kill(i)
          if (restarts === 0 && i === 1) {
            await server.kill()
            restarts++
            await server.start()
          }
        }
      }
      const [outcomes] = await Promise.all([send(jobs), hurt()])
      expect([workers.deaths, restarts]).toEqual([2, 1])
      expect(allDone(outcomes), JSON.stringify(outcomes.find((one) => 'failure' in one))).toBe(true)
      expect(await written()).toEqual(await writtenHere(jobs))
      expect(await readdir(join(folder, 'done'))).toHaveLength(jobs.length)
    })

    test('a job that kills its workers is named, and stops nothing else', async () => {
      const jobs = [
        ...shouts(6, { takes: 50 }),
        shoutJob(work, { text: 'poison', ill: 'kills' }),
        ...shouts(7, { takes: 50 }).slice(6),
      ]
      const workers = crew(1, { deaths: 2 })
      const outcomes = await send(jobs)
      expect(outcomes.map(failureOf).filter((one) => one === null)).toHaveLength(7)
      expect(failureOf(outcomes[6])).toMatch(/stalled more than allowable limit/)
      expect(workers.deaths).toBeGreaterThanOrEqual(2)
      expect(Object.keys(await written())).toHaveLength(7)
      // What had to wait until it could be done alone has not failed meanwhile.
      const { classes, base } = await findServer({ url: server.url })
      const queue = new classes.Queue(name, base)
      endings.push(() => queue.close())
      const tries = (await queue.getCompleted()).map((job) => job.attemptsMade)
      expect(tries).toEqual(Array(7).fill(1))
    })

    test('what is done is found, what fails is tried again or named, a crowd waits', async () => {
      worker()
      const before = shouts(5)
      await send(before)
      const events: JobEvent[] = []
      const ill = [
        shoutJob(work, { text: 'unlucky', ill: 'fails' }),
        shoutJob(work, { text: 'hopeless', ill: 'cannot' }),
      ]
      const jobs = [...shouts(30), ...ill, at(before, 0)]
      const onEvent = (event: JobEvent) => events.push(event)
      const outcomes = await send(jobs, { onEvent, backlog: 4 })
      expect(outcomes.map(({ job }) => job)).toEqual(jobs)
      expect(outcomes.map(failureOf).filter((one) => one !== null)).toEqual([
        'it went wrong',
        'nobody can do this',
      ])
      const last = events.filter((event) => event.type === 'jobs').at(-1)
      expect(last).toMatchObject({ done: 30, failed: 2, active: 0, found: 5, workers: 1 })

      const admin = await QueueAdmin.open({ url: server.url, name }, shortTiming)
      endings.push(() => admin.close())
      const failed = []
      for await (const job of admin.failed()) failed.push(job)
      expect(failed.map(({ reason, tries }) => [reason, tries]).sort()).toEqual([
        ['it went wrong', 5],
        ['nobody can do this', 1],
      ])
      expect(await admin.state()).toMatchObject({ failed: 2, done: 30, waiting: 0 })
      expect((await admin.state()).workers).toHaveLength(1)
      expect(await admin.retryFailed()).toBe(2)
      await expect.poll(async () => (await admin.state()).failed).toBe(2)
      expect(await admin.clean()).toBeGreaterThan(30)
      expect(await admin.state()).toMatchObject({ failed: 0, done: 0 })
    })

    test('a store that answers nothing for a while costs time alone', async () => {
      let until = Number.POSITIVE_INFINITY
      const flaky = async (address: string): Promise<Store> => {
        until = Math.min(until, performance.now() + 1000)
        if (performance.now() < until) throw new StoreError('unreachable', 'the server says 500')
        return await given(address)
      }
      const { events } = worker({ store: flaky })
      const jobs = shouts(4)
      expect(allDone(await send(jobs))).toBe(true)
      const failures = events.filter((event) => event.type === 'job-failed')
      expect(failures.length).toBeGreaterThan(0)
      expect(failures.every(({ final, reason }) => !final && /500/.test(reason))).toBe(true)
      expect(await written()).toEqual(await writtenHere(jobs))
    })

    test('what is no job of ours is refused, with the reason, and the next one is done', async () => {
      const { classes, base } = await findServer({ url: server.url })
      const queue = new classes.Queue(name, base)
      endings.push(() => queue.close())
      const good = shoutJob(work, { text: 'good' })
      const elsewhere = { ...good, work: 's3://somebody-else/work' }
      const through = { ...good, work: `${work}/../..` }
      const hostile: readonly [string, unknown, RegExp][] = [
        ['text', 'run this', /no object/],
        [
          'kind',
          { ...good, kind: 'shell\u001b[2J' },
          /no job of this Graft is called shell\\u001b/,
        ],
        ['types', { ...good, images: '1' }, /number of images/],
        ['more', { ...good, command: 'rm' }, /says command/],
        ['task', { ...good, task: { text: '../../etc/passwd' } }, /no path in a store/],
        ['size', { ...good, task: { text: 'x'.repeat(20_000) } }, /larger than 16384 bytes/],
        ['foreign', elsewhere, /in none of the stores/],
        ['up', through, /in none of the stores|refused|no path/],
        ['name', good, /name is not that of its content/],
      ]
      const ids = new Map<string, RegExp>()
      for (const [name, data, reason] of hostile) {
        const id = name === 'name' || name === 'text' ? name : await jobId(data as Job)
        ids.set(id, reason)
        await queue.add('shout', data, { jobId: id, attempts: 5 })
      }
      const { events } = worker()
      expect(allDone(await send([good]))).toBe(true)
      await expect.poll(() => queue.getFailedCount()).toBe(hostile.length)
      for (const job of await queue.getFailed()) {
        expect(job.failedReason).toMatch(
          at(
            [...ids.entries()].filter(([id]) => id === job.id),
            0,
          )[1],
        )
        expect(job.attemptsMade).toBe(1)
      }
      expect(events.filter((event) => event.type === 'job-failed')).toHaveLength(hostile.length)
      expect(Object.keys(await written())).toEqual(['good'])
    })

    test('a job that hangs is done by another worker, and its own one ends with a line', async () => {
      const pair = [worker(), worker()]
      const jobs = [
        ...shouts(8, { takes: 50 }),
        shoutJob(work, { text: 'slow', ill: 'hangs once' }),
      ]
      const events: JobEvent[] = []
      const outcomes = await send(jobs, { onEvent: (event) => events.push(event) })
      expect(allDone(outcomes)).toBe(true)
      const again = events.filter((event) => event.type === 'job-again')
      expect(again.map(({ reason }) => reason)).toContainEqual(
        expect.stringMatching(/several times/),
      )
      const ended = await Promise.race(pair.map(({ summary }) => summary.catch((error) => error)))
      expect(ended).toBeInstanceOf(QueueError)
      expect(String(ended)).toMatch(/a job hangs on this machine/)
    })

    test('a worker that is told to end gives back what it has not begun', async () => {
      const first = worker()
      const jobs = shouts(6, { takes: 400 })
      const done = send(jobs)
      await expect.poll(() => first.events.some(({ type }) => type === 'job-done')).toBe(true)
      const { jobs: finished, failed } = await first.end()
      expect(failed).toBe(0)
      expect(finished).toBeLessThan(jobs.length)
      const { events } = worker()
      expect(allDone(await done)).toBe(true)
      expect(events.filter(({ type }) => type === 'job-done')).toHaveLength(jobs.length - finished)
      expect(await written()).toEqual(await writtenHere(jobs))
    })

    test('a worker without an adapter gives its job back, and ends', async () => {
      const gone = () => Promise.reject(new AdapterError('the GPU has gone', []))
      const lame = worker({ openEngine: gone })
      const jobs = [shoutJob(work, { text: 'on a GPU', ill: 'computes' })]
      const done = send(jobs)
      await expect(lame.summary).rejects.toThrow(AdapterError)
      expect(lame.events.some(({ type }) => type === 'job-back')).toBe(true)
      worker({ openEngine: async () => ({ dispose() {} }) as never })
      expect(allDone(await done)).toBe(true)
    })

    test('results of two adapters are refused where one was asked for', async () => {
      worker()
      crew(1, {}, { SHOUT_ADAPTER: 'another voice' })
      const mixed = send(shouts(60, { takes: 100 }), { sameAdapter: true })
      await expect(mixed).rejects.toThrow(MixedAdaptersError)
    })

    test('a queue that is gone ends the run with a line', async () => {
      const runner = send(shouts(3), { patience: 1500 })
      await pause(500)
      await server.kill()
      try {
        await expect(runner).rejects.toThrow(QueueError)
      } finally {
        await server.start()
      }
    })
  })
