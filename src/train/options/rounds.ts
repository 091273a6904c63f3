import { numberFromZero, positiveInteger, positiveNumber, trueOrFalse } from '../../base/rule.ts'
import type { OptionSpec } from './spec.ts'

/** How a training is divided among workers that train by themselves between two meetings. */
export interface RoundOptions {
  /** Whether it is. Default false. */
  readonly rounds?: boolean
  /** Parts of the images to train on; a worker trains on one of them. Default 4. */
  readonly slots?: number
  /** Steps of each slot in a round. Default: a pass over its images, at most 500. */
  readonly localSteps?: number
  /**
   * A slot's learning rate, as a multiple of `lr`. Default: the square root of `slots` for adam and
   * adamw, `slots` for sgd.
   */
  readonly lrScale?: number
  /** Learning rate of the outer step. Default 1: the mean of all slots. */
  readonly outerLr?: number
  /** Nesterov momentum of the outer step. Default 0. */
  readonly outerMomentum?: number
  /** Seconds after which a round no longer waits for slots that are missing. Default: it waits. */
  readonly roundDeadline?: number
  /**
   * How many slots a round needs at the least. Default: all of them; with `roundDeadline`, more
   * than half.
   */
  readonly quorum?: number
}

const group = 'Training by rounds:'

/**
 * The options of a training by rounds, described like those of `fit`. At most 500 steps a round are
 * those of DiLoCo (arXiv:2311.08105). Its outer step, 0.7 and 0.9, was found best in trainings of
 * over a hundred rounds: the momentum joins some ten of them. Where there are fewer, the mean needs
 * no tuning. Slots that are averaged act like a batch that is as many times larger, in fewer steps;
 * adaptive optimizers then follow the same path at a rate that grows with the square root of the
 * batch (Malladi et al. 2022, arXiv:2205.10287), and SGD at one that grows with the batch (Goyal et
 * al. 2017, arXiv:1706.02677).
 */
export const roundOptions = {
  rounds: {
    rule: trueOrFalse,
    default: false,
    decisive: 'run',
    flag: {
      flags: '--rounds',
      group,
      help: 'every worker trains by itself, and all meet after each round',
    },
  },
  slots: {
    rule: positiveInteger,
    default: 4,
    decisive: 'run',
    flag: {
      flags: '--slots <n>',
      group,
      help: 'parts of the images; a worker trains on one at a time',
    },
  },
  localSteps: {
    rule: positiveInteger,
    defaultText: 'a pass over its images, at most 500',
    decisive: 'run',
    flag: { flags: '--local-steps <n>', group, help: 'steps of each slot in a round' },
  },
  lrScale: {
    rule: positiveNumber,
    defaultText: 'the square root of the slots; with sgd their number',
    decisive: 'run',
    flag: { flags: '--lr-scale <x>', group, help: "a slot's learning rate, as a multiple of --lr" },
  },
  outerLr: {
    rule: positiveNumber,
    default: 1,
    decisive: 'run',
    flag: { flags: '--outer-lr <x>', group, help: 'how far a round goes toward the mean of all' },
  },
  outerMomentum: {
    rule: numberFromZero,
    default: 0,
    decisive: 'run',
    flag: {
      flags: '--outer-momentum <x>',
      group,
      help: 'how much of the last round goes on, as Nesterov momentum',
    },
  },
  roundDeadline: {
    rule: positiveNumber,
    defaultText: 'it waits for all',
    decisive: 'no',
    flag: {
      flags: '--round-deadline <seconds>',
      group,
      help: 'a round goes on without slots that take longer',
    },
  },
  quorum: {
    rule: positiveInteger,
    defaultText: 'all slots; with --round-deadline more than half',
    decisive: 'no',
    flag: { flags: '--quorum <n>', group, help: 'slots that a round needs at the least' },
  },
} as const satisfies { readonly [K in keyof Required<RoundOptions>]: OptionSpec<RoundOptions[K]> }

/** Their names, in the table's order. */
export const roundNames = Object.keys(roundOptions) as readonly (keyof RoundOptions)[]
