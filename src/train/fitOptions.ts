import { UsageError } from '../base/errors.ts'
import { checkOptions } from '../base/options.ts'
import { type Augmentation, type AugmentationName, augmentationOf } from '../data/augment.ts'
import type { FeatureCache } from '../data/featureCache.ts'
import type { EpochResult, OnEvent } from './events.ts'
import { defaultRate, type OptimizerOptions, optimizers } from './optimizers.ts'
import { type Monitor, monitors } from './recipe/bestEpoch.ts'
import type { ClassWeights } from './recipe/classWeights.ts'
import { type ScheduleName, schedules } from './recipe/rates.ts'

/** How training goes about it, beside the optimizer. Every one is off unless set. */
export interface RecipeOptions {
  /**
   * How the learning rate moves: 'constant', 'one-cycle' (rises, then falls to nearly nothing;
   * momentum the other way round) or 'cosine'. Default 'constant'.
   */
  readonly schedule?: ScheduleName
  /**
   * Epochs, or a part of one, in which the rate rises linearly from a hundredth. Not with
   * 'one-cycle', which has its own.
   */
  readonly warmup?: number
  /** With 'cosine': the share of the rate that it ends on. Default 0. */
  readonly lrFloor?: number
  /**
   * The last layer group alone trains for so many epochs, then the rest too, at half the rate:
   * fastai's fine_tune. Only what is trainable when `fit` begins is ever unfrozen.
   */
  readonly headEpochs?: number
  /**
   * With `headEpochs`: one more group, from the head toward the input, after each so many epochs.
   * Default 0: all at once.
   */
  readonly unfreezeEvery?: number
  /**
   * How many times smaller the first group's rate is than the head's; those between in equal
   * ratios. Default 1, with `headEpochs` 100.
   */
  readonly lrSpread?: number
  /**
   * The groups, from the input to the head, each as patterns of parameters separated by commas.
   * Default: the layers before the head in two halves, and the head.
   */
  readonly layerGroups?: readonly string[]
  /** Stop once so many epochs have brought nothing better. */
  readonly patience?: number
  /** What is better: a lower validation 'loss' or a higher 'accuracy'. Default 'loss'. */
  readonly monitor?: Monitor
  /** By how much an epoch has to be better. Default 0. */
  readonly minDelta?: number
  /**
   * Which weights the network ends with: the 'last' epoch's, or those of the 'best'. Default
   * 'last', with `patience` 'best'.
   */
  readonly keep?: 'last' | 'best'
  /** What classes count for in the training loss: 'balanced', or numbers by name. */
  readonly classWeights?: ClassWeights
  /** Target probability spread over all classes, in 0..1. Default 0. */
  readonly labelSmoothing?: number
  /**
   * Mixes images and targets in pairs, by shares from Beta(mixup, mixup). What frozen layers give
   * is then computed anew in every epoch.
   */
  readonly mixup?: number
  /** Batches whose gradients are added up for one step. Default 1. */
  readonly accumulate?: number
  /** The largest norm of the gradients, all taken together; larger ones are scaled down to it. */
  readonly clip?: number
  /**
   * Decay of an exponential moving average of the weights, in 0..1, such as 0.999; it is the
   * average that is validated and kept.
   */
  readonly ema?: number
}

export interface FitOptions extends OptimizerOptions, RecipeOptions {
  readonly epochs: number
  /** Images a step. Default 32. */
  readonly batchSize?: number
  /**
   * How images to train on are changed, anew in every epoch: by name ('light', 'standard',
   * 'strong'), or field by field; true for 'standard'. Default false.
   */
  readonly augment?: boolean | AugmentationName | Augmentation
  /** Keep what frozen layers give, and decoded images, from epoch to epoch. Default true. */
  readonly cache?: boolean
  /** Keeps what frozen layers give on disk too, for later runs on the same images. */
  readonly featureCache?: FeatureCache
  /** Seeds the order of images, augmentation, mixup and dropout. Default 0. */
  readonly seed?: number
  /** Whether a broken image is an error rather than left out. Default false. */
  readonly strict?: boolean
  readonly onEvent?: OnEvent
  /**
   * A folder to write checkpoints to: at the end of every epoch, and within it by
   * `checkpointSeconds`.
   */
  readonly checkpoint?: string
  /** Awaited before the first checkpoint is written: a place to write what belongs beside it. */
  readonly beforeCheckpoint?: () => Promise<void>
  /**
   * Seconds between two checkpoints within an epoch: what a crash or a lost device costs at most.
   * They take at most a twentieth of the time. Default 30.
   */
  readonly checkpointSeconds?: number
  /**
   * Go on from the newest checkpoint in that folder, where there is one, to the same bits as
   * without interruption. Default false.
   */
  readonly resume?: boolean
  /**
   * Told which epochs a checkpoint held, and how many batches of the next one, when one is gone on
   * from.
   */
  readonly onResume?: (epochs: readonly EpochResult[], batches: number) => void
  /**
   * Aborting stops after the running step and puts the weights back to the end of the last finished
   * epoch; a checkpoint keeps the rest.
   */
  readonly signal?: AbortSignal
  /**
   * Stop after the step in which this much time has passed; the epoch it belongs to is validated as
   * far as it came.
   */
  readonly maxSeconds?: number
}

/** The options with their defaults. */
export type FitSettings = FitOptions & ReturnType<typeof withDefaults>

function withDefaults(options: FitOptions) {
  const { optimizer = 'adam', headEpochs = 0, patience } = options
  return {
    ...{
      batchSize: 32,
      augment: false as FitOptions['augment'],
      cache: true,
      seed: 0,
      strict: false,
      checkpointSeconds: 30,
    },
    ...{
      schedule: 'constant' as ScheduleName,
      warmup: 0,
      lrFloor: 0,
      unfreezeEvery: 0,
      minDelta: 0,
      labelSmoothing: 0,
      accumulate: 1,
    },
    ...{
      monitor: 'loss' as Monitor,
      keep: (patience === undefined ? 'last' : 'best') as 'last' | 'best',
    },
    ...{ lr: defaultRate(optimizer), lrSpread: headEpochs > 0 ? 100 : 1 },
    ...Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)),
    optimizer,
    headEpochs,
  }
}

const integer = (least: number) => (value: unknown) =>
  Number.isSafeInteger(value) && (value as number) >= least
const number = (fits: (value: number) => boolean) => (value: unknown) =>
  typeof value === 'number' && !Number.isNaN(value) && fits(value)
const positive = number((value) => value > 0 && value < Number.POSITIVE_INFINITY)
const notNegative = number((value) => value >= 0 && value < Number.POSITIVE_INFINITY)
const share = number((value) => value >= 0 && value <= 1)
const among = (names: readonly unknown[]) => (value: unknown) => names.includes(value)
const anything = () => true

/** What each option has to be, in words and as a test. */
const rules: Readonly<Record<keyof FitOptions, readonly [string, (value: unknown) => boolean]>> = {
  epochs: ['a positive integer', integer(1)],
  batchSize: ['a positive integer', integer(1)],
  lr: ['a number of 0 or more', notNegative],
  optimizer: [`one of ${optimizers.join(', ')}`, among(optimizers)],
  momentum: ['a number of 0 or more', notNegative],
  weightDecay: ['a number of 0 or more', notNegative],
  augment: ['', anything],
  cache: ['true or false', among([true, false])],
  featureCache: ['', anything],
  seed: ['an integer of 0 or more', integer(0)],
  strict: ['true or false', among([true, false])],
  onEvent: ['', anything],
  checkpoint: ['a folder', (value) => typeof value === 'string' && value !== ''],
  beforeCheckpoint: ['', anything],
  checkpointSeconds: ['a number of 0 or more', number((value) => value >= 0)],
  resume: ['true or false', among([true, false])],
  onResume: ['', anything],
  signal: ['', anything],
  maxSeconds: ['a number of 0 or more', number((value) => value >= 0)],
  schedule: [`one of ${schedules.join(', ')}`, among(schedules)],
  warmup: ['a number of epochs, 0 or more', notNegative],
  lrFloor: ['a share in 0..1', share],
  headEpochs: ['an integer of 0 or more', integer(0)],
  unfreezeEvery: ['an integer of 0 or more', integer(0)],
  lrSpread: [
    'a number of 1 or more',
    number((value) => value >= 1 && value < Number.POSITIVE_INFINITY),
  ],
  layerGroups: [
    'a list of patterns',
    (value) =>
      Array.isArray(value) && value.length > 0 && value.every((one) => typeof one === 'string'),
  ],
  patience: ['a positive integer', integer(1)],
  monitor: [`one of ${monitors.join(', ')}`, among(monitors)],
  minDelta: ['a number of 0 or more', notNegative],
  keep: ["'last' or 'best'", among(['last', 'best'])],
  classWeights: [
    "'balanced' or numbers by class",
    (value) => value === 'balanced' || (typeof value === 'object' && value !== null),
  ],
  labelSmoothing: ['a share in 0..1', share],
  mixup: ['a number above 0', positive],
  accumulate: ['a positive integer', integer(1)],
  clip: ['a number above 0', positive],
  ema: ['a number between 0 and 1', number((value) => value > 0 && value < 1)],
}

/**
 * Checks the options and fills in what is left out.
 * @throws UsageError for options that do not exist, do not fit, or would be without effect
 */
export function resolveOptions(options: FitOptions): FitSettings {
  checkOptions('fit', options, Object.keys(rules) as (keyof FitOptions)[])
  for (const [name, [what, fits]] of Object.entries(rules)) {
    const value = options[name as keyof FitOptions]
    if ((value !== undefined || name === 'epochs') && !fits(value))
      throw new UsageError(`${name} is ${what}, not ${describe(value)}`)
  }
  if (options.augment) augmentationOf(options.augment)
  const settings: FitSettings = { ...options, ...withDefaults(options) }
  const needs: readonly (readonly [boolean, string])[] = [
    [
      settings.resume === true && !settings.checkpoint,
      'resume needs checkpoint, the folder to go on from',
    ],
    [
      settings.momentum !== undefined && settings.schedule === 'one-cycle',
      'one-cycle moves the momentum itself: leave momentum out',
    ],
    [
      settings.warmup > 0 && settings.schedule === 'one-cycle',
      'one-cycle has its own warm-up: leave warmup out',
    ],
    [
      settings.lrFloor > 0 && settings.schedule !== 'cosine',
      'lrFloor is where a cosine ends: it needs the schedule cosine',
    ],
    [
      settings.headEpochs >= settings.epochs && settings.headEpochs > 0,
      `headEpochs is ${settings.headEpochs} of ${settings.epochs} epochs: leave some for the rest`,
    ],
    [
      settings.unfreezeEvery > 0 && settings.headEpochs === 0,
      'unfreezeEvery goes on after headEpochs: give headEpochs too',
    ],
    [
      settings.minDelta > 0 && settings.keep === 'last' && !settings.patience,
      'minDelta says when an epoch is better: it needs patience, or keep best',
    ],
    [
      options.monitor !== undefined && settings.keep === 'last' && !settings.patience,
      'monitor says what is better: it needs patience, or keep best',
    ],
  ]
  const wrong = needs.find(([broken]) => broken)
  if (wrong) throw new UsageError(wrong[1])
  return settings
}

function describe(value: unknown): string {
  return typeof value === 'object' ? JSON.stringify(value) : String(value)
}

/**
 * What two calls have to agree in for one to go on with the other's checkpoint. A schedule is laid
 * out over all epochs.
 */
export function decisiveOptions(settings: FitSettings): Readonly<Record<string, unknown>> {
  const names: readonly (keyof FitOptions)[] = [
    ...([
      'batchSize',
      'lr',
      'optimizer',
      'momentum',
      'weightDecay',
      'augment',
      'cache',
      'seed',
    ] as const),
    ...([
      'schedule',
      'warmup',
      'lrFloor',
      'headEpochs',
      'unfreezeEvery',
      'lrSpread',
      'layerGroups',
      'keep',
      'monitor',
      'minDelta',
    ] as const),
    ...(['classWeights', 'labelSmoothing', 'mixup', 'accumulate', 'clip', 'ema'] as const),
    ...(settings.schedule === 'constant' ? [] : (['epochs'] as const)),
  ]
  return Object.fromEntries(
    names.flatMap((name) => (settings[name] === undefined ? [] : [[name, settings[name]]])),
  )
}
