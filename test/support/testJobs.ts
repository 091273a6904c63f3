/** A kind of job for tests: it writes what it was told in capitals, and can be told to go wrong. */
import { createHash } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import { type Job, JobError, type JobKind } from '../../src/jobs/job.ts'
import type { Timing } from '../../src/jobs/node/timing.ts'
import { requirePath } from '../../src/store/store.ts'

export interface Shout {
  /** What to write, and under which name. */
  readonly text: string
  /** How long it takes, in milliseconds. */
  readonly takes?: number
  /** What happens instead. */
  readonly ill?: 'fails' | 'cannot' | 'kills' | 'hangs once' | 'computes'
}

/** The adapter that this process computes on, as its results say. */
const adapter = process.env.SHOUT_ADAPTER ?? 'a voice'

export const shout: JobKind<string> = {
  name: 'shout',
  check({ text }) {
    if (typeof text !== 'string') throw new JobError('the text of a shout is missing')
    requirePath(text)
  },
  read: async ({ task }) => String(task.text).toUpperCase(),
  async run(job, context, text) {
    const { takes = 0, ill } = job.task as unknown as Shout
    const store = await context.store(job.work)
    await pause(takes)
    if (ill === 'fails') throw new Error('it went wrong')
    if (ill === 'cannot') throw new JobError('nobody can do this')
    if (ill === 'kills') process.kill(process.pid, 'SIGKILL')
    if (ill === 'computes') await context.engine()
    if (ill === 'hangs once') {
      const first = await store.write(`hung/${text}`, new Uint8Array(1), { ifAbsent: true })
      if (first) await pause(1e9, null, { ref: false })
    }
    context.progress(job.images)
    const path = `shouts/${String(job.task.text)}`
    const content = new TextEncoder().encode(text)
    await store.write(path, content)
    const sha256 = createHash('sha256').update(content).digest('hex')
    return { adapter, images: job.images, broken: [], outputs: [{ path, sha256 }], facts: {} }
  },
}

export function shoutJob(work: string, task: Shout, images = 100): Job {
  return { kind: shout.name, work, images, task: { ...task } }
}

/** Waits that a test can afford. */
export const shortTiming: Timing = {
  lock: 2000,
  stalled: 1000,
  backoff: 200,
  sweep: 500,
  patience: 30_000,
  // Longer than it takes to notice that a worker has died.
  deadline: 4000,
  mark: 500,
  grace: 1000,
}
