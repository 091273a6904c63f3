import { counted, thousands } from '../base/format.ts'
import { createEngine } from '../index.ts'
import { jobKinds } from '../jobs/node/kinds.ts'
import { runWorker } from '../jobs/node/queueWorker.ts'
import type { WorkerEvent } from '../jobs/node/workerEvents.ts'
import { Stores } from '../store/node/openStore.ts'
import type { Engine } from '../tensor/tensor.ts'
import { describeEngine } from './describe.ts'
import { Stop } from './interrupt.ts'
import type { CommonOptions } from './options.ts'
import { Output } from './output.ts'
import type { QueueOptions } from './queueOptions.ts'
import { tellReady } from './supervise.ts'

export interface WorkerOptions extends CommonOptions, QueueOptions {
  readonly store?: readonly string[]
  readonly idle?: number
}

/** Does jobs of a queue in this process, until it is told to end. */
export async function workInQueue(
  url: string,
  addresses: readonly string[],
  { adapter, idle, telemetry, json }: WorkerOptions,
): Promise<void> {
  const output = new Output(json)
  const stop = new Stop(() => output.warn('finishing what computes; Ctrl-C once more ends at once'))
  const stores = new Stores(addresses)
  let first: Engine | null = null
  const openEngine = async (): Promise<Engine> => {
    const engine = first ?? (await createEngine({ adapter }))
    first = null
    return engine
  }
  try {
    // A machine without its stores or without an adapter takes no job.
    await stores.requireBuckets()
    first = await createEngine({ adapter })
    describeEngine(output, first)
    const summary = await runWorker({
      url,
      telemetry,
      idle,
      tools: { kinds: jobKinds, store: (address) => stores.store(address), openEngine },
      signal: stop.signal,
      onEvent: (event) => {
        if (event.type === 'ready') tellReady()
        tell(event, output)
      },
    })
    output.event({ type: 'result', ...summary })
    const { jobs, images, failed } = summary
    const also = failed > 0 ? `, ${counted(failed, 'failure')}` : ''
    output.labeled('done', `${counted(jobs, 'shard')}, ${thousands(images)} images${also}`)
    if (stop.signal.aborted) throw stop.error('the worker was stopped', { hasResult: true })
  } finally {
    stop.done()
    first?.dispose()
    await stores.close()
  }
}

function tell(event: WorkerEvent, output: Output): void {
  output.event(event)
  switch (event.type) {
    case 'migrated':
      output.labeled('tables', `made in the schema bullmq, version ${event.version}`)
      return
    case 'ready':
      output.labeled('worker', `${event.name} takes jobs from ${event.queue}`)
      return
    case 'job-done': {
      const { id, images, broken, seconds, found } = event
      const also = broken > 0 ? `, ${counted(broken, 'image')} broken` : ''
      const how = found ? 'done before' : `${seconds.toFixed(1)} s`
      output.labeled('shard', `${id}: ${counted(images, 'image')}${also}, ${how}`)
      return
    }
    case 'job-failed':
      output.warn(
        `shard ${event.id} failed${event.final ? ' for good' : ', and may be tried again'}: ` +
          event.reason,
      )
      return
    case 'job-back':
      output.warn(`shard ${event.id} is given back: ${event.reason}`)
      return
    case 'queue-lost':
      output.warn(`the queue does not answer (${event.reason}): trying again`)
      return
    case 'queue-found':
      output.warn('the queue answers again')
      return
    case 'job':
    case 'draining':
      return
  }
}
