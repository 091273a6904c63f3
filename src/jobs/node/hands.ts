import { AdapterError } from '../../base/errors.ts'
import { findDone, reasonOf } from '../doneMark.ts'
import { jobId } from '../identity.ts'
import { type Job, JobError, type JobResult } from '../job.ts'
import { QueueError } from '../runner.ts'
import { isFinal, readJob, type Tools, Workplace } from '../workplace.ts'
import { isNameOf } from './flight.ts'
import type { Timing } from './timing.ts'
import type { WorkerEvent } from './workerEvents.ts'

/** What came of a job that a worker took. */
export type Came =
  | { readonly type: 'done'; readonly result: JobResult; readonly found: boolean }
  | { readonly type: 'failed'; readonly reason: string; readonly final: boolean }
  /** It goes back to the queue, as if it had not been taken. */
  | { readonly type: 'back'; readonly reason: string }
  /** It goes back for a while: this is not the time for it. */
  | { readonly type: 'later' }

/** A job in these hands. */
interface Held {
  readonly giveUp: AbortController
  computing: boolean
}

/**
 * The jobs that a worker holds: whatever happens to one, it is done, it fails with a reason, or it
 * goes back to the queue.
 */
export class Hands {
  readonly #place: Workplace
  readonly #tools: Tools
  readonly #timing: Timing
  readonly #tell: (event: WorkerEvent) => void
  readonly #end: (error: Error) => void
  readonly #held = new Set<Held>()
  #ending = false
  /** The job in hand is done alone. */
  #alone = false

  /** @param end called if this process can do no jobs any more */
  constructor(
    tools: Tools,
    timing: Timing,
    tell: (event: WorkerEvent) => void,
    end: (error: Error) => void,
  ) {
    this.#place = new Workplace(tools)
    this.#tools = tools
    this.#timing = timing
    this.#tell = tell
    this.#end = end
  }

  get busy(): boolean {
    return this.#held.size > 0
  }

  /**
   * Does a job that came from a queue.
   * @param name how the queue calls it
   * @param suspect a worker has died with it in hand: it is done alone, so that no other job shares
   * its fate again
   */
  async take(
    name: string | undefined,
    data: unknown,
    suspect: boolean,
    progress: (images: number) => void,
  ): Promise<Came> {
    if (this.#ending) return { type: 'back', reason: 'this worker ends' }
    if (this.busy && (suspect || this.#alone)) return { type: 'later' }
    this.#alone = suspect
    const held: Held = { giveUp: new AbortController(), computing: false }
    this.#held.add(held)
    try {
      const job = readJob(data)
      const id = await jobId(job)
      if (!isNameOf(id, name))
        throw new JobError('refused a job: its name is not that of its content')
      return await this.#do(job, id, held, progress)
    } catch (error) {
      return this.#cameOf(error, name ?? '', held)
    } finally {
      this.#held.delete(held)
      if (suspect) this.#alone = false
    }
  }

  async #do(job: Job, id: string, held: Held, progress: (images: number) => void): Promise<Came> {
    const began = performance.now()
    this.#tell({ type: 'job', id, kind: job.kind, images: job.images })
    const elsewhere = new AbortController()
    const signal = AbortSignal.any([held.giveUp.signal, elsewhere.signal])
    const computing = () => {
      held.computing = true
    }
    const work = this.#place.do(job, { signal, progress, computing })
    const stopLooking = this.#lookElsewhere(job, id, elsewhere)
    try {
      const { result, found } = await untilAborted(work, signal)
      const seconds = (performance.now() - began) / 1000
      const { images, adapter, broken } = result
      this.#tell({ type: 'job-done', id, images, broken: broken.length, adapter, seconds, found })
      return { type: 'done', result, found }
    } catch (error) {
      if (signal.aborted) await this.#leave(work, held)
      const result: unknown = elsewhere.signal.reason
      if (elsewhere.signal.aborted && !held.giveUp.signal.aborted)
        return { type: 'done', result: result as JobResult, found: true }
      throw error
    } finally {
      stopLooking()
    }
  }

  /** Looks now and then whether another worker has done the job, whose copy it got. */
  #lookElsewhere(job: Job, id: string, elsewhere: AbortController): () => void {
    const timer = setInterval(() => {
      const look = async () => {
        const done = await findDone(await this.#tools.store(job.work), id)
        if (done) elsewhere.abort(done)
      }
      // A store that does not answer is noticed by the job itself.
      look().catch(() => {})
    }, this.#timing.mark)
    return () => clearInterval(timer)
  }

  /** A job that was given up gets a while to stop; if it computes on, this process is stuck. */
  async #leave(work: Promise<unknown>, held: Held): Promise<void> {
    if (!held.computing) return
    const stopped = work.then(
      () => true,
      () => true,
    )
    const late = new Promise<false>((resolve) => {
      setTimeout(() => resolve(false), this.#timing.grace).unref()
    })
    if (!(await Promise.race([stopped, late])))
      this.#end(
        new QueueError('a job hangs on this machine and cannot be stopped: its worker ends'),
      )
  }

  #cameOf(error: unknown, id: string, held: Held): Came {
    const reason = reasonOf(error)
    const back = (why: string): Came => {
      this.#tell({ type: 'job-back', id, reason: why })
      return { type: 'back', reason: why }
    }
    if (held.giveUp.signal.aborted) return back(reasonOf(held.giveUp.signal.reason))
    if (error instanceof AdapterError) {
      this.#end(error)
      return back('its worker has no adapter any more')
    }
    const final = isFinal(error)
    this.#tell({ type: 'job-failed', id, reason, final })
    return { type: 'failed', reason, final }
  }

  /**
   * Takes no more jobs. What is not computing goes back at once, and the rest after the timing's
   * grace.
   */
  drain(): void {
    this.#ending = true
    this.#tell({ type: 'draining', jobs: this.#held.size })
    const why = new Error('its worker ends')
    for (const held of this.#held) if (!held.computing) held.giveUp.abort(why)
    setTimeout(() => this.giveUp(why), this.#timing.grace).unref()
  }

  /** Gives back all jobs now. */
  giveUp(why: Error): void {
    this.#ending = true
    for (const { giveUp } of this.#held) giveUp.abort(why)
  }

  async close(): Promise<void> {
    await this.#place.close()
  }
}

/** @throws the signal's reason once it is aborted, also if the work goes on */
async function untilAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  // Whoever waits for the work may have gone when it fails.
  work.catch(() => {})
  let onAbort = () => {}
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => reject(signal.reason)
    if (signal.aborted) onAbort()
    else signal.addEventListener('abort', onAbort)
  })
  try {
    return await Promise.race([work, aborted])
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}
