/** What the page and its worker exchange. */
import type { Share } from '../base/interval.ts'
import type { Variant } from '../nn/alexnet.ts'
import type { ClassFigures, TopLoss } from '../report/statistics.ts'
import type { Prediction } from '../train/evaluate.ts'
import type { EpochResult, Skipped, TrainEvent } from '../train/events.ts'
import type { MemoryPlan } from '../train/memoryPlan.ts'
import type { Verdict } from '../train/trust.ts'
import type { Choice } from '../transfer/decide.ts'
import type { Plan, Scenario } from '../transfer/scenario.ts'
import type { Project } from './project.ts'

/**
 * A layer with values under the scenario, described together with the layers after it that have
 * none; or everything that is cut off.
 */
export interface LayerRow {
  readonly name: string
  readonly description: string
  /** How many numbers its parameters hold. */
  readonly values: number
  readonly state: 'cut' | 'new' | 'frozen' | 'trained'
}

/** What a training will do, before it starts. */
export interface Prepared {
  readonly variant: Variant
  /** Layers after which the new one may be placed. */
  readonly cuts: readonly { readonly name: string; readonly description: string }[]
  /** How the weights were read, where there is something to know: one sentence each. */
  readonly remarks: readonly string[]
  /** Null until 'auto' has measured; then the rest is empty too. */
  readonly plan: Plan | null
  readonly layers: readonly LayerRow[]
  /** Layers that are kept and that the weights do not contain. */
  readonly random: string
  readonly memory: MemoryPlan | null
}

/** An image held out, and what the network takes it for at the moment. */
export interface Previewed {
  readonly name: string
  readonly actual: string
  readonly predicted: string
  readonly probability: number
}

/** Events of the worker. */
export type WorkEvent =
  | TrainEvent
  | { readonly type: 'choice'; readonly choice: Choice }
  | { readonly type: 'prepared'; readonly prepared: Prepared }
  | { readonly type: 'preview'; readonly images: readonly Previewed[] }
  | { readonly type: 'judging' }
  /** A comparison trains this way next. */
  | { readonly type: 'contestant'; readonly scenario: Scenario | 'auto' }
  /** Work that has no events of its own: how much of it is done. */
  | { readonly type: 'part'; readonly done: number; readonly total: number }

/** A finished training, evaluated on the images held out. */
export interface Result {
  readonly epochs: readonly EpochResult[]
  readonly keptEpoch: number
  readonly aborted: boolean
  readonly stoppedEarly: boolean
  /** The error that ended it early, if any; the weights are those of the last finished epoch. */
  readonly problem: string | null
  readonly seconds: number
  readonly skipped: readonly Skipped[]
  readonly plan: Plan
  readonly choice: Choice | null
  readonly classes: readonly string[]
  readonly accuracy: Share | null
  readonly loss: number
  /** Images by true class (rows) and predicted class (columns). */
  readonly confusion: readonly (readonly number[])[]
  readonly perClass: readonly ClassFigures[]
  readonly topLosses: readonly TopLoss[]
  /** When “none of these” is said, in a sentence. */
  readonly trust: string
}

/** A saved project that was opened. */
export interface Opened {
  readonly project: Project
  /** Null where it has no network, or one of other classes. */
  readonly result: Result | null
  /** Why it has no network any more, in sentences; null if nothing is wrong. */
  readonly problem: string | null
}

/** The answer to an image to test: what it is taken for, or why it cannot be read. */
export type Answer =
  | {
      readonly name: string
      readonly top: Prediction['top']
      /** Whether to trust it; null where too few images were held out to say. */
      readonly verdict: Verdict | null
    }
  | { readonly name: string; readonly problem: string }

/** An image as the network sees it, and where its likeliest class comes from. */
export interface HeatMap {
  /** RGBA rows, `size` pixels wide and high. */
  readonly seen: Uint8ClampedArray<ArrayBuffer>
  readonly size: number
  /** How much covering each of `cells` × `cells` parts lowers the probability. */
  readonly map: Float64Array
  readonly cells: number
}

export const downloads = ['run', 'safetensors', 'onnx', 'pytorch'] as const
export type Download = (typeof downloads)[number]
