import { cosine, linear, type OneCycleOptions, oneCycle } from '../../optim/schedules.ts'
import { spreadRates } from './layerGroups.ts'
import { type Phase, planPhases, type StageOptions } from './stages.ts'

/**
 * How the learning rate changes over a training: not at all, up and down once, or down along a
 * cosine.
 */
export const schedules = ['constant', 'one-cycle', 'cosine'] as const
/** One of `schedules`. */
export type ScheduleName = (typeof schedules)[number]

export interface RateOptions extends StageOptions {
  readonly schedule: ScheduleName
  /** The highest rate, of the head's group. */
  readonly lr: number
  /** Epochs of linear warm-up; one-cycle has its own. */
  readonly warmup: number
  /** The rate that a cosine ends on, as a share of the highest one. */
  readonly floor: number
  /** The head's rate divided by the first group's, once both train. */
  readonly spread: number
  /** Steps per epoch. */
  readonly steps: number
}

/**
 * The learning rates of a step, for each group from the first to the head, and the momentum if the
 * schedule changes it.
 */
export interface StepRates {
  readonly rates: readonly number[]
  readonly momentum: number | null
}

/**
 * One cycle as in fastai's fine_tune: that of the head alone rises over its first 99 %, that of the
 * rest starts at a fifth of the peak; both end at 1e-5 of the peak.
 */
const fineTuned: Readonly<Record<Phase['kind'], OneCycleOptions>> = {
  all: {},
  head: { riseShare: 0.99, startDivisor: 25, endDivisor: 1e5 / 25 },
  rest: { riseShare: 0.3, startDivisor: 5, endDivisor: 1e5 / 5 },
}

/**
 * The learning rates of every step of a training, known beforehand: a resumed run needs no state
 * for them.
 */
export class RatePlan {
  readonly #options: RateOptions
  readonly #phases: readonly Phase[]

  constructor(options: RateOptions) {
    this.#options = options
    this.#phases = planPhases(options)
  }

  /**
   * @param epoch counted from 1
   * @param step in the epoch, counted from 0
   */
  at(epoch: number, step: number): StepRates {
    const { lr, spread, groups, steps } = this.#options
    const phase = this.#phases.find(({ last }) => epoch <= last)
    if (!phase) throw new RangeError(`no schedule reaches epoch ${epoch}`)
    const { first, last } = phase
    const done = (epoch - first) * steps + step
    const { share, momentum } = this.#share(phase, done, (last - first + 1) * steps)
    // fine_tune halves the rate once the rest trains too.
    const peak = phase.kind === 'rest' ? lr / 2 : lr
    return { rates: spreadRates(peak * share, spread, groups), momentum }
  }

  #share(
    { kind }: Phase,
    step: number,
    steps: number,
  ): { readonly share: number; readonly momentum: number | null } {
    const { schedule, floor } = this.#options
    const warmup = Math.round(this.#options.warmup * this.#options.steps)
    if (schedule === 'one-cycle') return oneCycle(step, steps, fineTuned[kind])
    if (schedule === 'cosine')
      return {
        share: cosine(step, steps, { warmup: Math.min(warmup, steps), floor }),
        momentum: null,
      }
    return { share: linear(step, warmup), momentum: null }
  }
}
