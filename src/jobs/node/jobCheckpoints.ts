/** Checkpoints of a job that trains, in the work store: its next worker goes on from them. */
import { WeightsError } from '../../base/errors.ts'
import { type Form, misfit } from '../../base/form.ts'
import { JsonProblem, parseBounded } from '../../base/json.ts'
import { text } from '../../base/rule.ts'
import { sha256 } from '../../base/sha256.ts'
import type { Files } from '../../host/host.ts'
import type { Store } from '../../store/store.ts'
import { concat } from '../../weights/arrays.ts'
import { JobError } from '../job.ts'

/** Writing them takes at most one part in so many of the time. */
const timeShare = 20
/** The most bytes of one. */
const mostBytes = 2 ** 32

interface Broken {
  readonly name: string
  readonly reason: string
}
const form: Form<readonly Broken[]> = { each: { fields: { name: text, reason: text } } }

/** The checkpoints of a job on one kind of adapter: another one, whose bits differ, begins anew. */
export class JobCheckpoints implements Files {
  /** Broken images by name, with the reason: those seen before the job was stopped, too. */
  readonly broken = new Map<string, string>()
  readonly folder: string
  readonly #work: Store
  readonly #all: string
  #brokenWritten = 0
  #dueAt = Number.NEGATIVE_INFINITY

  private constructor(work: Store, run: string, adapter: string) {
    this.#work = work
    this.#all = `${run}/checkpoints`
    this.folder = `${this.#all}/${adapter}`
  }

  /** @param run the folder of the job's run, in the work store */
  static async open(work: Store, run: string, adapter: string): Promise<JobCheckpoints> {
    const name = await sha256(new TextEncoder().encode(adapter))
    const opened = new JobCheckpoints(work, run, name.slice(0, 16))
    await opened.#readBroken()
    return opened
  }

  async read(path: string): Promise<Uint8Array | null> {
    const found = await this.#work.stat(path)
    if (!found) return null
    if (found.bytes > mostBytes)
      throw new WeightsError(`${this.#work.address}/${path} has more than ${mostBytes} bytes`)
    return this.#work.read(path)
  }

  /** Writes one, unless it is too soon after the last: epochs of stored features take no time. */
  async write(path: string, parts: readonly Uint8Array[]): Promise<void> {
    const began = performance.now()
    if (began < this.#dueAt) return
    if (this.broken.size > this.#brokenWritten) {
      const list = Array.from(this.broken, ([name, reason]): Broken => ({ name, reason }))
      await this.#work.write(this.#brokenPath, new TextEncoder().encode(JSON.stringify(list)))
      this.#brokenWritten = list.length
    }
    await this.#work.write(path, concat(parts))
    const now = performance.now()
    this.#dueAt = now + timeShare * (now - began)
  }

  async remove(path: string): Promise<void> {
    await this.#work.remove(path)
  }

  /** A store leaves nothing of an interrupted write that is in the way. */
  async sweep(): Promise<void> {}

  /** Removes all of the job, which is done. */
  async clear(): Promise<void> {
    for await (const { path } of this.#work.list(this.#all)) await this.#work.remove(path)
  }

  get #brokenPath(): string {
    return `${this.folder}/broken.json`
  }

  async #readBroken(): Promise<void> {
    const bytes = await this.read(this.#brokenPath)
    if (!bytes) return
    const where = `${this.#work.address}/${this.#brokenPath}`
    try {
      const list = parseBounded(bytes)
      const wrong = misfit(list, form)
      if (wrong !== null) throw new JobError(`${where} is no list of images (${wrong}): remove it`)
      for (const { name, reason } of list as readonly Broken[]) this.broken.set(name, reason)
    } catch (cause) {
      if (!(cause instanceof JsonProblem)) throw cause
      throw new JobError(`${where} ${cause.message}: remove it`, { cause })
    }
    this.#brokenWritten = this.broken.size
  }
}
