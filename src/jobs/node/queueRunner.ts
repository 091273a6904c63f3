import type { JobsOptions } from 'bullmq'
import { type Store, StoreError } from '../../store/store.ts'
import { findDone } from '../doneMark.ts'
import { jobId } from '../identity.ts'
import type { Job, JobResult } from '../job.ts'
import { OneAdapter } from '../oneAdapter.ts'
import type { Outcome, Runner, RunOptions } from '../runner.ts'
import { Tally } from '../tally.ts'
import { type Flight, Flights, nextCopy } from './flight.ts'
import { Pace } from './pace.ts'
import {
  attempt,
  closeConnection,
  findServer,
  type JobQueue,
  openQueue,
  type QueuePlace,
  type Server,
} from './server.ts'
import { type Timing, usualTiming } from './timing.ts'

export interface QueueRunnerOptions extends QueuePlace {
  /** Opens the stores whose done marks tell what came of the jobs. */
  readonly store: (address: string) => Promise<Store>
  /** So many jobs wait or run at the most; the next ones are not made before. Default 256. */
  readonly backlog?: number
  /** For tests. */
  readonly timing?: Partial<Timing>
}

/** Jobs that are looked up and added together. */
const chunk = 64
/** A job is put into the queue so many times, if it seems to hang. */
const mostCopies = 3
/** How often a job is begun that fails for a reason which may pass. */
const mostTries = 5
const day = 24 * 60 * 60

/**
 * Has jobs done by the workers of a queue.
 * @throws QueueError if the queue cannot be reached
 */
export async function openQueueRunner(options: QueueRunnerOptions): Promise<Runner> {
  const timing = { ...usualTiming, ...options.timing }
  const server = await findServer(options)
  const queue = await openQueue(server, timing)
  return {
    run: (jobs, runOptions) => new Run(server, queue, timing, options, runOptions).all(jobs),
    close: () => closeConnection(queue),
  }
}

/** What the queue tells of a job. */
interface Notice {
  readonly type: 'active' | 'back' | 'progress' | 'completed' | 'failed'
  readonly name: string
  readonly at: number
  readonly images?: number
  readonly reason?: string
  readonly found?: boolean
}

/** The jobs of one call of `run`. */
class Run {
  readonly #server: Server
  readonly #queue: JobQueue
  readonly #timing: Timing
  readonly #store: QueueRunnerOptions['store']
  readonly #backlog: number
  readonly #options: RunOptions
  readonly #tally: Tally
  readonly #pace: Pace
  readonly #same: OneAdapter | null
  readonly #flights = new Flights()
  readonly #outcomes: Outcome[] = []
  /** What was told and is not yet taken up. */
  #notices: Notice[] = []
  #wake: () => void = () => {}

  constructor(
    server: Server,
    queue: JobQueue,
    timing: Timing,
    { store, backlog = 256 }: QueueRunnerOptions,
    options: RunOptions,
  ) {
    this.#server = server
    this.#queue = queue
    this.#timing = timing
    this.#store = store
    this.#backlog = backlog
    this.#options = options
    this.#tally = new Tally(options)
    this.#pace = new Pace(timing.deadline)
    this.#same = options.sameAdapter ? new OneAdapter() : null
  }

  async all(jobs: Iterable<Job>): Promise<Outcome[]> {
    const { signal } = this.#options
    signal?.throwIfAborted()
    const onAbort = () => this.#wake()
    signal?.addEventListener('abort', onAbort)
    const events = this.#listen()
    const all = jobs[Symbol.iterator]()
    try {
      let [place, swept, more] = [0, 0, true]
      await this.#sweep()
      while (more || this.#flights.size > 0) {
        signal?.throwIfAborted()
        while (more && this.#flights.size < this.#backlog) {
          const next: Job[] = []
          for (let i = 0; i < chunk && more; i++) {
            const one = all.next()
            if (one.done) more = false
            else next.push(one.value)
          }
          await this.#add(next, place)
          place += next.length
        }
        await this.#takeUp()
        if (performance.now() - swept >= this.#timing.sweep) {
          await this.#sweep()
          swept = performance.now()
        }
        if (this.#flights.size > 0 && this.#notices.length === 0) await this.#rest()
      }
      return this.#outcomes
    } catch (error) {
      await this.#withdraw()
      throw error
    } finally {
      signal?.removeEventListener('abort', onAbort)
      await closeConnection(events)
    }
  }

  #ask<T>(what: (queue: JobQueue) => Promise<T>): Promise<T> {
    return attempt(this.#server, this.#timing, () => what(this.#queue))
  }

  /** Until something is told, or the next sweep. */
  async #rest(): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, this.#timing.sweep)
      this.#wake = () => {
        clearTimeout(timer)
        resolve()
      }
    })
    this.#wake = () => {}
  }

  #listen() {
    const events = new this.#server.classes.QueueEvents(this.#server.name, this.#server.base)
    const tell = (type: Notice['type'], name: string, more: Partial<Notice> = {}) => {
      if (!this.#flights.find(name)) return
      this.#notices.push({ type, name, at: performance.now(), ...more })
      this.#wake()
    }
    // A server that does not answer is noticed by what is asked of it.
    events.on('error', () => {})
    events.on('active', ({ jobId }) => tell('active', jobId))
    events.on('waiting', ({ jobId }) => tell('back', jobId))
    events.on('delayed', ({ jobId }) => tell('back', jobId))
    events.on('progress', ({ jobId, data }) => {
      if (typeof data === 'number') tell('progress', jobId, { images: data })
    })
    events.on('completed', ({ jobId, returnvalue }) => {
      const found = (returnvalue as { found?: unknown } | null)?.found === true
      tell('completed', jobId, { found })
    })
    events.on('failed', ({ jobId, failedReason }) =>
      tell('failed', jobId, { reason: failedReason }),
    )
    return events
  }

  /** Adds jobs to the queue, other than those that are done. */
  async #add(jobs: readonly Job[], from: number): Promise<void> {
    const missing: Flight[] = []
    await Promise.all(
      jobs.map(async (job, i) => {
        const id = await jobId(job)
        const known = this.#flights.find(id)
        if (known) {
          known.places.push(from + i)
          return
        }
        const flight = this.#flights.add(id, job, from + i)
        const result = await this.#mark(flight)
        if (result) this.#settle(flight, { id, job, result }, true)
        else missing.push(flight)
      }),
    )
    await Promise.all(missing.map(({ id }) => this.#forget(id)))
    await this.#put(missing.map((flight) => ({ flight, name: flight.id })))
    this.#tally.tell()
  }

  /** A finished job of an earlier run whose outputs are gone would stand in the way. */
  async #forget(name: string): Promise<void> {
    const state = await this.#ask((queue) => queue.getJobState(name))
    if (state === 'completed' || state === 'failed') await this.#ask((queue) => queue.remove(name))
  }

  async #put(copies: readonly { flight: Flight; name: string }[]): Promise<void> {
    if (copies.length === 0) return
    const entries = copies.map(({ flight: { job }, name }) => ({
      name: job.kind,
      data: job,
      opts: { ...this.#jobOptions(), jobId: name },
    }))
    await this.#ask((queue) => queue.addBulk(entries))
  }

  #jobOptions(): JobsOptions {
    return {
      attempts: mostTries,
      backoff: { type: 'exponential', delay: this.#timing.backoff, jitter: 0.5 },
      removeOnComplete: { age: day, count: 1000 },
      removeOnFail: { age: 7 * day, count: 10_000 },
    }
  }

  /**
   * The done mark of a job, if there is one.
   * @throws the store's error if it does not answer for long
   */
  async #mark({ id, job }: Flight): Promise<JobResult | null> {
    const began = performance.now()
    for (;;) {
      try {
        return await findDone(await this.#store(job.work), id)
      } catch (error) {
        const passing = error instanceof StoreError && error.problem === 'unreachable'
        if (!passing || performance.now() - began > this.#timing.patience) throw error
        await new Promise((resolve) => setTimeout(resolve, 500))
      }
    }
  }

  /** Takes up what was told, in its order; marks are read side by side. */
  async #takeUp(): Promise<void> {
    const told = this.#notices
    this.#notices = []
    const completed = new Set<Flight>()
    for (const { type, name, at, images = 0, reason = '', found } of told) {
      const flight = this.#flights.find(name)
      if (!flight) continue
      if (type === 'active') {
        flight.begun.set(name, at)
        this.#tally.begin(flight.id)
      } else if (type === 'progress') this.#tally.progress(flight.id, images)
      else if (type === 'back') {
        if (flight.begun.delete(name)) this.#tally.back(flight.id)
      } else if (type === 'failed') this.#failed(flight, name, reason)
      else {
        const since = flight.begun.get(name)
        if (since !== undefined && !found) this.#pace.note(at - since, flight.job.images)
        completed.add(flight)
      }
    }
    const all = [...completed]
    for (let i = 0; i < all.length; i += chunk)
      await Promise.all(all.slice(i, i + chunk).map((flight) => this.#completed(flight)))
  }

  async #completed(flight: Flight): Promise<void> {
    const { id, job } = flight
    const result = await this.#mark(flight)
    if (result) this.#settle(flight, { id, job, result })
    else {
      const failure =
        `a worker says that it is done, and ${job.work} has no mark of it: ` +
        'worker and producer do not reach the same store'
      this.#settle(flight, { id, job, failure })
    }
    // Copies of it that nobody has taken are not needed any more.
    await Promise.all(
      flight.copies.map((name) =>
        flight.copies.length > 1 ? this.#queue.remove(name).catch(() => {}) : null,
      ),
    )
  }

  /** A copy has failed for good; the job has, when all of its copies have. */
  #failed(flight: Flight, name: string, reason: string): void {
    flight.begun.delete(name)
    flight.failures.set(name, reason)
    if (flight.failures.size < flight.copies.length) this.#tally.again(flight.id, reason)
    else this.#settle(flight, { id: flight.id, job: flight.job, failure: reason })
  }

  #settle(flight: Flight, outcome: Outcome, found = false): void {
    if (this.#flights.find(flight.id) !== flight) return
    this.#flights.end(flight)
    for (const place of flight.places) this.#outcomes[place] = outcome
    this.#tally.settle(outcome, found)
    this.#same?.admit(outcome)
  }

  /** Finds what no event told, jobs that a server has lost, and jobs that hang. */
  async #sweep(): Promise<void> {
    const workers = await this.#ask((queue) => queue.getWorkersCount())
    this.#tally.tell({ workers })
    for (const flight of this.#flights) await this.#look(flight)
  }

  async #look(flight: Flight): Promise<void> {
    for (const name of flight.copies) {
      const state = await this.#ask((queue) => queue.getJobState(name))
      const now = performance.now()
      if (state === 'active') {
        const since = flight.begun.get(name) ?? now
        flight.begun.set(name, since)
        if (now - since > this.#pace.deadline(flight.job.images)) return await this.#late(flight)
      } else if (state === 'completed') return await this.#completed(flight)
      else if (state === 'failed') {
        if (flight.failures.has(name)) continue
        const job = await this.#ask((queue) => queue.getJob(name))
        this.#failed(flight, name, job?.failedReason ?? 'it failed')
      } else if (state === 'unknown') {
        if (await this.#mark(flight)) return await this.#completed(flight)
        flight.begun.delete(name)
        this.#tally.again(flight.id, 'the queue has lost it')
        await this.#put([{ flight, name }])
      }
    }
  }

  /** A job takes several times as long as its fellows: another worker tries it, too. */
  async #late(flight: Flight): Promise<void> {
    // The copy that was added last gets the same time again.
    const newest = Math.max(...flight.begun.values())
    if (flight.begun.size < flight.copies.length) return
    if (performance.now() - newest < this.#pace.deadline(flight.job.images)) return
    const { id, job } = flight
    if (flight.copies.length >= mostCopies) {
      const failure = `it hangs: ${mostCopies} workers took several times as long as for others`
      this.#settle(flight, { id, job, failure })
      return
    }
    const name = nextCopy(flight)
    await this.#forget(name)
    flight.copies.push(name)
    this.#tally.again(id, 'it takes several times as long as others: another worker tries it, too')
    await this.#put([{ flight, name }])
  }

  /** Takes back the jobs that no worker has begun: nobody waits for them any more. */
  async #withdraw(): Promise<void> {
    const names = [...this.#flights].flatMap(({ copies }) => copies)
    await Promise.race([
      Promise.all(names.map((name) => this.#queue.remove(name).catch(() => {}))),
      new Promise((resolve) => setTimeout(resolve, 2000).unref()),
    ])
  }
}
