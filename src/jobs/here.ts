import { reasonOf } from './doneMark.ts'
import { jobId } from './identity.ts'
import type { Job } from './job.ts'
import { OneAdapter } from './oneAdapter.ts'
import type { Outcome, Runner, RunOptions } from './runner.ts'
import { Tally } from './tally.ts'
import { isFinal, type Workplace } from './workplace.ts'

/** How often a job is begun that fails for a reason which may pass. */
const mostTries = 3

/**
 * Does jobs in this process: without a queue, this is all there is. One computes, and meanwhile the
 * next one reads.
 */
export class HereRunner implements Runner {
  readonly #place: Workplace

  constructor(place: Workplace) {
    this.#place = place
  }

  async run(jobs: Iterable<Job>, options: RunOptions): Promise<Outcome[]> {
    const tally = new Tally(options)
    const same = options.sameAdapter ? new OneAdapter() : null
    const outcomes: Outcome[] = []
    const all = jobs[Symbol.iterator]()
    let taken = 0
    const takeAndDo = async (): Promise<void> => {
      for (let next = all.next(); !next.done; next = all.next()) {
        options.signal?.throwIfAborted()
        const at = taken++
        const outcome = await this.#do(next.value, tally, options)
        same?.admit(outcome)
        outcomes[at] = outcome
      }
    }
    tally.tell({ workers: 1 })
    await Promise.all([takeAndDo(), takeAndDo()])
    return outcomes
  }

  async #do(job: Job, tally: Tally, { signal }: RunOptions): Promise<Outcome> {
    const id = await jobId(job)
    const watch = {
      signal: signal ?? new AbortController().signal,
      progress: (images: number) => tally.progress(id, images),
    }
    for (let tries = 1; ; tries++) {
      tally.begin(id)
      try {
        const { result, found } = await this.#place.do(job, watch)
        return tally.settle({ id, job, result }, found)
      } catch (error) {
        signal?.throwIfAborted()
        const reason = reasonOf(error)
        if (tries === mostTries || isFinal(error)) return tally.settle({ id, job, failure: reason })
        tally.again(id, reason)
      }
    }
  }

  async close(): Promise<void> {
    await this.#place.close()
  }
}
