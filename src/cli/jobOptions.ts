import { type Command, Option } from 'commander'
import { UsageError } from '../base/errors.ts'
import type { AdapterChoice } from '../host/host.ts'
import type { Runner } from '../jobs/runner.ts'
import { mostImages } from '../jobs/shards.ts'
import type { Store } from '../store/store.ts'
import { number, path } from './options.ts'
import { type QueueOptions, withQueue } from './queueOptions.ts'

/** The options of every command that divides its work into jobs. */
export interface JobOptions extends QueueOptions {
  readonly store?: string
  readonly sameAdapter?: boolean
  readonly shardSize?: number
}

/** Adds the options of jobs. */
export function withJobs(command: Command, help: string, storeHelp: string): Command {
  return withQueue(command, help)
    .addOption(new Option('--store <address>', storeHelp).argParser(path))
    .option('--same-adapter', 'refuse results of several kinds of adapters: their last bits differ')
    .option(
      '--shard-size <n>',
      `images of a job, 1 to ${mostImages} (default: what suits their number)`,
      number({ integer: true, min: 1, max: mostImages }),
    )
}

/** What jobs are given to, and the stores that they are about. */
export interface Jobs {
  readonly runner: Runner
  readonly store: (address: string) => Promise<Store>
}

/**
 * Runs a command's work with what does its jobs: the workers of a queue, or this process.
 * @throws QueueError if the queue cannot be reached
 */
export async function withRunner<T>(
  { queue: url, telemetry }: JobOptions,
  adapter: AdapterChoice,
  work: (jobs: Jobs) => Promise<T>,
): Promise<T> {
  const { openStore } = await import('../store/node/openStore.ts')
  const stores = new Map<string, Promise<Store>>()
  const store = (address: string): Promise<Store> => {
    const opened = stores.get(address) ?? openStore(address)
    stores.set(address, opened)
    return opened
  }
  const runner = url
    ? await (await import('../jobs/node/queueRunner.ts')).openQueueRunner({ url, store, telemetry })
    : await runnerHere(store, adapter)
  try {
    return await work({ runner, store })
  } finally {
    await runner.close()
    for (const opened of stores.values()) await (await opened.catch(() => null))?.close()
  }
}

async function runnerHere(store: Jobs['store'], adapter: AdapterChoice): Promise<Runner> {
  const [{ HereRunner }, { jobKinds }, { Workplace }, { createEngine }] = await Promise.all([
    import('../jobs/here.ts'),
    import('../jobs/node/kinds.ts'),
    import('../jobs/workplace.ts'),
    import('../nodeHost.ts'),
  ])
  return new HereRunner(
    new Workplace({ kinds: jobKinds, store, openEngine: () => createEngine({ adapter }) }),
  )
}

const names: readonly (keyof JobOptions)[] = [
  'queue',
  'telemetry',
  'store',
  'sameAdapter',
  'shardSize',
]

/**
 * @param remedy what gives them a meaning
 * @throws UsageError for typed options of jobs where there are none
 */
export function requireNoJobs(command: Command, remedy: string): void {
  const typed = command.options.find((option) => {
    const name = option.attributeName()
    return names.some((one) => one === name) && command.getOptionValueSource(name) === 'cli'
  })
  if (typed) throw new UsageError(`${typed.long} is for work that is divided into jobs: ${remedy}`)
}
