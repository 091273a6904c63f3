import type { MemoryPlan } from './memory.ts'

/** What one epoch came to. Losses are means over images, accuracies lie in 0..1. */
export interface EpochResult {
  /** Counted from 1. */
  readonly epoch: number
  readonly trainLoss: number
  readonly trainAccuracy: number
  readonly valLoss: number
  readonly valAccuracy: number
  /** Wall time of this epoch, validation included. */
  readonly seconds: number
  /** The learning rate of its last step, the head's. */
  readonly lr?: number
}

/** An image that could not be decoded, and is left out. */
export interface Skipped {
  readonly name: string
  readonly reason: string
  readonly split: 'train' | 'val'
  /** Its class's number. */
  readonly label: number
}

/** What `fit`, `evaluate` and `predict` tell while they work. */
export type TrainEvent =
  /** What training will take, before anything is allocated for it. */
  | ({ readonly type: 'memory' } & MemoryPlan)
  /**
   * So many images have been read, and run through the frozen layers where there are any: once, in
   * the first epoch.
   */
  | {
      readonly type: 'read'
      readonly split: 'train' | 'val'
      readonly done: number
      readonly total: number
    }
  /**
   * An earlier run had left on disk what the frozen layers give for so many images: they were not
   * computed again.
   */
  | {
      readonly type: 'cached'
      readonly split: 'train' | 'val'
      readonly count: number
      readonly total: number
    }
  /** Something could not be done as asked, and the work goes on without it. */
  | { readonly type: 'remark'; readonly message: string }
  /** Kernels are being compiled, once. */
  | { readonly type: 'compile'; readonly done: number; readonly total: number }
  | {
      readonly type: 'step'
      readonly epoch: number
      readonly step: number
      readonly steps: number
      /** This batch's; the accuracy is the epoch's so far. */
      readonly loss: number
      readonly accuracy: number
      /** The learning rate, the head's. */
      readonly lr: number
      /** The gradients' norm before clipping, where they are clipped and a step was made. */
      readonly norm?: number
    }
  /** From this epoch on these parameters train: gradual unfreezing. */
  | { readonly type: 'stage'; readonly epoch: number; readonly trained: readonly string[] }
  /**
   * The GPU device was lost, and another one goes on in `epoch` after `step`; `repeated` steps had
   * been further.
   */
  | {
      readonly type: 'recovered'
      readonly reason: string
      readonly adapter: string
      readonly epoch: number
      readonly step: number
      readonly repeated: number
    }
  /** A search for a learning rate has taken a step. */
  | {
      readonly type: 'search'
      readonly step: number
      readonly steps: number
      readonly lr: number
      readonly loss: number
    }
  | ({ readonly type: 'epoch' } & EpochResult)
  | ({ readonly type: 'skipped' } & Skipped)

/** Told of what happens while training, as it happens. */
export type OnEvent = (event: TrainEvent) => void
