import type { Augmentation, AugmentationName } from '../data/augment.ts'
import type { FeatureCache } from '../data/featureCache.ts'
import type { EpochResult, OnEvent } from './events.ts'
import type { Monitor } from './recipe/bestEpoch.ts'
import type { ClassWeights } from './recipe/classWeights.ts'
import type { ScheduleName } from './recipe/rates.ts'

export const optimizers = ['sgd', 'adam', 'adamw'] as const
export type OptimizerName = (typeof optimizers)[number]

export interface OptimizerOptions {
  /** Learning rate, a schedule's peak. Default 1e-3 for adam and adamw, 1e-2 for sgd. */
  readonly lr?: number
  /** Default 'adam'. */
  readonly optimizer?: OptimizerName
  /** Only with sgd. Default 0.9. */
  readonly momentum?: number
  /** Default 5e-4 for sgd, 0 for adam, 1e-2 for adamw. */
  readonly weightDecay?: number
}

/** The recipe of a training, beside the optimizer. Every option is off unless it is given. */
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
