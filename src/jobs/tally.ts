import type { JobEvent, Outcome, RunOptions } from './runner.ts'

/** What stands where while jobs are done, told as events. */
export class Tally {
  readonly #options: RunOptions
  readonly #active = new Map<string, number>()
  #done = 0
  #failed = 0
  #found = 0
  #images = 0
  #workers = 0

  constructor(options: RunOptions) {
    this.#options = options
  }

  /** A job is in flight. */
  begin(id: string): void {
    this.#active.set(id, 0)
    this.tell()
  }

  /** A job in flight is waiting again. */
  back(id: string): void {
    if (this.#active.delete(id)) this.tell()
  }

  progress(id: string, images: number): void {
    if (!this.#active.has(id)) return
    this.#active.set(id, images)
    this.tell()
  }

  again(id: string, reason: string): void {
    this.#active.delete(id)
    this.#options.onEvent?.({ type: 'job-again', id, reason })
    this.tell()
  }

  /** A job is done, or has failed for good. */
  settle(outcome: Outcome, found = false): Outcome {
    const { id } = outcome
    this.#active.delete(id)
    if ('failure' in outcome) {
      this.#failed++
      this.#options.onEvent?.({ type: 'job-failed', id, reason: outcome.failure })
    } else {
      this.#done++
      this.#images += outcome.result.images
      if (found) this.#found++
    }
    this.tell()
    this.#options.onOutcome?.(outcome)
    return outcome
  }

  tell({ workers = this.#workers } = {}): void {
    this.#workers = workers
    let images = this.#images
    for (const part of this.#active.values()) images += part
    const event: JobEvent = {
      type: 'jobs',
      total: this.#options.total,
      done: this.#done,
      failed: this.#failed,
      active: this.#active.size,
      images,
      workers,
      found: this.#found,
    }
    this.#options.onEvent?.(event)
  }
}
