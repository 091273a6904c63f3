import { type Command, Option } from 'commander'
import { UsageError } from '../../base/errors.ts'
import { number, withCommon } from '../options.ts'
import { Output } from '../output.ts'
import { withQueue } from '../queueOptions.ts'
import { isSupervised, supervise } from '../supervise.ts'
import type { WorkerOptions } from '../workInQueue.ts'

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
finishes what computes, gives back the rest to the queue, and ends. A process that dies, of a shard
that takes all memory for one, is followed by another one. Keys of S3 come from the
environment or a profile, as for the AWS command line. On PostgreSQL the first worker makes the
tables of the queue, in the schema bullmq.

Examples:
  npx graft-webgpu worker --queue redis://host --store s3://photos s3://work
  npx graft-webgpu worker --queue postgres://graft@host/graft --store /shared/photos --idle 60`,
  )
  command.action(run)
}

async function run(options: WorkerOptions): Promise<void> {
  const { queue: url, store: addresses = [] } = options
  if (!url) throw new UsageError('a worker needs --queue URL (or GRAFT_QUEUE in the environment)')
  const stores = addresses.flatMap((one) => one.split(/\s+/)).filter((one) => one !== '')
  if (stores.length === 0)
    throw new UsageError('a worker needs --store ADDRESS: where it may read and write')
  // A shard that takes all memory ends a process, and not the worker.
  if (!isSupervised()) return await supervise((text) => new Output(options.json).complain(text))
  const { workInQueue } = await import('../workInQueue.ts')
  await workInQueue(url, stores, options)
}
