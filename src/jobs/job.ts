/**
 * A piece of work for any machine. It says what is computed by references alone: addresses, hashes
 * and settings, never pixels or weights. What it writes, and where, follows from what it says: done
 * twice, it leaves the same bytes at the same place.
 */
import { GraftError } from '../base/errors.ts'
import type { Store } from '../store/store.ts'
import type { Engine } from '../tensor/tensor.ts'

/** What every job says. */
export interface Job {
  /** Which of `jobKinds` does it. */
  readonly kind: string
  /** The address of the store that it writes to. */
  readonly work: string
  /** How many images it takes: what its pace is judged by. */
  readonly images: number
  /** The rest, which its kind reads and checks. JSON of at most `mostJobBytes`. */
  readonly task: Readonly<Record<string, unknown>>
}

/** A job that is larger was not made here. */
export const mostJobBytes = 16 * 1024

/** No job takes more images. */
export const mostJobImages = 1_000_000

/** What a job may use. */
export interface JobContext {
  /**
   * The store of an address.
   * @throws StoreError `refused` for one that this worker was not given
   */
  store(address: string): Promise<Store>
  /**
   * Opened when it is first asked for: some jobs compute nothing. After its device was lost it is
   * another one: what is kept on a GPU is kept for its engine.
   */
  engine(): Promise<Engine>
  /** Aborted when the job is to be given up. */
  readonly signal: AbortSignal
  /** Tells how many of its images are done. */
  progress(images: number): void
}

/** What came of a job. It is the content of its done mark, which is written last. */
export interface JobResult {
  readonly kind: string
  /** The adapter that computed, or null where nothing was computed. */
  readonly adapter: string | null
  readonly images: number
  /** The images that could not be read, with the reason. */
  readonly broken: readonly { readonly name: string; readonly reason: string }[]
  /** What it wrote, below the address of the store that its kind writes to. */
  readonly outputs: readonly { readonly path: string; readonly sha256: string }[]
  /** What else its kind tells. */
  readonly facts: Readonly<Record<string, unknown>>
}

/** How one kind of job is done. */
export interface JobKind<Input = unknown> {
  readonly name: string
  /**
   * Reads what a job says, which may come from anybody who reaches the queue.
   * @throws JobError for what this kind does not say
   */
  check(task: Readonly<Record<string, unknown>>): void
  /** Reads what `run` needs, such as the bytes of its images: meanwhile another job computes. */
  read(job: Job, context: JobContext): Promise<Input>
  /**
   * Does it, while no other job of this process computes: a function of the job, of what it refers
   * to, and of the engine.
   * @throws JobError for what cannot succeed on any machine; any other error may go well elsewhere
   */
  run(job: Job, context: JobContext, input: Input): Promise<Omit<JobResult, 'kind'>>
}

/** A job that cannot succeed on any machine: what it says is wrong, or not allowed. */
export class JobError extends GraftError {
  constructor(message: string, options?: ErrorOptions) {
    super('job', message, options)
  }
}
