import { hostname } from 'node:os'
import type { Job as QueuedJob } from 'bullmq'
import { reasonOf } from '../doneMark.ts'
import { QueueError } from '../runner.ts'
import type { Tools } from '../workplace.ts'
import { Hands } from './hands.ts'
import {
  atFirst,
  attempt,
  closeConnection,
  findServer,
  type JobQueue,
  openQueue,
  type QueuePlace,
  type Server,
  within,
} from './server.ts'
import { type Timing, usualTiming } from './timing.ts'
import type { WorkerEvent, WorkerSummary } from './workerEvents.ts'

export interface WorkerOptions extends QueuePlace {
  readonly tools: Tools
  /** Aborted when the worker is to end: it finishes what it computes, and gives back the rest. */
  readonly signal: AbortSignal
  readonly onEvent?: (event: WorkerEvent) => void
  /** Ends after so many seconds without a job. Default: never. */
  readonly idle?: number
  /** A job whose workers die in it fails after so many deaths. Default 5. */
  readonly deaths?: number
  /** For tests. */
  readonly timing?: Partial<Timing>
}

/** A job in which so many workers have died may be what they die of. */
const mostDeaths = 5
/** One computes, the other one reads. */
const jobsAtATime = 2
/** Progress is told this often, in milliseconds. */
const progressEvery = 1000
/** A job that has to be done alone waits so many milliseconds, or up to twice as many. */
const laterBy = 1000
/** A worker waits for its server so many times as long as a producer does. */
const workersPatience = 5

/**
 * Takes jobs from a queue and does them, until it is told to end or nothing comes any more.
 * @throws QueueError if the queue cannot be reached, or a job hangs
 * @throws AdapterError if no adapter is left to compute on: what it had taken is given back
 */
export async function runWorker(options: WorkerOptions): Promise<WorkerSummary> {
  const timing = { ...usualTiming, ...options.timing }
  const tell = options.onEvent ?? (() => {})
  const server = await findServer(options)
  const version = await attempt(server, atFirst(timing), () => server.migrate())
  if (version !== null) tell({ type: 'migrated', version })
  const queue = await openQueue(server, timing)
  try {
    return await new Shift(server, queue, timing, options).work()
  } finally {
    await closeConnection(queue)
  }
}

/** The time from a worker's first job to its last one. */
class Shift {
  readonly #server: Server
  readonly #queue: JobQueue
  readonly #timing: Timing
  readonly #options: WorkerOptions
  readonly #hands: Hands
  readonly #ended: Promise<Error | null>
  #end: (error: Error | null) => void = () => {}
  #jobs = 0
  #images = 0
  #failed = 0
  #latest = performance.now()

  constructor(server: Server, queue: JobQueue, timing: Timing, options: WorkerOptions) {
    this.#server = server
    this.#queue = queue
    this.#timing = timing
    this.#options = options
    this.#ended = new Promise((resolve) => {
      this.#end = resolve
    })
    this.#hands = new Hands(
      options.tools,
      timing,
      (event) => options.onEvent?.(event),
      (error) => this.#end(error),
    )
  }

  async work(): Promise<WorkerSummary> {
    const { signal, onEvent } = this.#options
    const { DelayedError, UnrecoverableError, WaitingError } = await import('bullmq')
    const doJob = async (job: QueuedJob, token?: string) => {
      const came = await this.#take(job)
      if (came.type === 'done') return { adapter: came.result.adapter, found: came.found }
      if (came.type === 'failed')
        throw came.final ? new UnrecoverableError(came.reason) : new Error(came.reason)
      if (came.type === 'later') {
        // PostgreSQL takes no fraction of a millisecond.
        const wait = Math.round(laterBy * (1 + Math.random()))
        await job.moveToDelayed(Date.now() + wait, token)
        throw new DelayedError()
      }
      await job.moveToWait(token)
      throw new WaitingError()
    }
    const name = `${hostname()
      .replace(/[^\w.-]/g, '-')
      .slice(0, 30)}-${process.pid}`
    const worker = new this.#server.classes.Worker(this.#server.name, doJob, {
      ...this.#server.base,
      name,
      concurrency: jobsAtATime,
      lockDuration: this.#timing.lock,
      stalledInterval: this.#timing.stalled,
      maxStalledCount: (this.#options.deaths ?? mostDeaths) - 1,
      runRetryDelay: 1000,
    })
    // What hinders a worker for long is noticed by `#watch`; what passes, it passes over.
    worker.on('error', () => {})
    onEvent?.({ type: 'ready', queue: this.#server.shown, name })
    const onAbort = () => this.#end(null)
    signal.addEventListener('abort', onAbort)
    if (signal.aborted) onAbort()
    const stopWatching = this.#watch()
    const error = await this.#ended
    stopWatching()
    signal.removeEventListener('abort', onAbort)
    if (error) this.#hands.giveUp(error)
    else this.#hands.drain()
    // With a server that is gone, or a job that hangs, it would wait for good.
    await within(worker.close(), 2 * this.#timing.grace + 5000).catch(() => closeConnection(worker))
    if (!error) await this.#hands.close()
    if (error) throw error
    return { jobs: this.#jobs, images: this.#images, failed: this.#failed }
  }

  async #take(job: QueuedJob) {
    let told = performance.now()
    const came = await this.#hands.take(job.id, job.data, job.stalledCounter > 0, (images) => {
      if (performance.now() - told < progressEvery) return
      told = performance.now()
      job.updateProgress(images).catch(() => {})
    })
    if (came.type === 'done') {
      this.#jobs++
      this.#images += came.result.images
    } else if (came.type === 'failed') this.#failed++
    this.#latest = performance.now()
    return came
  }

  /** Looks whether the server answers, and whether there is anything to do. */
  #watch(): () => void {
    let [looking, heard, lost] = [false, performance.now(), false]
    const { idle = Number.POSITIVE_INFINITY, onEvent } = this.#options
    const look = async (): Promise<void> => {
      try {
        const counts = await within(
          this.#queue.getJobCounts('waiting', 'active', 'delayed', 'prioritized'),
          5000,
        )
        heard = performance.now()
        if (lost) onEvent?.({ type: 'queue-found' })
        lost = false
        if (this.#hands.busy || Object.values(counts).some((one) => one > 0)) this.#latest = heard
        if (heard - this.#latest > 1000 * idle) this.#end(null)
      } catch (error) {
        const reason = reasonOf(error)
        if (!lost) onEvent?.({ type: 'queue-lost', reason })
        lost = true
        if (performance.now() - heard > workersPatience * this.#timing.patience)
          this.#end(
            new QueueError(
              `the queue at ${this.#server.shown} has not answered for long: ${reason}`,
            ),
          )
      }
    }
    const timer = setInterval(() => {
      if (looking) return
      looking = true
      void look().finally(() => {
        looking = false
      })
    }, this.#timing.sweep)
    return () => clearInterval(timer)
  }
}
