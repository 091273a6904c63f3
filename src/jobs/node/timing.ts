/** How long a queue's parts wait, in milliseconds. Tests wait less. */
export interface Timing {
  /** A worker that has not been heard of for so long loses its jobs to others. */
  readonly lock: number
  /** Between two looks for jobs whose worker has gone. */
  readonly stalled: number
  /** Before the second try of a job; before each further one, twice the wait before. */
  readonly backoff: number
  /** Between two looks at all jobs in flight, which find what no event told. */
  readonly sweep: number
  /** A queue that does not answer for so long is given up. */
  readonly patience: number
  /** No job is taken for one that hangs before. */
  readonly deadline: number
  /** Between two looks of a worker at whether another one has done its job. */
  readonly mark: number
  /** A worker that is to end may compute for so long. */
  readonly grace: number
}

export const usualTiming: Timing = {
  lock: 30_000,
  stalled: 15_000,
  backoff: 2_000,
  sweep: 5_000,
  patience: 120_000,
  deadline: 60_000,
  mark: 30_000,
  grace: 20_000,
}
