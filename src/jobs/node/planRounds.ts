/** What the options of a training by rounds come to. */
import { at } from '../../base/at.ts'
import { UsageError } from '../../base/errors.ts'
import { option, optionText } from '../../base/optionText.ts'
import { Random } from '../../base/random.ts'
import type { ImageDataset } from '../../data/dataset.ts'
import type { Network } from '../../nn/network.ts'
import type { FitOptions } from '../../train/fitOptions.ts'
import type { FitSettings } from '../../train/options/defaults.ts'
import { type RoundOptions, roundOptions } from '../../train/options/rounds.ts'
import { resolveClassWeights } from '../../train/recipe/classWeights.ts'
import { deciding } from './slots.ts'

/** What a training by rounds is divided into. */
export interface Rounds {
  readonly slots: number
  /** Steps of a slot in each round. */
  readonly steps: readonly number[]
  /** A slot's learning rate. */
  readonly lr: number
  readonly outer: { readonly lr: number; readonly momentum: number }
  readonly deadline: number
  readonly quorum: number
}

/** @throws UsageError for options that have no meaning in a training by rounds */
export function requireRounds(
  model: Network,
  settings: FitSettings,
  { slots = roundOptions.slots.default, quorum }: RoundOptions,
): void {
  const needless = (['ema', 'headEpochs', 'unfreezeEvery', 'maxSeconds', 'strict'] as const).find(
    (name) => settings[name],
  )
  if (needless)
    throw new UsageError(
      optionText`${option(needless)} is for a training without ${option('rounds')}: leave one out`,
    )
  if (model.frozenPrefix > 0)
    throw new UsageError(
      optionText`${option('rounds')} is for networks whose first layer trains, as in large-similar:
        frozen layers are run once for each image, by all workers, without it`,
    )
  if (quorum !== undefined && quorum > slots)
    throw new UsageError(optionText`${option('quorum')} is ${quorum} of ${slots} slots`)
}

/** The rounds that make as many passes over the images as the epochs say, all slots together. */
export function divide(
  { train }: ImageDataset,
  { epochs, batchSize, accumulate, lr, optimizer }: FitSettings,
  given: RoundOptions,
): Rounds {
  const slots = given.slots ?? roundOptions.slots.default
  const fewest = Math.floor(train.length / slots)
  if (fewest === 0)
    throw new UsageError(
      optionText`${option('slots')} is ${slots}, and there are ${train.length} images to train on`,
    )
  const pass = Math.ceil(Math.ceil(fewest / batchSize) / accumulate)
  const each = given.localSteps ?? Math.min(pass, 500)
  const all = epochs * pass
  const deadline = given.roundDeadline ?? Number.POSITIVE_INFINITY
  return {
    slots,
    steps: Array.from({ length: Math.ceil(all / each) }, (_, i) => Math.min(each, all - i * each)),
    lr: lr * (given.lrScale ?? (optimizer === 'sgd' ? slots : Math.sqrt(slots))),
    outer: {
      lr: given.outerLr ?? roundOptions.outerLr.default,
      momentum: given.outerMomentum ?? roundOptions.outerMomentum.default,
    },
    deadline: 1000 * deadline,
    quorum: given.quorum ?? (Number.isFinite(deadline) ? Math.floor(slots / 2) + 1 : slots),
  }
}

/** Epochs of a slot whose rate follows no schedule: they decide nothing. */
const manyEpochs = 1_000_000

/** The options that a slot trains with. The first one has those of a training without rounds. */
export function slotOptions(
  given: FitOptions,
  settings: FitSettings,
  data: ImageDataset,
  { lr }: Rounds,
  slot: number,
): FitOptions {
  const { schedule, epochs, seed, classWeights } = settings
  const own = Object.fromEntries(
    deciding.flatMap((name) => (given[name] === undefined ? [] : [[name, given[name]]])),
  )
  const { monitor: _, minDelta: __, ...options } = own as Partial<FitOptions>
  const weights = classWeights && resolveClassWeights(classWeights, data)
  return {
    ...options,
    lr,
    epochs: schedule === 'constant' ? manyEpochs : epochs,
    batchSize: settings.batchSize,
    keep: 'last',
    cache: false,
    // Neither the order of images nor what dropout leaves out is the same in two slots.
    seed: slot === 0 ? seed : new Random(seed, 2 ** 52 + slot).below(2 ** 31),
    // Balanced by all images, not by those of a slot.
    ...(weights
      ? { classWeights: Object.fromEntries(data.classes.map((name, i) => [name, at(weights, i)])) }
      : {}),
  }
}
