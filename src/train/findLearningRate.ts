import { DataError, UsageError } from '../base/errors.ts'
import { checkOptions } from '../base/options.ts'
import type { ImageDataset } from '../data/dataset.ts'
import type { Network } from '../nn/network.ts'
import type { Checkpoint } from './checkpoint.ts'
import { epochOrder } from './epoch.ts'
import { checkClasses } from './evaluate.ts'
import type { FitOptions } from './fitOptions.ts'
import { fillOptions } from './options/resolve.ts'
import { type StepOption, stepOptions } from './options/table.ts'
import { spreadRates } from './recipe/layerGroups.ts'
import {
  type RatePoint,
  type RateSuggestion,
  steepest,
  suggestRate,
  valley,
} from './recipe/suggest.ts'
import { Session } from './session.ts'
import { Stepper } from './step.ts'

/** The options of `fit` that affect single steps, and those of the search. */
export interface LearningRateOptions extends Pick<FitOptions, StepOption> {
  /** The first rate. Default 1e-7. */
  readonly from?: number
  /** The last rate. Default 10. */
  readonly to?: number
  /** Steps, from the first rate to the last. Default 100. */
  readonly steps?: number
}

/** What `findLearningRate` measured, and what it suggests. */
export interface LearningRates {
  readonly points: readonly RatePoint[]
  /** Whether the loss diverged before the last step. */
  readonly diverged: boolean
  /**
   * The rate to take: where the loss has done nine tenths of its way down. Null if it falls at no
   * rate by more than batches differ.
   */
  readonly suggestion: RateSuggestion['rate']
  /** The points that the suggestion comes from: the first one of the fall, and the lowest one. */
  readonly fall: RateSuggestion['fall']
  /** The losses limited and smoothed to both sides, one for each point. */
  readonly trend: RateSuggestion['trend']
  /**
   * For comparison, a point on the longest valley of the smoothed loss (fastai's `valley`), and
   * where it falls fastest (its `steep`). Both may be misled by the first batches.
   */
  readonly valley: number
  readonly steepest: number
}

/**
 * The suggested rate, to two digits.
 * @throws UsageError where there is none
 */
export function suggestedRate({ suggestion }: LearningRates): number {
  if (suggestion === null)
    throw new UsageError(
      'no learning rate was found: at none the loss falls by more than batches differ; ' +
        'train with the default rate, or search with larger batches',
    )
  return Number(suggestion.toPrecision(2))
}

/** The share of the average loss that a step keeps. */
const smoothing = 0.98
/** The loss has diverged when its average is this many times the lowest one. */
const divergence = 4

/**
 * The learning-rate range test: steps at rates that grow in equal ratios, until the loss diverges.
 * Afterwards the network is as before, also after an error (Smith 2017, arXiv:1506.01186, as in
 * fastai's lr_find: loss smoothed by 0.98, stopped at four times its lowest).
 * @throws UsageError for options that do not fit; DataError when no image can be decoded
 * @example
 * const { suggestion } = await findLearningRate(model, data, { batchSize: 32 })
 * if (suggestion !== null) await fit(model, data, { epochs: 5, lr: suggestion })
 */
export async function findLearningRate(
  model: Network,
  data: ImageDataset,
  options: LearningRateOptions = {},
): Promise<LearningRates> {
  checkOptions('findLearningRate', options, ['from', 'to', 'steps', ...stepOptions])
  const { from = 1e-7, to = 10, steps = 100, ...rest } = options
  if (!(from > 0 && to > from && to < Number.POSITIVE_INFINITY))
    throw new UsageError(
      `from is ${from} and to is ${to}: give numbers above 0, and the larger one as to`,
    )
  if (!Number.isSafeInteger(steps) || steps < 10)
    throw new UsageError(`steps is an integer of 10 or more, not ${steps}`)
  // More than one epoch, so that the outputs of frozen layers are kept.
  const settings = fillOptions({ ...rest, epochs: 2 })
  checkClasses(model, data)
  const { seed, passes } = model
  const session = new Session(model, data, settings)
  let before: Checkpoint | null = null
  try {
    before = await session.readState()
    const { train } = await session.open()
    const rateAt = (step: number) => from * (to / from) ** (step / steps)
    const groups = session.optimizer.groups.length
    const stepper = new Stepper(session, train, (step) => ({
      rates: spreadRates(rateAt(step), settings.lrSpread, groups),
      momentum: null,
    }))
    const curve = new Curve()
    let part: number[] = []
    for (let epoch = 1; stepper.steps < steps && !curve.diverged; epoch++) {
      const begun = stepper.steps
      for await (const batch of train.batches(
        epochOrder(train.count, settings.seed, epoch),
        settings.batchSize,
        epoch,
      )) {
        if (settings.signal?.aborted) {
          batch.x.dispose()
          throw settings.signal.reason
        }
        const lr = rateAt(stepper.steps)
        const taken = stepper.take(batch, false)
        const { loss, norm } = await taken.values()
        part.push(norm === null || Number.isFinite(norm) ? loss : Number.NaN)
        if (!taken.complete) continue
        curve.add(lr, part.reduce((sum, one) => sum + one, 0) / part.length)
        part = []
        settings.onEvent?.({ type: 'search', step: stepper.steps, steps, lr, loss })
        if (stepper.steps >= steps || curve.diverged) break
      }
      if (epoch > 1 && stepper.steps === begun && part.length === 0)
        throw new DataError(`${data.root} has no image to train on that can be decoded`)
    }
    const { points, diverged } = curve
    const { rate, fall, trend } = suggestRate(points, steps)
    const compared = { valley: valley(points, steps), steepest: steepest(points, steps) }
    return { points, diverged, suggestion: rate, fall, trend, ...compared }
  } finally {
    if (before && !model.engine.gpu.lost) session.restore(before)
    await session.dispose()
    Object.assign(model, { seed, passes })
  }
}

/** The losses so far, smoothed without the pull of a start at zero. */
class Curve {
  readonly points: RatePoint[] = []
  diverged = false
  #average = 0
  #lowest = Number.POSITIVE_INFINITY

  add(lr: number, loss: number): void {
    if (!Number.isFinite(loss)) {
      this.diverged = true
      return
    }
    this.#average = loss + smoothing * (this.#average - loss)
    const smoothed = this.#average / (1 - smoothing ** (this.points.length + 1))
    this.points.push({ lr, loss, smoothed })
    this.#lowest = Math.min(this.#lowest, smoothed)
    this.diverged = smoothed > divergence * this.#lowest
  }
}
