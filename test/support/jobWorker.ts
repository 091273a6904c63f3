/** A worker for tests, in a process of its own that can be killed; its arguments are JSON. */
import { runWorker } from '../../src/jobs/node/queueWorker.ts'
import type { Timing } from '../../src/jobs/node/timing.ts'
import { Stores } from '../../src/store/node/openStore.ts'
import { shout } from './testJobs.ts'

export interface JobWorkerArguments {
  readonly url: string
  readonly name: string
  readonly stores: readonly string[]
  readonly timing: Partial<Timing>
  readonly idle?: number
}

const { url, name, stores, timing, idle } = JSON.parse(
  process.argv[2] ?? '{}',
) as JobWorkerArguments
const given = new Stores(stores)
const stop = new AbortController()
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => stop.abort())
const summary = await runWorker({
  url,
  name,
  idle,
  timing,
  signal: stop.signal,
  tools: {
    kinds: [shout],
    store: (address) => given.store(address),
    openEngine: () => Promise.reject(new Error('shouts need no engine')),
  },
  onEvent: (event) => console.log(JSON.stringify(event)),
})
console.log(JSON.stringify({ type: 'result', ...summary }))
await given.close()
