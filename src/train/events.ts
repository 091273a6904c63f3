import type { MemoryPlan } from './memoryPlan.ts'

/** The result of one epoch. Losses are means over images, accuracies are in 0..1. */
export interface EpochResult {
  /** Counted from 1. */
  readonly epoch: number
  readonly trainLoss: number
  readonly trainAccuracy: number
  readonly valLoss: number
  readonly valAccuracy: number
  /** Wall time of this epoch, validation included. */
  readonly seconds: number
  /** The head's learning rate in the epoch's last step. */
  readonly lr?: number
}

/** An image that could not be decoded and is left out. */
export interface Skipped {
  readonly name: string
  readonly reason: string
  readonly split: 'train' | 'val'
  /** Its class's number. */
  readonly label: number
}

/** Epochs of a training in which the same layers train. */
export interface AgendaStage {
  /** Its last epoch, counted from 1. */
  readonly last: number
  /** Whether outputs of the frozen layers are stored, so that epochs after the first skip those. */
  readonly stored: boolean
  /** Multiplications for one image forward in the frozen layers, and in all the others. */
  readonly frozenWork: number
  readonly work: number
}

/** What a training is going to do, from where it stands. */
export interface Agenda {
  readonly epochs: number
  /** Finished epochs, and batches of the next one, of a resumed training. */
  readonly done: number
  readonly batches: number
  readonly trainImages: number
  readonly valImages: number
  readonly batchSize: number
  /** Null: no limit. */
  readonly maxSeconds: number | null
  /** Epochs without a better one after which it ends; null: never. */
  readonly patience: number | null
  readonly stages: readonly AgendaStage[]
}

/** Events of `fit`, `evaluate` and `predict` while they work. */
export type TrainEvent =
  /** The memory that training will take, before any of it is allocated. */
  | ({ readonly type: 'memory' } & MemoryPlan)
  /**
   * How many images have been read, and run through the frozen layers if there are any: once, in
   * the first epoch.
   */
  | {
      readonly type: 'read'
      readonly split: 'train' | 'val'
      readonly done: number
      readonly total: number
    }
  /** How many images' outputs of the frozen layers were found on disk, stored by an earlier run. */
  | {
      readonly type: 'cached'
      readonly split: 'train' | 'val'
      readonly count: number
      readonly total: number
    }
  /** Something could not be done as asked; the work continues without it. */
  | { readonly type: 'remark'; readonly message: string }
  /** Kernels are being compiled, once. */
  | { readonly type: 'compile'; readonly done: number; readonly total: number }
  | {
      readonly type: 'step'
      readonly epoch: number
      readonly step: number
      readonly steps: number
      /** The batch's loss; the accuracy is that of the epoch so far. */
      readonly loss: number
      readonly accuracy: number
      /** The head's learning rate. */
      readonly lr: number
      /** The norm of the gradients before clipping, if they are clipped and a step was made. */
      readonly norm?: number
    }
  /** What is going to be done, before the first step: the time left follows from it. */
  | ({ readonly type: 'agenda' } & Agenda)
  /** How many images of an epoch's validation are done. */
  | {
      readonly type: 'validate'
      readonly epoch: number
      readonly done: number
      readonly total: number
    }
  /** Gradual unfreezing: the parameters that train from this epoch on. */
  | { readonly type: 'stage'; readonly epoch: number; readonly trained: readonly string[] }
  /**
   * The GPU device was lost. Another one continues in `epoch` after `step`; `repeated` batches are
   * trained on again.
   */
  | {
      readonly type: 'recovered'
      readonly reason: string
      readonly adapter: string
      readonly epoch: number
      readonly step: number
      readonly repeated: number
    }
  /** The learning-rate range test has made a step. */
  | {
      readonly type: 'search'
      readonly step: number
      readonly steps: number
      readonly lr: number
      readonly loss: number
    }
  | ({ readonly type: 'epoch' } & EpochResult)
  | ({ readonly type: 'skipped' } & Skipped)

/** Called for each event as it happens. */
export type OnEvent = (event: TrainEvent) => void
