import { type Command, Option } from 'commander'
import { UsageError } from '../../base/errors.ts'
import { counted, thousands } from '../../base/format.ts'
import { createEngine } from '../../index.ts'
import { jobKinds } from '../../jobs/node/kinds.ts'
import { runWorker } from '../../jobs/node/queueWorker.ts'
import type { WorkerEvent } from '../../jobs/node/workerEvents.ts'
import { Stores } from '../../store/node/openStore.ts'
import type { Engine } from '../../tensor/tensor.ts'
import { describeEngine } from '../describe.ts'
import { Stop } from '../interrupt.ts'
import { type CommonOptions, number, withCommon } from '../options.ts'
import { Output } from '../output.ts'
import { type QueueOptions, withQueue } from '../queueOptions.ts'

interface WorkerOptions extends CommonOptions, QueueOptions {
  readonly store?: readonly string[]
  readonly idle?: number
}

export function addWorker(command: Command): void {
  withQueue(command, 'take jobs from this queue')
    .addOption(
      new Option(
        '--store <address...>',
        'read and write below these addresses, and nowhere else: s3://bucket/folder, a folder',
      ).env('GRAFT_STORE'),
    )
    .option(
      '--idle <seconds>',
      'end after so many seconds without a job (default: wait for more)',
      number({ above: 0 }),
    )
  withCommon(command).addHelpText(
    'after',
    `
Start it on as many machines as there are: each computes on its own adapter. Ctrl-C (or a SIGTERM)
finishes what computes, gives back the rest to the queue, and ends. Keys of S3 come from the
environment or a profile, as for the AWS command line. On PostgreSQL the first worker makes the
tables of the queue, in the schema bullmq.

Examples:
  npx graft-webgpu worker --queue redis://host --store s3://photos s3://work
  npx graft-webgpu worker --queue postgres://graft@host/graft --store /shared/photos --idle 60`,
  )
  command.action(run)
}

async function run(options: WorkerOptions): Promise<void> {
  const { queue: url, store: addresses = [], adapter, idle, telemetry } = options
  if (!url) throw new UsageError('a worker needs --queue URL (or GRAFT_QUEUE in the environment)')
  const given = addresses.flatMap((one) => one.split(/\s+/)).filter((one) => one !== '')
  if (given.length === 0)
    throw new UsageError('a worker needs --store ADDRESS: where it may read and write')
  const output = new Output(options.json)
  const stop = new Stop(() => output.warn('finishing what computes; Ctrl-C once more ends at once'))
  const stores = new Stores(given)
  // The first one is opened before any job is taken: a machine without an adapter takes none.
  let first: Engine | null = await createEngine({ adapter })
  const openEngine = async (): Promise<Engine> => {
    const engine = first ?? (await createEngine({ adapter }))
    first = null
    return engine
  }
  try {
    describeEngine(output, first)
    const summary = await runWorker({
      url,
      telemetry,
      idle,
      tools: { kinds: jobKinds, store: (address) => stores.store(address), openEngine },
      signal: stop.signal,
      onEvent: (event) => tell(event, output),
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
