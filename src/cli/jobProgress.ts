import { counted, thousands } from '../base/format.ts'
import type { JobEvent } from '../jobs/runner.ts'
import { invocation } from './invocation.ts'
import type { Output } from './output.ts'

/** Milliseconds between two events of progress in JSON. */
const tellEvery = 1000
/** Images a second are those of so many milliseconds. */
const paceOver = 30_000

/**
 * Shows jobs while they are done: one bar with the shards and images that are done, how many
 * workers there are, and how fast they are together.
 */
export class JobProgress {
  readonly #output: Output
  readonly #label: string
  readonly #images: number
  #told = Number.NEGATIVE_INFINITY
  #alone = false
  readonly #marks: { readonly at: number; readonly images: number }[] = []

  /**
   * @param label what the jobs do, as the bar's label: 'features'
   * @param images how many images all jobs have together
   */
  constructor(output: Output, label: string, images: number) {
    this.#output = output
    this.#label = label
    this.#images = images
  }

  readonly onEvent = (event: JobEvent): void => {
    if (event.type !== 'jobs') {
      this.#output.event(event)
      const what = event.type === 'job-failed' ? 'failed for good' : 'is tried again'
      this.#output.warn(`shard ${event.id} ${what}: ${event.reason}`)
      return
    }
    const now = performance.now()
    const pace = this.#paceAt(now, event.images)
    const ended = event.done + event.failed >= event.total
    if (ended || now - this.#told >= tellEvery) {
      this.#told = now
      this.#output.event({ ...event, imagesPerSecond: Math.round(10 * pace) / 10 })
    }
    this.#tellOfWorkers(event.workers, ended)
    const parts = [
      `${thousands(event.images)} of ${thousands(this.#images)} images`,
      ...(pace > 0 ? [`${thousands(Math.round(pace))}/s`] : []),
      `${event.done}/${event.total} shards`,
      ...(event.failed > 0 ? [`${event.failed} failed`] : []),
      `${event.active} in flight`,
      counted(event.workers, 'worker'),
    ]
    const done = ended ? this.#images : Math.min(event.images, this.#images - 1)
    this.#output.progress(this.#label, done, this.#images, parts.join('  '))
  }

  /** Images a second, over the last half a minute. */
  #paceAt(now: number, images: number): number {
    this.#marks.push({ at: now, images })
    while (this.#marks.length > 2 && now - (this.#marks[0]?.at ?? now) > paceOver)
      this.#marks.shift()
    const first = this.#marks[0]
    if (!first || now - first.at < 500) return 0
    return (1000 * Math.max(0, images - first.images)) / (now - first.at)
  }

  /** Nothing goes on without a worker, and a bar alone does not say why. */
  #tellOfWorkers(workers: number, ended: boolean): void {
    if (workers > 0) this.#alone = false
    else if (!this.#alone && !ended && this.#marks.length > 1) {
      this.#alone = true
      this.#output.warn(
        'no worker is alive: the jobs wait until one is started ' +
          `(${invocation()} worker --queue … --store …)`,
      )
    }
  }
}
