import { resolve } from 'node:path'
import { type Command, InvalidArgumentError, Option } from 'commander'
import { UsageError } from '../base/errors.ts'
import { augmentationOf } from '../data/augment.ts'
import { type Variant, variants } from '../nn/alexnet.ts'
import { type InitName, initNames } from '../nn/init.ts'
import { type OptimizerName, optimizers } from '../train/optimizers.ts'
import type { RunConfig } from '../train/runFolder.ts'
import { type Scenario, scenarios } from '../transfer/scenario.ts'
import { findWeights } from '../weights/node/store.ts'
import { isShipped, namedWeights } from '../weights/registry.ts'
import { type CommonOptions, count, number, seedNumber } from './options.ts'
import { type RecipeSettings, recipeFlags, withRecipeOptions } from './recipeOptions.ts'

/** What decides the numbers that a training gives; a run's config keeps it. */
export interface TrainSettings extends RecipeSettings {
  readonly weights?: string
  readonly variant?: Variant
  readonly scenario: Scenario | 'auto'
  readonly replace?: 'last' | 'all'
  readonly cut?: string
  readonly init?: InitName | 'pretrained'
  readonly epochs: number
  readonly batchSize: number
  /** A number by the time training begins. */
  readonly lr?: number | 'find'
  readonly optimizer: OptimizerName
  readonly weightDecay?: number
  /** As typed: `augmentationOf` reads it. */
  readonly augment?: true | string
  readonly cache: boolean
  readonly split: number
  readonly seed: number
  readonly strict?: boolean
}

export interface TrainOptions extends TrainSettings, CommonOptions {
  readonly offline?: boolean
  readonly resume?: boolean
  readonly force?: boolean
  readonly checkpointEvery?: number
  readonly out?: string
}

const defaultWeights = 'alexnet-64-tinyimagenet100'

/** `--split`, by which part of the images is held out. */
export function splitOption(): Option {
  const share = number({ above: 0, below: 1 })
  return new Option('--split <x>', 'share held out for validation, where the data does not say it')
    .argParser(share)
    .default(0.25)
}

/** `--augment`, by which images to train on are changed. */
export function augmentOption(): Option {
  const how = `light, standard or strong, and fields such as flip=0,rotation=15,crop=0.5-1`
  return new Option(
    '--augment [how]',
    `change the images to train on, anew in every epoch: ${how} (alone: standard)`,
  ).argParser((text) => {
    try {
      augmentationOf(text)
    } catch (error) {
      throw error instanceof UsageError ? new InvalidArgumentError(error.message) : error
    }
    return text
  })
}

function rate(text: string): number | 'find' {
  if (text === 'find') return text
  if (Number(text) > 0 && Number.isFinite(Number(text))) return Number(text)
  throw new InvalidArgumentError("It takes a number above 0, or 'find'.")
}

export function withTrainOptions(command: Command): Command {
  command
    .option(
      '--weights <name|path>',
      `a name that 'graft weights list' shows, a file, or 'none' for random (default: ${defaultWeights})`,
    )
    .addOption(
      new Option('--variant <name>', "which AlexNet (default: the weights' own)").choices(variants),
    )
    .addOption(
      new Option('--scenario <name>', 'which of the four situations; auto measures which')
        .choices([...scenarios, 'auto'])
        .default('small-similar'),
    )
    .addOption(
      new Option(
        '--replace <what>',
        'what the new layer replaces: the last FC layer, or all of them (default: last)',
      ).choices(['last', 'all']),
    )
    .option(
      '--cut <layer>',
      'the last layer kept (default: features.7 in small-different, else no cut)',
    )
    .addOption(
      new Option('--init <name>', 'first values of what starts afresh').choices([
        ...initNames,
        'pretrained',
      ]),
    )
    .option('--epochs <n>', 'passes over the images', count, 20)
    .option('--batch-size <n>', 'images a step', count, 32)
    .option(
      '--lr <x|find>',
      "learning rate (default: 0.001, for sgd 0.01); 'find' takes the one that graft lr-find suggests",
      rate,
    )
    .addOption(
      new Option('--optimizer <name>', 'how a step is made').choices(optimizers).default('adam'),
    )
    .option(
      '--weight-decay <x>',
      'pull toward zero (default: adam 0, adamw 0.01, sgd 0.0005)',
      number({ min: 0 }),
    )
    .addOption(augmentOption())
    .option('--no-cache', 'compute what frozen layers give anew in every epoch and run')
    .addOption(splitOption())
    .option('--seed <n>', 'the same seed on the same adapter gives the same bytes', seedNumber, 0)
    .option('--offline', 'fetch no weights that are not on this machine (also: GRAFT_OFFLINE=1)')
    .option('--strict', 'stop at a broken image instead of leaving it out')
  return withRecipeOptions(command)
}

/** The settings as the command line names them. What a resumed run may change comes last. */
const flags = {
  weights: '--weights',
  variant: '--variant',
  scenario: '--scenario',
  replace: '--replace',
  cut: '--cut',
  init: '--init',
  batchSize: '--batch-size',
  lr: '--lr',
  optimizer: '--optimizer',
  weightDecay: '--weight-decay',
  augment: '--augment',
  cache: '--no-cache',
  split: '--split',
  seed: '--seed',
  ...recipeFlags,
} as const
const free = ['epochs', 'strict'] as const

/** The settings among the options, without what is undefined. */
export function settingsOf(options: TrainOptions): TrainSettings {
  const names = [...Object.keys(flags), ...free] as (keyof TrainSettings)[]
  return Object.fromEntries(
    names.flatMap((name) => (options[name] === undefined ? [] : [[name, options[name]]])),
  ) as unknown as TrainSettings
}

/**
 * Refuses what an automatic choice decides itself.
 * @throws UsageError where --scenario auto meets an option that says the same by hand
 */
export function checkAuto({ scenario, replace, cut, init }: TrainSettings): void {
  if (scenario !== 'auto') return
  if (replace !== undefined || cut !== undefined)
    throw new UsageError(
      '--scenario auto picks the cut and what is replaced: leave --cut and --replace out, or name a scenario',
    )
  if (init === 'pretrained')
    throw new UsageError(
      '--init pretrained is for --scenario large-different; auto picks what training starts from',
    )
}

/**
 * The settings a run goes on with: its own, where the command line says nothing.
 * @param typed whether the command line says something of an option
 * @throws UsageError where it says something else than the run was begun with
 */
export function resumedSettings(
  options: TrainOptions,
  typed: (name: string) => boolean,
  { options: saved }: RunConfig,
  folder: string,
): TrainSettings {
  const now = settingsOf(options)
  const comparable = (name: string, value: unknown) =>
    name === 'weights' && typeof value === 'string' && value !== 'none' && !findWeights(value)
      ? resolve(value)
      : value
  for (const [name, flag] of Object.entries(flags)) {
    const [before, after] = [saved[name], now[name as keyof TrainSettings]]
    if (
      typed(name) &&
      JSON.stringify(comparable(name, before)) !== JSON.stringify(comparable(name, after))
    )
      throw new UsageError(
        `${folder} was begun ${before === undefined ? `without ${flag}` : `with ${flag} ${typeof before === 'object' ? JSON.stringify(before) : String(before)}`}; leave ${flag} out to go on with it, or train into another folder with --out`,
      )
  }
  const given = Object.fromEntries(
    ([...free, 'weights'] as const).filter(typed).map((name) => [name, now[name]]),
  )
  return { ...now, ...(saved as Partial<TrainSettings>), ...given }
}

/**
 * Which network to build: the weights, or none for random ones, and the variant where it is not the
 * weights' own.
 * @throws UsageError for a variant that no named weights fit, where pretrained ones are needed
 */
export function chooseNetwork({
  weights,
  variant,
  scenario,
  init,
}: Pick<TrainSettings, 'weights' | 'variant' | 'scenario' | 'init'>): {
  readonly weights?: string
  readonly variant?: Variant
} {
  if (weights === 'none') return { variant: variant ?? 'alexnet-64' }
  if (weights) return { weights, ...(variant ? { variant } : {}) }
  if (!variant) return { weights: defaultWeights }
  const known = namedWeights.find((named) => named.variant === variant)
  const random = scenario === 'large-different' && init !== 'pretrained'
  // Nothing is fetched only to be left behind.
  if (known && !(random && !isShipped(known))) return { weights: known.name, variant }
  if (random) return { variant }
  throw new UsageError(
    `Graft knows no weights for ${variant}: give a file with --weights, or say --weights none for random ones`,
  )
}
