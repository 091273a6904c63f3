/**
 * Who does jobs: this process, or workers that take them from a queue. The rest of Graft knows
 * neither.
 */
import { GraftError } from '../base/errors.ts'
import { type Job, JobError, type JobResult } from './job.ts'

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
  /** Told what came of each job, as soon as it is known. */
  readonly onOutcome?: (outcome: Outcome) => void
  /** How many jobs there will be. */
  readonly total: number
  /** Refuses results of several adapters, whose last bits differ. */
  readonly sameAdapter?: boolean
}

/** A job and what came of it. */
export type Outcome =
  | { readonly id: string; readonly job: Job; readonly result: JobResult }
  | { readonly id: string; readonly job: Job; readonly failure: string }

/** An outcome that is a result. */
export type Done = Extract<Outcome, { readonly result: JobResult }>

/**
 * The results of jobs that all have to be done.
 * @throws JobError if one has failed
 */
export function requireDone(outcomes: readonly Outcome[]): Done[] {
  const done = outcomes.filter((one) => 'result' in one)
  const failed = outcomes.find((one) => 'failure' in one)
  if (!failed) return done
  const count = outcomes.length - done.length
  throw new JobError(
    `${count} of ${outcomes.length} shards failed, such as ${failed.id}: ${failed.failure}; ` +
      'what is done is kept, and running this again does the rest',
  )
}

export interface Runner {
  /**
   * Does jobs, in any order, and returns the outcomes in the order of the jobs. Jobs whose done
   * mark is in their store are not done again.
   * @throws QueueError if the queue cannot be reached any more
   * @throws MixedAdaptersError if several adapters computed, and `sameAdapter` is set
   * @throws the signal's reason once it is aborted
   */
  run(jobs: Iterable<Job>, options: RunOptions): Promise<Outcome[]>
  close(): Promise<void>
}

/** A queue that cannot be reached or used. */
export class QueueError extends GraftError {
  constructor(message: string, options?: ErrorOptions) {
    super('queue', message, options)
  }
}

/** Jobs were done on adapters that differ, where one and the same was asked for. */
export class MixedAdaptersError extends GraftError {
  constructor(first: string, other: string) {
    super(
      'adapters',
      `results of ${first} and of ${other} do not go together here: stop the workers of one of ` +
        'them and run this again, or begin anew in another store',
    )
  }
}
