/** A kind of job for tests: it writes what it read, in capitals, and can be told to go wrong. */
import { createHash } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import { type Job, JobError, type JobKind } from '../../src/jobs/job.ts'
import { requirePath } from '../../src/store/store.ts'

export interface Shout {
  /** What to write. */
  readonly text: string
  /** How long it takes, in milliseconds. */
  readonly takes?: number
  /** What happens instead. */
  readonly ill?: 'fails' | 'cannot' | 'kills'
}

export const shout: JobKind<string> = {
  name: 'shout',
  check({ text }) {
    if (typeof text !== 'string') throw new JobError('the text of a shout is missing')
    requirePath(text)
  },
  read: async ({ task }) => String(task.text).toUpperCase(),
  async run(job, context, text) {
    const { takes = 0, ill } = job.task as unknown as Shout
    await pause(takes)
    if (ill === 'fails') throw new Error('it went wrong')
    if (ill === 'cannot') throw new JobError('nobody can do this')
    if (ill === 'kills') process.kill(process.pid, 'SIGKILL')
    context.progress(job.images)
    const store = await context.store(job.work)
    const path = `shouts/${job.task.text}`
    const content = new TextEncoder().encode(text)
    await store.write(path, content)
    const sha256 = createHash('sha256').update(content).digest('hex')
    const outputs = [{ path, sha256 }]
    return {
      adapter: `worker ${process.env.ADAPTER ?? ''}`,
      images: job.images,
      broken: [],
      outputs,
      facts: {},
    }
  },
}

export function shoutJob(work: string, task: Shout, images = 100): Job {
  return { kind: shout.name, work, images, task: { ...task } }
}
