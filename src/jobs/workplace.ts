import { DeviceLostError } from '../base/errors.ts'
import { isRecord } from '../base/json.ts'
import { printable } from '../base/printable.ts'
import { numberRule } from '../base/rule.ts'
import { type Store, StoreError } from '../store/store.ts'
import type { Engine } from '../tensor/tensor.ts'
import { findDone, markDone } from './doneMark.ts'
import { jobId } from './identity.ts'
import {
  type Job,
  JobError,
  type JobKind,
  type JobResult,
  mostJobBytes,
  mostJobImages,
} from './job.ts'

/** What a process does jobs with. */
export interface Tools {
  readonly kinds: readonly JobKind[]
  /** @throws StoreError `refused` for the address of a store that this process was not given */
  readonly store: (address: string) => Promise<Store>
  /** Opens an engine: at the first job that computes, and after a device was lost. */
  readonly openEngine: () => Promise<Engine>
}

/** What is told of a job, and how it is given up. */
export interface Watch {
  readonly signal: AbortSignal
  readonly progress?: (images: number) => void
  /** It is this job's turn to compute. */
  readonly computing?: () => void
}

const imageCount = numberRule({ integer: true, min: 0, max: mostJobImages })

/**
 * A process that does jobs: while one computes, others read what they need. Everything that a
 * runner does to a job goes through here, whether the job was made in this process or came from a
 * queue that others reach.
 */
export class Workplace {
  readonly #tools: Tools
  #engine: Promise<Engine> | null = null
  #turn: Promise<unknown> = Promise.resolve()

  constructor(tools: Tools) {
    this.#tools = tools
  }

  /**
   * Does a job, unless it is done.
   * @returns what came of it, and whether it was found done
   * @throws JobError for a job that cannot succeed on any machine
   */
  async do(job: Job, watch: Watch): Promise<{ result: JobResult; found: boolean }> {
    const { signal, progress = () => {} } = watch
    const kind = this.#kindOf(job)
    const id = await jobId(job)
    const store = await this.#tools.store(job.work)
    const known = await findDone(store, id)
    if (known) return { result: known, found: true }
    const engine = () => this.#openedEngine()
    const context = { store: this.#tools.store, engine, signal, progress }
    const input = await kind.read(job, context)
    const done = await this.#inTurn(async () => {
      signal.throwIfAborted()
      watch.computing?.()
      return await kind.run(job, context, input)
    })
    const result = { kind: kind.name, ...done }
    await markDone(store, id, result)
    return { result, found: false }
  }

  async close(): Promise<void> {
    await this.#dropEngine()
  }

  #kindOf(job: Job): JobKind {
    const kind = this.#tools.kinds.find(({ name }) => name === job.kind)
    if (!kind) {
      const known = this.#tools.kinds.map(({ name }) => name).join(', ')
      throw new JobError(
        `no job of this Graft is called ${printable(job.kind.slice(0, 40))}; there is ${known}`,
      )
    }
    kind.check(job.task)
    return kind
  }

  /** Runs some work after all that came before; a failure of one is none of the next. */
  async #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const mine = this.#turn.then(work)
    this.#turn = mine.catch(() => {})
    try {
      return await mine
    } catch (error) {
      if (!(error instanceof DeviceLostError)) throw error
      // All that lies on a lost device is lost.
      await this.#dropEngine()
      const { reason } = error
      const said = `the GPU device was lost (${reason}): the next try gets another one`
      throw new DeviceLostError(said, { cause: error, reason })
    }
  }

  #openedEngine(): Promise<Engine> {
    if (!this.#engine) {
      const opening = this.#tools.openEngine()
      this.#engine = opening
      opening.catch(() => {
        if (this.#engine === opening) this.#engine = null
      })
    }
    return this.#engine
  }

  async #dropEngine(): Promise<void> {
    const opened = this.#engine
    this.#engine = null
    const engine = await opened?.catch(() => null)
    engine?.dispose()
  }
}

/**
 * A job that came from a queue, where anybody who reaches it may have put it.
 * @throws JobError for what is no job
 */
export function readJob(data: unknown): Job {
  const refuse = (what: string) => new JobError(`refused a job: ${what}`)
  if (!isRecord(data)) throw refuse('it is no object')
  if (JSON.stringify(data).length > mostJobBytes)
    throw refuse(`it is larger than ${mostJobBytes} bytes, and jobs hold references only`)
  const { kind, work, images, task, ...others } = data
  const [other] = Object.keys(others)
  if (other !== undefined) throw refuse(`it says ${other.slice(0, 40)}, which no job does`)
  if (typeof kind !== 'string') throw refuse('its kind is no text')
  if (typeof work !== 'string') throw refuse('the address of its store is no text')
  if (!imageCount.fits(images)) throw refuse(`its number of images has to be ${imageCount.words}`)
  if (!isRecord(task)) throw refuse('its task is no object')
  return { kind, work, images: Number(images), task }
}

/**
 * Whether a failure will be one again, on any machine. What one machine does not find, or may not
 * read, another one may.
 */
export function isFinal(error: unknown): boolean {
  if (error instanceof StoreError) return error.problem === 'refused'
  return error instanceof JobError
}
