import type { Job as QueuedJob } from 'bullmq'
import {
  attempt,
  closeConnection,
  findServer,
  type JobQueue,
  openQueue,
  type QueuePlace,
} from './server.ts'
import { type Timing, usualTiming } from './timing.ts'

/** How many jobs of a queue are in which state, and who works on them. */
export interface QueueState {
  readonly queue: string
  readonly waiting: number
  readonly active: number
  /** They failed, and are tried again after a while. */
  readonly delayed: number
  readonly done: number
  readonly failed: number
  readonly workers: readonly string[]
}

/** A job that has failed for good. */
export interface FailedJob {
  readonly id: string
  readonly kind: string
  readonly images: number | null
  readonly reason: string
  readonly tries: number
}

/** Jobs that are looked at together. */
const page = 100

/** What people do to a queue beside adding jobs and doing them. */
export class QueueAdmin {
  readonly shown: string
  readonly queue: JobQueue
  readonly #ask: <T>(what: () => Promise<T>) => Promise<T>

  private constructor(
    shown: string,
    queue: JobQueue,
    ask: <T>(what: () => Promise<T>) => Promise<T>,
  ) {
    this.shown = shown
    this.queue = queue
    this.#ask = ask
  }

  /** @throws QueueError if the queue cannot be reached, or there is none yet */
  static async open(place: QueuePlace, timing: Partial<Timing> = {}): Promise<QueueAdmin> {
    const all = { ...usualTiming, ...timing }
    const server = await findServer(place)
    const queue = await openQueue(server, all)
    return new QueueAdmin(server.shown, queue, (what) => attempt(server, all, what))
  }

  async state(): Promise<QueueState> {
    const counts = await this.#ask(() => this.queue.getJobCounts())
    const workers = await this.#ask(() => this.queue.getWorkers())
    const count = (name: string) => counts[name] ?? 0
    return {
      queue: this.shown,
      waiting: count('waiting') + count('prioritized') + count('paused'),
      active: count('active'),
      delayed: count('delayed'),
      done: count('completed'),
      failed: count('failed'),
      workers: workers.map(({ rawname = '' }) => rawname.replace(/^.*:w:/, '')).sort(),
    }
  }

  /** The jobs that failed for good, the latest first. */
  async *failed(): AsyncGenerator<FailedJob> {
    for (let from = 0; ; from += page) {
      const jobs = await this.#ask(() => this.queue.getFailed(from, from + page - 1))
      for (const job of jobs) yield failedJob(job)
      if (jobs.length < page) return
    }
  }

  /**
   * Puts the jobs that failed for good back into the queue, with all their tries.
   * @returns how many
   */
  async retryFailed(): Promise<number> {
    let count = 0
    for (;;) {
      const jobs = await this.#ask(() => this.queue.getFailed(0, page - 1))
      if (jobs.length === 0) return count
      for (const job of jobs)
        await this.#ask(async () => {
          if (await job.isFailed()) await job.retry('failed', retryOptions)
        })
      count += jobs.length
    }
  }

  /**
   * Removes what is finished: done and failed jobs. What they wrote, and their done marks, stay.
   * @returns how many
   */
  async clean(): Promise<number> {
    let count = 0
    for (const state of ['completed', 'failed'] as const)
      for (let removed = page; removed > 0; count += removed)
        removed = (await this.#ask(() => this.queue.clean(0, 10 * page, state))).length
    return count
  }

  async close(): Promise<void> {
    await closeConnection(this.queue)
  }
}

/** A job that is tried again by hand is tried as often as a new one. */
const retryOptions = { resetAttemptsMade: true, resetAttemptsStarted: true } as const

function failedJob(job: QueuedJob): FailedJob {
  const data: unknown = job.data
  const images = data !== null && typeof data === 'object' && 'images' in data ? data.images : null
  return {
    id: job.id ?? '',
    kind: job.name,
    images: typeof images === 'number' ? images : null,
    reason: job.failedReason ?? '',
    tries: job.attemptsMade,
  }
}
