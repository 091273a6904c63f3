import { at } from '../base/at.ts'
import { counted, listed, percent, percentRange } from '../base/format.ts'
import type { Share } from '../base/interval.ts'
import type { EpochResult } from '../train/events.ts'
import { overfittingOf } from '../train/overfitting.ts'
import type { Scenario } from '../transfer/scenario.ts'
import type { ClassFigures } from './statistics.ts'

/** What a verdict is made from. */
export interface Judged {
  /** The scenario that trained. */
  readonly scenario: Scenario
  /** The options of the run, as its config has them. */
  readonly options: Readonly<Record<string, unknown>>
  readonly epochs: readonly EpochResult[]
  /** The number of the epoch whose weights the run has; 0 if none was finished. */
  readonly keptEpoch: number
  /** Accuracy on the images held out. */
  readonly accuracy: Share | null
  /** What always naming the most common class would reach. */
  readonly baseline: Baseline
  readonly perClass: readonly ClassFigures[]
  /** Images to train on, by class. */
  readonly trainCounts: readonly number[]
  /** Images held out whose label the network contradicts with certainty. */
  readonly suspects: readonly string[]
}

export interface Baseline {
  readonly name: string
  /** The class's share of the images held out. */
  readonly share: number
}

const kinds = [
  'not measured',
  'chance',
  'overfit',
  'unfinished',
  'underfit',
  'good',
  'few held out',
  'imbalance',
  'label errors',
] as const
export type FindingKind = (typeof kinds)[number]

/** One thing that the numbers say, and what to do about it. */
export interface Finding {
  readonly kind: FindingKind
  readonly text: string
  readonly advice: string
  /** Options to train with next, where that is the advice. */
  readonly changes?: Readonly<Record<string, unknown>>
}

/** Limits that decide what is said, each in accuracy (0..1) unless it says otherwise. */
export const limits = {
  /** Less than this on the images trained on: underfitting. */
  learned: 0.85,
  /** An interval wider than this says little. */
  wide: 0.2,
  /** The largest class has this many times the images of the smallest. */
  imbalance: 3,
  /** The validation loss still falls by this share of itself in the last quarter of the epochs. */
  falling: 0.02,
} as const

/**
 * What a run's figures say in words: first how good it is, then what makes the figures uncertain or
 * the data difficult.
 * @example verdictOf(figures).at(0)?.text
 * // '98.0 % right on the images trained on, 76.0 % on those held out: it overfits. …'
 */
export function verdictOf(judged: Judged): readonly Finding[] {
  return [quality(judged), ...fewHeldOut(judged), ...imbalance(judged), ...labelErrors(judged)]
}

function quality(judged: Judged): Finding {
  const { accuracy, baseline, epochs, keptEpoch, options, scenario } = judged
  if (!accuracy)
    return {
      kind: 'not measured',
      text: 'No image was held out, so nothing says how good the network is on new images.',
      advice: 'Hold images out, and train again.',
      changes: { split: 0.25 },
    }
  const kept = keptEpoch > 0 ? at(epochs, keptEpoch - 1) : null
  const trained = kept?.trainAccuracy ?? null
  const figures =
    trained === null
      ? `${percent(accuracy.value)} right on images held out`
      : `${percent(trained)} right on the images trained on, ${percent(accuracy.value)} on those ` +
        'held out'
  const overfits = kept && overfittingOf(epochs, kept, accuracy)
  if (accuracy.low <= baseline.share)
    return {
      kind: 'chance',
      text:
        `${figures}: not shown to be better than always naming ${baseline.name}, which is right ` +
        `for ${percent(baseline.share)}.`,
      advice: overfits
        ? 'It has learned its training images by heart: it needs more images, or ones whose ' +
          'labels fit better.'
        : 'See whether the labels fit the images (show-batch), and let the learning rate be found.',
      changes: overfits ? { augment: true } : { lr: 'find' },
    }
  if (overfits) {
    const { gap, rise } = overfits
    const risen = rise
      ? `, and the loss on new ones has risen since epoch ${rise.lowest.epoch}`
      : ''
    return {
      kind: 'overfit',
      text:
        `${figures}: it overfits. It is ${points(gap)} better on images that it has seen than on ` +
        `new ones${risen}.`,
      ...againstOverfitting(options, scenario),
    }
  }
  if (epochs.length >= 4 && stillFalls(epochs))
    return {
      kind: 'unfinished',
      text: `${figures}: it was still learning when training ended, as the loss still fell.`,
      advice: 'Train for more epochs.',
      changes: { epochs: 2 * epochs.length },
    }
  if (trained !== null && Math.max(...epochs.map((e) => e.trainAccuracy)) < limits.learned)
    return {
      kind: 'underfit',
      text: `${figures}: it underfits. What trains cannot tell the classes apart any better.`,
      ...againstUnderfitting(options, scenario),
    }
  return {
    kind: 'good',
    text:
      `${figures}: good. New images are recognized about as well as known ones, and far better ` +
      `than by always naming ${baseline.name} (${percent(baseline.share)}).`,
    advice: 'Try it on images of your own.',
  }
}

/** The options against overfitting that were not used yet, the most effective first. */
function againstOverfitting(
  options: Judged['options'],
  scenario: Scenario,
): Pick<Finding, 'advice' | 'changes'> {
  const images = 'More images help the most.'
  if (!options.augment)
    return {
      advice: `${images} With the same ones: change them anew in every epoch (augmentation).`,
      changes: { augment: true },
    }
  if (scenario.startsWith('large'))
    return {
      advice: `${images} With the same ones: train only a new last layer.`,
      changes: { scenario: 'small-similar', cut: undefined, replace: undefined },
    }
  if (!options.labelSmoothing)
    return {
      advice: `${images} With the same ones: label smoothing and a pull of values toward zero.`,
      changes: { labelSmoothing: 0.1, optimizer: 'adamw' },
    }
  return { advice: `${images} What else helps against overfitting is in use already.` }
}

/** More that trains, or a rate that fits. */
function againstUnderfitting(
  options: Judged['options'],
  scenario: Scenario,
): Pick<Finding, 'advice' | 'changes'> {
  if (scenario.startsWith('small'))
    return {
      advice: 'Train the whole network, from its pretrained values.',
      changes: { scenario: 'large-similar', cut: undefined, replace: undefined },
    }
  return {
    advice: 'Let the learning rate be found, and train longer.',
    changes: { lr: 'find', epochs: 2 * Number(options.epochs ?? 20) },
  }
}

function fewHeldOut({ accuracy }: Judged): Finding[] {
  if (!accuracy || accuracy.high - accuracy.low <= limits.wide) return []
  return [
    {
      kind: 'few held out',
      text:
        `${counted(accuracy.of, 'image')} held out are few: the true accuracy may be anywhere ` +
        `from ${percentRange(accuracy.low, accuracy.high)}.`,
      advice: 'Hold out more: about 400 images tell it to within 5 points.',
    },
  ]
}

function imbalance({ trainCounts, perClass, options }: Judged): Finding[] {
  const counts = trainCounts.map((count, i) => ({ count, of: at(perClass, i) }))
  const sorted = counts.filter(({ count }) => count > 0).sort((a, b) => a.count - b.count)
  const [least, most] = [sorted.at(0), sorted.at(-1)]
  if (!least || !most || most.count < limits.imbalance * least.count) return []
  const found = (recall: Share | null) =>
    recall ? `; ${percent(recall.value)} of its images held out are found` : ''
  return [
    {
      kind: 'imbalance',
      text:
        `The classes are uneven: ${counted(most.count, 'image')} of ${most.of.name} to train on, ` +
        `${least.count} of ${least.of.name}${found(least.of.recall)}. Accuracy says little about ` +
        'rare classes: see each by itself.',
      advice: options.classWeights
        ? `More images of ${least.of.name} help the most.`
        : `More images of ${least.of.name} help the most; else let rare classes weigh more.`,
      ...(options.classWeights ? {} : { changes: { classWeights: 'balanced' } }),
    },
  ]
}

function labelErrors({ suspects }: Judged): Finding[] {
  if (suspects.length === 0) return []
  return [
    {
      kind: 'label errors',
      text:
        `${counted(suspects.length, 'image')} held out may have a wrong label: the network, ` +
        'right on most images, is sure of another class.',
      advice: `Look at them: ${listed(suspects)}.`,
    },
  ]
}

/** 0.223 as '22 percentage points'. */
function points(share: number): string {
  return counted(Math.round(100 * share), 'percentage point')
}

/** Whether the validation loss has fallen in the last quarter of the epochs. */
function stillFalls(epochs: readonly EpochResult[]): boolean {
  const last = at(epochs, epochs.length - 1).valLoss
  const before = at(epochs, Math.floor(0.75 * (epochs.length - 1))).valLoss
  return last < (1 - limits.falling) * before && epochs.every(({ valLoss }) => valLoss >= last)
}
