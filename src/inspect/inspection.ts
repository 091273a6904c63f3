import type { RecordedCall, RecordedDispatch } from '../gpu/recording.ts'
import type { Preprocess } from '../nn/preprocess.ts'
import type { Plan } from '../transfer/scenario.ts'
import type { PackedTensor } from './pack.ts'
import type { Peak } from './peak.ts'

/** One tensor of the step, compared. */
export interface NumberRow {
  /** Which call of the recording computed it. */
  readonly call: number
  readonly layer: string | null
  readonly operator: string
  /** 'y', 'dx', 'dweight' … */
  readonly what: string
  /**
   * The relative Frobenius error against the float64 reference of this operator, from the values
   * that it read itself.
   */
  readonly relative: number
  readonly allowed: number
  /** The relative error against float64 all the way from the image; null for gradients. */
  readonly sinceImage: number | null
  readonly worst: {
    readonly at: readonly number[]
    readonly actual: number
    readonly expected: number
  }
  readonly ok: boolean
}

/** A kernel's text: one for each file and set of constants. */
export interface InspectedSource {
  readonly kernel: string
  readonly constants: Readonly<Record<string, number>>
  /** The WGSL that ran, after expansion. */
  readonly code: string
}

/** One launch of a kernel, as the recording has it; its kernel is `sources[source]`. */
export interface InspectedDispatch
  extends Omit<RecordedDispatch, 'source' | 'constants' | 'kernel' | 'entryPoint'> {
  readonly source: number
  /** The least time by the roofline over the time it took; null without times or cost. */
  readonly share: number | null
}

/** One call of an operator, its tensors by their keys in `Inspection.tensors`. */
export interface InspectedCall extends Omit<RecordedCall, 'tensors' | 'attrs'> {
  readonly attrs: Readonly<Record<string, unknown>>
  /** The keys of its tensors, by name. */
  readonly tensors: Readonly<Record<string, string>>
  /**
   * The calls whose results a forward call reads, by their indices in `Inspection.calls`; −1 is the
   * image.
   */
  readonly reads: readonly number[]
}

/** One layer of the inspected network. */
export interface InspectedLayer {
  readonly name: string
  /** For people: 'conv 5x5, 64 to 192'. */
  readonly description: string
  /** Of one image. */
  readonly outShape: readonly number[]
  readonly parameters: readonly {
    readonly name: string
    readonly shape: readonly number[]
    readonly trainable: boolean
  }[]
  /** Whether a scenario put it there. */
  readonly isNew: boolean
}

/** One epoch of a training: losses in nats, accuracies in 0..1. */
export interface InspectedEpoch {
  readonly epoch: number
  readonly trainLoss: number
  readonly trainAccuracy: number
  readonly valLoss: number
  readonly valAccuracy: number
}

/** The same step under another choice of what trains. */
export interface ComparedStep {
  readonly title: string
  readonly dispatches: readonly {
    readonly layer: string | null
    readonly pass: string | null
    readonly kernel: string
    readonly cost: RecordedDispatch['cost']
    readonly milliseconds: number | null
  }[]
  readonly omissions: readonly string[]
}

/**
 * One recorded step of a network and everything known of it, as plain JSON: what the page shows,
 * for programs of one's own.
 */
export interface Inspection {
  readonly title: string
  /**
   * Where it ran; `subgroup` is the lanes of the register tiles, or null where the plain kernels
   * ran.
   */
  readonly adapter: {
    readonly name: string
    readonly kind: string
    readonly subgroup: number | null
  }
  readonly variant: string
  readonly preprocess: Preprocess
  readonly plan: Plan | null
  /** Whether it was a training step. */
  readonly train: boolean
  /** The class that the training step was told. */
  readonly target: string | null
  /** Whether somebody named the target: otherwise it is what the network took the image for. */
  readonly targetGiven: boolean
  /** Cross-entropy before the step, in nats; null for a forward pass alone. */
  readonly loss: number | null
  /**
   * What the network takes the image for: the five likeliest classes, with probabilities in 0..1.
   * Empty where a logit is not finite.
   */
  readonly top: readonly { readonly name: string; readonly probability: number }[]
  /** The names of all classes, in the order of the logits. */
  readonly classes: readonly string[]
  /** The epochs of the training that made the network; empty where they are not known. */
  readonly history: readonly InspectedEpoch[]
  readonly layers: readonly InspectedLayer[]
  /** The layers that the plan has cut off. */
  readonly removed: readonly string[]
  readonly calls: readonly InspectedCall[]
  readonly dispatches: readonly InspectedDispatch[]
  /** GPU time of all dispatches; null where the adapter has no timestamps. */
  readonly milliseconds: number | null
  readonly sources: readonly InspectedSource[]
  /** What did not run, and why, one line each. */
  readonly omissions: readonly string[]
  /** By key; `unpackTensor` gives the values. */
  readonly tensors: Readonly<Record<string, PackedTensor>>
  /** Every tensor of the step against float64. */
  readonly numbers: readonly NumberRow[]
  /** The roof of the roofline, measured; null where the adapter has no timestamps. */
  readonly peak: Peak | null
  /**
   * The same training step with only the last layer training, and with everything; empty for a
   * forward pass.
   */
  readonly compared: readonly ComparedStep[]
  /**
   * The files under shaders/: headers with the formulas, and what an edited kernel is compiled
   * from.
   */
  readonly shaders: Readonly<Record<string, string>>
}
