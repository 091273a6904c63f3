import type { Augmentation, AugmentationName } from '../data/augment.ts'
import type { FeatureStore } from '../data/featureStore.ts'
import type { Files } from '../host/host.ts'
import type { EpochResult, OnEvent } from './events.ts'
import type { Monitor } from './recipe/bestEpoch.ts'
import type { ClassWeights } from './recipe/classWeights.ts'
import type { ScheduleName } from './recipe/rates.ts'

export const optimizers = ['sgd', 'adam', 'adamw'] as const
export type OptimizerName = (typeof optimizers)[number]

/** Images that go through the network together: of `fit`, and of all that take `batchSize`. */
export const defaultBatchSize = 32

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

/** The recipe of a training, apart from the optimizer. Options left out are off. */
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
   * The last layer group trains alone for this many epochs; then the others train too, at half the
   * rate, as in fastai's fine_tune. Only what is trainable when `fit` begins is ever unfrozen.
   */
  readonly headEpochs?: number
  /**
   * With `headEpochs`: after each this many epochs one more group trains, from the head toward the
   * input. Default 0: all at once.
   */
  readonly unfreezeEvery?: number
  /**
   * How many times smaller the first group's rate is than the head's; the rates between grow in
   * equal ratios. Default 1, with `headEpochs` 100.
   */
  readonly lrSpread?: number
  /**
   * The groups, from the input to the head, each as patterns of parameters separated by commas.
   * Default: the layers before the head in two halves, and the head.
   */
  readonly layerGroups?: readonly string[]
  /** Stop after this many epochs in a row without a better one. */
  readonly patience?: number
  /**
   * What is better: a lower validation 'loss', or a higher 'accuracy', and where it is the same a
   * lower loss. Default 'accuracy'.
   */
  readonly monitor?: Monitor
  /** By how much an epoch has to be better than the best one so far. Default 0. */
  readonly minDelta?: number
  /**
   * Which weights the network ends with: those of the 'best' epoch by `monitor`, or of the 'last'.
   * Default 'best'.
   */
  readonly keep?: 'last' | 'best'
  /** The weight of each class in the training loss: 'balanced', or numbers by class name. */
  readonly classWeights?: ClassWeights
  /** Target probability spread over all classes, in 0..1. Default 0. */
  readonly labelSmoothing?: number
  /**
   * Mixes images and targets in pairs, by shares from Beta(mixup, mixup). The outputs of frozen
   * layers are then computed anew in every epoch.
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
  /** Images per step. Default 32. */
  readonly batchSize?: number
  /**
   * How training images are changed, differently in every epoch: by name ('light', 'standard',
   * 'strong'), or field by field; true for 'standard'. Default false.
   */
  readonly augment?: boolean | AugmentationName | Augmentation
  /** Keep the outputs of frozen layers, and decoded images, between epochs. Default true. */
  readonly cache?: boolean
  /** Keeps the outputs of frozen layers on disk too, for later runs on the same images. */
  readonly featureCache?: FeatureStore
  /** Seeds the order of images, augmentation, mixup and dropout. Default 0. */
  readonly seed?: number
  /** Whether a broken image is an error instead of being left out. Default false. */
  readonly strict?: boolean
  readonly onEvent?: OnEvent
  /**
   * A folder to write checkpoints to: at the end of every epoch, and within it by
   * `checkpointSeconds`.
   */
  readonly checkpoint?: string
  /** Where that folder is. Default: on the disk, in a browser in the page's database. */
  readonly checkpointFiles?: Files
  /** Awaited before the first checkpoint is written: the place to write files beside it. */
  readonly beforeCheckpoint?: () => Promise<void>
  /**
   * Seconds between two checkpoints within an epoch: what a crash or a lost device costs at most.
   * Writing them takes at most a twentieth of the time. Default 30.
   */
  readonly checkpointSeconds?: number
  /**
   * Continue from the newest checkpoint in that folder, if there is one; the result has the same
   * bits as without the interruption. Default false.
   */
  readonly resume?: boolean
  /**
   * Called when training continues from a checkpoint, with the epochs that it held and the number
   * of batches of the next one.
   */
  readonly onResume?: (epochs: readonly EpochResult[], batches: number) => void
  /**
   * Aborting stops after the current step and restores the weights of the last finished epoch; a
   * checkpoint keeps the steps after it.
   */
  readonly signal?: AbortSignal
  /**
   * Stop after the step in which this time ends; the unfinished epoch is validated too.
   */
  readonly maxSeconds?: number
  /** With `maxSeconds`: finish the epoch in which the time ends. Default false. */
  readonly wholeEpochs?: boolean
}
