import type { Variant } from '../nn/alexnet.ts'
import type { ClassFigures, Share, TopLoss } from '../report/statistics.ts'
import type { EpochResult, Skipped, TrainEvent } from '../train/events.ts'
import type { MemoryPlan } from '../train/memory.ts'
import type { Choice } from '../transfer/decide.ts'
import type { Plan } from '../transfer/scenario.ts'

/**
 * A layer with values as the scenario leaves it, described together with those behind it that have
 * none; or all that is cut off.
 */
export interface LayerRow {
  readonly name: string
  readonly description: string
  /** How many numbers its parameters hold. */
  readonly values: number
  readonly state: 'cut' | 'new' | 'frozen' | 'trained'
}

/** What will be trained, before it is. */
export interface Prepared {
  readonly variant: Variant
  /** Layers after which the new one may go. */
  readonly cuts: readonly { readonly name: string; readonly description: string }[]
  /** Null while 'auto' has not measured, with all that follows. */
  readonly plan: Plan | null
  readonly layers: readonly LayerRow[]
  /** Layers that the weights did not hold, and that stay. */
  readonly random: string
  readonly memory: MemoryPlan | null
}

/** What the worker tells while it works. */
export type WorkEvent =
  | TrainEvent
  | { readonly type: 'choice'; readonly choice: Choice }
  | { readonly type: 'prepared'; readonly prepared: Prepared }
  | { readonly type: 'judging' }

/** A finished training, judged on the images that were held out. */
export interface Result {
  readonly epochs: readonly EpochResult[]
  readonly keptEpoch: number
  readonly aborted: boolean
  readonly stoppedEarly: boolean
  /**
   * What ended it before its time, where something did; the weights are those of the last finished
   * epoch.
   */
  readonly problem: string | null
  readonly seconds: number
  readonly skipped: readonly Skipped[]
  readonly classes: readonly string[]
  readonly accuracy: Share | null
  readonly loss: number
  /** Images by true class (rows) and predicted class (columns). */
  readonly confusion: readonly (readonly number[])[]
  readonly perClass: readonly ClassFigures[]
  readonly topLosses: readonly TopLoss[]
}

export const downloads = ['run', 'safetensors', 'onnx', 'pytorch'] as const
export type Download = (typeof downloads)[number]
