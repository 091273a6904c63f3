import { join } from 'node:path'
import type { Command } from 'commander'
import { at } from '../base/at.ts'
import { UsageError } from '../base/errors.ts'
import { misfit } from '../base/form.ts'
import { counted } from '../base/format.ts'
import { runFiles } from '../base/runFiles.ts'
import type { ImageDataset } from '../data/dataset.ts'
import { isStored } from '../host/host.ts'
import type { Network } from '../nn/network.ts'
import { parseAddress, rootOf, writeAddress } from '../store/node/address.ts'
import type { FitResult } from '../train/fit.ts'
import type { FitOptions } from '../train/fitOptions.ts'
import { resolveOptions } from '../train/options/resolve.ts'
import { type RoundOptions, roundNames, roundOptions } from '../train/options/rounds.ts'
import type { RunConfig } from '../train/runFolder.ts'
import type { Plan } from '../transfer/scenario.ts'
import { type JobOptions, withRunner } from './jobOptions.ts'
import { JobProgress } from './jobProgress.ts'
import type { CommonOptions } from './options.ts'
import type { Output } from './output.ts'
import { addressOf } from './spreadTrain.ts'
import { flagName, tableOption } from './tableOptions.ts'

/** Adds the options of a training by rounds. */
export function withRounds(command: Command): Command {
  for (const name of roundNames) command.addOption(tableOption(name))
  return command
}

/** The options of a training by rounds among all, without what is undefined. */
export function roundsOf(options: RoundOptions): RoundOptions {
  return Object.fromEntries(
    roundNames.flatMap((name) => (options[name] === undefined ? [] : [[name, options[name]]])),
  )
}

/**
 * The options that a resumed run continues with: its own, except for those that were typed.
 * @param typed whether an option was typed
 * @throws UsageError if a typed one may not change, and differs from the run's, or if one of the
 * run's is none
 */
export function resumedRounds<T extends RoundOptions>(
  options: T,
  typed: (name: string) => boolean,
  config: RunConfig,
  folder: string,
): T {
  const saved: Record<string, unknown> = {}
  for (const name of roundNames) {
    const value = config.options[name]
    const { rule, decisive } = roundOptions[name]
    const wrong = value === undefined ? null : misfit(value, rule, `options.${name}`)
    if (wrong) throw new UsageError(`${join(folder, runFiles.config)} is damaged: ${wrong}`)
    const fixed = decisive === 'run'
    const now = options[name]
    if (typed(name) && fixed && now !== (value ?? (name === 'rounds' ? false : undefined)))
      throw new UsageError(
        `${folder} was started ${value === undefined ? 'without' : `with ${value} as`} ` +
          `${flagName(name)}; leave it out to continue it, or train into another folder with --out`,
      )
    saved[name] = typed(name) ? now : value
  }
  return { ...options, ...saved }
}

/**
 * Refuses what has no meaning, before anything is read.
 * @throws UsageError for options of rounds without --rounds, or --queue without a store
 */
export function checkRounds(options: RoundOptions & JobOptions, command: Command): void {
  const typed = roundNames.find(
    (name) => name !== 'rounds' && command.getOptionValueSource(name) === 'cli',
  )
  if (!options.rounds && typed)
    throw new UsageError(`${flagName(typed)} is for a training by rounds: give --rounds, too`)
  if (options.rounds && options.queue && options.store === undefined)
    throw new UsageError(
      '--queue needs --store ADDRESS: a place that this machine and all workers reach, such as ' +
        's3://bucket/work, where they leave what they compute',
    )
  if (options.shardSize !== undefined && options.rounds)
    throw new UsageError('--shard-size is not for --rounds: --slots divides the images')
}

/** Trains by rounds, with the workers of a queue or in this process, and shows every round. */
export async function roundTrain(
  model: Network,
  options: RoundOptions & JobOptions & CommonOptions,
  job: {
    readonly dir: string
    readonly folder: string
    readonly data: ImageDataset
    readonly plan: Plan
    readonly output: Output
    /** Told how many rounds there are. */
    readonly onRounds: (rounds: number) => void
  },
  fitOptions: FitOptions,
): Promise<FitResult> {
  const { dir, folder, data, plan, output, onRounds } = job
  const first = data.train.at(0)?.source
  if (first === undefined || !isStored(first))
    throw new TypeError(`${dir} was not opened as a store`)
  const root = rootOf(addressOf(dir), first.address)
  const place = options.store ?? writeAddress(parseAddress(join(folder, 'rounds')))
  const { rounds: _, ...rounds } = roundsOf(options)
  const { divide } = await import('../jobs/node/planRounds.ts')
  const { trainRounds } = await import('../jobs/node/trainRounds.ts')
  const { steps, slots, lr } = divide(data, resolveOptions(fitOptions), rounds)
  output.labeled(
    'rounds',
    `${counted(steps.length, 'round')} of ${counted(at(steps, 0), 'step')}, ` +
      `${counted(slots, 'slot')}, each with the learning rate ${Number(lr.toPrecision(3))}`,
  )
  let progress: { readonly round: number; readonly shown: JobProgress } | null = null
  let found = 0
  return withRunner(options, options.adapter, async ({ runner, store }) =>
    trainRounds(model, data, root, {
      ...fitOptions,
      rounds,
      runner,
      work: await store(place),
      plan,
      sameAdapter: options.sameAdapter,
      onJobs: (event, { round, images }) => {
        if (progress?.round !== round)
          progress = { round, shown: new JobProgress(output, `round ${round}`, images) }
        progress.shown.onEvent(event)
      },
      onRound: (event) => {
        output.endProgress()
        output.event({ ...event })
        onRounds(event.rounds)
        if (event.found) found++
        else if (found > 0) {
          output.labeled('resumed', `after round ${found}, from ${place}`)
          found = 0
        }
        for (const { slot, reason } of event.dropped)
          output.warn(
            `round ${event.round} goes on with ${event.slots - event.dropped.length} of ` +
              `${counted(event.slots, 'slot')}, without slot ${slot + 1}: ${reason}`,
          )
      },
    }),
  )
}
