import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { WorkerEvent } from '../../src/jobs/node/workerEvents.ts'

const program = fileURLToPath(new URL('jobWorker.ts', import.meta.url))

/** Workers in processes of their own: one that has died is followed by another one. */
export class JobCrew {
  readonly #argument: string
  readonly #alive = new Set<ChildProcess>()
  readonly #environment: Record<string, string>
  #ending = false
  /** How many have died. */
  deaths = 0

  constructor(
    options: { url: string; name: string; stores: readonly string[]; deaths?: number },
    workers: number,
    environment: Record<string, string> = {},
  ) {
    this.#argument = JSON.stringify(options)
    this.#environment = environment
    for (let i = 0; i < workers; i++) this.#start()
  }

  /** Resolves when any worker tells an event of a type. */
  async heard(type: WorkerEvent['type']): Promise<void> {
    await Promise.race(
      [...this.#alive].map(async (child) => {
        for (;;) {
          const [event] = (await once(child, 'message')) as [WorkerEvent]
          if (event.type === type) return
        }
      }),
    )
  }

  /** Kills a worker as the system would, without a word; `which` turns over those that are alive. */
  kill(which: number): void {
    const all = [...this.#alive]
    all[which % all.length]?.kill('SIGKILL')
  }

  #start(): void {
    const child = fork(program, [this.#argument], {
      execArgv: ['--import', 'tsx'],
      env: { ...process.env, ...this.#environment },
    })
    this.#alive.add(child)
    child.once('exit', () => {
      this.#alive.delete(child)
      if (this.#ending) return
      this.deaths++
      this.#start()
    })
  }

  async end(): Promise<void> {
    this.#ending = true
    const ended = [...this.#alive].map((child) => once(child, 'exit'))
    for (const child of this.#alive) child.kill('SIGKILL')
    await Promise.all(ended)
  }
}
