/** Who does jobs: this process, or workers that take them from a queue. The rest of Graft knows neither. */
import type { Job, JobResult } from './job.ts'

/** What is told while jobs are done. */
export type JobEvent =
  | {
      readonly type: 'jobs'
      /** Shards, and images in those that are done or in flight. */
      readonly total: number
      readonly done: number
      readonly failed: number
      readonly active: number
      readonly images: number
      readonly workers: number
      /** Of these done jobs so many were found done. */
      readonly found: number
    }
  | { readonly type: 'job-failed'; readonly id: string; readonly reason: string }
  | { readonly type: 'job-again'; readonly id: string; readonly reason: string }

export interface RunOptions {
  readonly signal?: AbortSignal
  readonly onEvent?: (event: JobEvent) => void
  /** How many jobs there will be. */
  readonly total: number
}

/** A job and what came of it. */
export type Outcome =
  | { readonly id: string; readonly job: Job; readonly result: JobResult }
  | { readonly id: string; readonly job: Job; readonly failure: string }

export interface Runner {
  /**
   * Does jobs, in any order, and returns the outcomes in the order of the jobs. Jobs whose done mark
   * is in their store are not done again.
   * @throws GraftError with code `queue` if the queue cannot be reached any more
   */
  run(jobs: Iterable<Job>, options: RunOptions): Promise<Outcome[]>
  close(): Promise<void>
}
