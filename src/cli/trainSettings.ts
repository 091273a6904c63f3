import { join, resolve } from 'node:path'
import type { Command } from 'commander'
import { UsageError } from '../base/errors.ts'
import { misfit } from '../base/form.ts'
import { option, optionText } from '../base/optionText.ts'
import { runFiles } from '../base/runFiles.ts'
import type { LoadOptions } from '../base/stateDict.ts'
import type { Variant } from '../nn/alexnet.ts'
import type { LearningRateOptions } from '../train/findLearningRate.ts'
import { shippedWeights } from '../train/options/setup.ts'
import { stepOptions } from '../train/options/table.ts'
import type { RunConfig } from '../train/runFolder.ts'
import {
  fitOptionsOf,
  flaggedNames,
  pick,
  settingNames,
  type TrainSettings,
} from '../train/settings.ts'
import { findWeights } from '../weights/node/store.ts'
import { isShipped, namedWeights } from '../weights/registry.ts'
import { type CommonOptions, offlineOption } from './options.ts'
import { flagName, table, tableOption } from './tableOptions.ts'

export interface TrainOptions extends TrainSettings, CommonOptions {
  readonly offline?: boolean
  readonly force?: boolean
  readonly out?: string
}

/** The options that belong to one session of `graft train`. */
export const sessionNames = flaggedNames.filter((name) => table[name].flag?.session)
/** Those that a resumed run may not change. */
const fixedNames = settingNames.filter((name) => ['bits', 'run'].includes(table[name].decisive))
/** Those that single steps do not depend on. */
export const wholeRunNames = settingNames.filter((name) => !table[name].step)

/** Adds the options that a run's config keeps, and --offline. */
export function withTrainOptions(command: Command): Command {
  for (const name of settingNames) command.addOption(tableOption(name))
  return command.addOption(offlineOption())
}

/** The settings among the options, without what is undefined. */
export function settingsOf(options: TrainOptions): TrainSettings {
  return pick(options, settingNames) as unknown as TrainSettings
}

/** The options of `findLearningRate` that the settings name. */
export function stepOptionsOf(settings: TrainSettings): LearningRateOptions {
  const options = pick(fitOptionsOf(settings), stepOptions)
  // Groups change a step only by their rates, which the search has from the spread alone.
  return settings.lrSpread === undefined && settings.headEpochs
    ? { ...options, layerGroups: undefined }
    : options
}

/**
 * Refuses options that would have no effect beside others.
 * @throws UsageError where --scenario auto, or random weights, leave an option nothing to decide
 */
export function checkSettings({ scenario, replace, cut, init, weights }: TrainSettings): void {
  if (scenario === 'auto' && (replace !== undefined || cut !== undefined))
    throw new UsageError(
      '--scenario auto, the default, picks the cut and what is replaced: leave --cut and ' +
        '--replace out, or name a scenario, such as --scenario small-similar',
    )
  if (scenario === 'auto' && init === 'pretrained')
    throw new UsageError(
      '--init pretrained is for --scenario large-different; auto picks what training starts from',
    )
  if (weights === 'none' && init === 'pretrained')
    throw new UsageError('--init pretrained keeps trained weights, and --weights none has none')
}

/**
 * The settings that a resumed run continues with: its own, except for those that were typed.
 * @param typed whether an option was typed
 * @throws UsageError if a typed one may not change, and differs from the run's, or if one of the
 * run's is none
 */
export function resumedSettings(
  options: TrainOptions,
  typed: (name: string) => boolean,
  { options: all }: RunConfig,
  folder: string,
): TrainSettings {
  const [now, saved] = [settingsOf(options), pick({ ...olderDefaults(all), ...all }, settingNames)]
  for (const [name, value] of Object.entries(saved)) {
    const { flag, rule } = table[name as keyof typeof table]
    const form = flag?.rule ?? rule
    const wrong = form && misfit(value, form, `options.${name}`)
    if (wrong) throw new UsageError(`${join(folder, runFiles.config)} is damaged: ${wrong}`)
  }
  for (const name of fixedNames.filter(typed)) {
    const [before, after] = [saved[name], now[name]]
    if (comparable(name, before) === comparable(name, after)) continue
    const flag = flagName(name)
    const value = typeof before === 'object' ? JSON.stringify(before) : String(before)
    const started = before === undefined ? `without ${flag}` : `with ${flag} ${value}`
    throw new UsageError(
      `${folder} was started ${started}; leave ${flag} out to continue it, ` +
        'or train into another folder with --out',
    )
  }
  const mayChange = settingNames.filter((name) => name === 'weights' || !fixedNames.includes(name))
  return { ...now, ...saved, ...pick(now, mayChange.filter(typed)) }
}

/** What applied to runs that do not say which epoch they keep: the best was not kept by default. */
function olderDefaults(all: RunConfig['options']): Partial<TrainSettings> {
  if ('keep' in all) return {}
  return all.patience === undefined ? { keep: 'last' } : { keep: 'best', monitor: 'loss' }
}

/** The text by which two values are compared: for a file of weights, its absolute path. */
function comparable(name: string, value: unknown): string | undefined {
  const isFile =
    name === 'weights' && typeof value === 'string' && value !== 'none' && !findWeights(value)
  return JSON.stringify(isFile ? resolve(value) : value)
}

/**
 * Which network to build: its weights, if they are not random, and its variant, if the weights do
 * not decide it.
 * @throws UsageError for a variant without named weights, if pretrained ones are needed
 */
export function chooseNetwork({
  weights,
  weightsKey,
  weightsPrefix,
  variant,
  scenario,
  init,
}: LoadOptions & Pick<TrainSettings, 'weights' | 'variant' | 'scenario' | 'init'>): LoadOptions & {
  readonly weights?: string
  readonly variant?: Variant
} {
  const needless = weightsKey === undefined ? 'weightsPrefix' : 'weightsKey'
  if ((weightsKey ?? weightsPrefix) !== undefined && (!weights || weights === 'none'))
    throw new UsageError(
      optionText`${option(needless)} says where in a file the weights are: name the file with
        ${option('weights')}, or leave it out`,
    )
  if (weights === 'none') return { variant: variant ?? 'alexnet-64' }
  if (weights) return { weights, weightsKey, weightsPrefix, ...(variant ? { variant } : {}) }
  if (!variant) return { weights: shippedWeights }
  const known = namedWeights.find((named) => named.variant === variant)
  const random = scenario === 'large-different' && init !== 'pretrained'
  // Weights that a random start would not use are not fetched.
  if (known && !(random && !isShipped(known))) return { weights: known.name, variant }
  if (random) return { variant }
  throw new UsageError(
    `Graft knows no weights for ${variant}: give a file with --weights, ` +
      'or --weights none for random ones',
  )
}
