/** A worker for tests, in a process of its own that can be killed; its argument is JSON. */
import { runWorker } from '../../src/jobs/node/queueWorker.ts'
import { Stores } from '../../src/store/node/openStore.ts'
import { shortTiming, shout } from './testJobs.ts'

const { url, name, stores, deaths } = JSON.parse(process.argv[2] ?? '{}') as {
  readonly url: string
  readonly name: string
  readonly stores: readonly string[]
  readonly deaths?: number
}
const given = new Stores(stores)
const stop = new AbortController()
process.once('SIGTERM', () => stop.abort())
process.once('disconnect', () => process.exit())
await runWorker({
  url,
  name,
  deaths,
  timing: shortTiming,
  signal: stop.signal,
  tools: {
    kinds: [shout],
    store: (address) => given.store(address),
    openEngine: () => Promise.reject(new Error('shouts need no engine')),
  },
  onEvent: (event) => process.send?.(event),
})
await given.close()
process.disconnect()
