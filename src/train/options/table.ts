import {
  callback,
  choiceRule,
  listOfTexts,
  numberFromZero,
  numberRule,
  positiveInteger,
  positiveNumber,
  properShare,
  rule,
  share,
  text,
  trueOrFalse,
  wholeNumber,
} from '../../base/rule.ts'
import { optimizerDefaults } from '../../optim/options.ts'
import { defaultBatchSize, type FitOptions, optimizers } from '../fitOptions.ts'
import { monitors } from '../recipe/bestEpoch.ts'
import { schedules } from '../recipe/rates.ts'
import type { OptionSpec } from './spec.ts'

const seconds = numberRule({ min: 0, infinite: true }) // infinite means no limit
const rateOrFind = {
  ...rule("a number above 0, or 'find'", (value) => value === 'find' || positiveNumber.fits(value)),
  parse: (typed: string) => (typed === 'find' ? typed : positiveNumber.parse(typed)),
}

/**
 * Every option of `fit`: its allowed values, its default, whether a resumed training needs the same
 * value, its flag and its field. `findLearningRate`, the flags and help of `graft train`, the
 * options in a run's config and in checkpoints, and the page's form all use this table.
 * `FitOptions` explains what each option does; conditions.ts has the rules for combinations.
 */
export const trainingOptions = {
  epochs: {
    rule: positiveInteger,
    default: 20, // of the command line and the page; a program has to give it
    decisive: 'with a schedule',
    flag: { flags: '--epochs <n>', help: 'passes over the images', recorded: true },
    field: { label: 'Rounds', hint: 'how often it looks at every image' },
  },
  batchSize: {
    rule: positiveInteger,
    default: defaultBatchSize,
    decisive: 'bits',
    step: true,
    flag: { flags: '--batch-size <n>', help: 'images per step', recorded: true },
    field: { label: 'Images at a time', hint: 'it learns a little after each such group' },
  },
  optimizer: {
    rule: choiceRule(optimizers),
    default: 'adam',
    decisive: 'bits',
    step: true,
    flag: { flags: '--optimizer <name>', help: 'how a step is made', recorded: true },
    field: { label: 'Way of learning', hint: 'adam suits most images' },
  },
  lr: {
    rule: numberFromZero,
    default: {
      byOptimizer: {
        adam: optimizerDefaults.Adam.lr,
        adamw: optimizerDefaults.AdamW.lr,
        sgd: 1e-2,
      },
    },
    decisive: 'bits',
    flag: {
      flags: '--lr <x|find>',
      help: "learning rate; 'find' takes the one that lr-find suggests",
      rule: rateOrFind,
    },
    field: { label: 'Size of a step', hint: 'the learning rate: how much each step changes' },
  },
  momentum: {
    rule: numberFromZero,
    default: { byOptimizer: { sgd: 0.9 } },
    implicit: true,
    decisive: 'bits',
    step: true,
    flag: null,
  },
  weightDecay: {
    rule: numberFromZero,
    default: {
      byOptimizer: {
        adam: optimizerDefaults.Adam.weightDecay,
        adamw: optimizerDefaults.AdamW.weightDecay,
        sgd: 5e-4,
      },
    },
    implicit: true,
    decisive: 'bits',
    step: true,
    flag: { flags: '--weight-decay <x>', help: 'pull toward zero' },
    field: { label: 'Pull toward zero', hint: 'weight decay: keeps it simple', more: true },
  },
  augment: {
    rule: null,
    default: false,
    decisive: 'bits',
    step: true,
    flag: {
      flags: '--augment [how]',
      help:
        'change the images to train on, anew in every epoch: light, standard or strong, and ' +
        'fields such as flip=0,rotation=15,crop=0.5-1 (alone: standard)',
    },
    field: {
      label: 'Vary the images',
      choices: [[null, 'none'], ...['light', 'standard', 'strong'].map((s) => [s, s] as const)],
      meanings: {
        none: 'each as it is',
        light: 'moved a little, mirrored',
        standard: 'moved, scaled, mirrored, turned, recolored',
        strong: 'all of that and more, parts erased',
      },
    },
  },
  cache: {
    rule: trueOrFalse,
    default: true,
    decisive: 'bits',
    step: true,
    flag: {
      flags: '--no-cache',
      help: 'compute the outputs of frozen layers again in every epoch and run',
      recorded: true,
    },
  },
  seed: {
    rule: wholeNumber,
    default: 0,
    decisive: 'bits',
    step: true,
    flag: {
      flags: '--seed <n>',
      help: 'the same seed on the same adapter gives the same bytes',
      recorded: true,
    },
    field: { label: 'Number for chance', hint: 'the seed: the same, the same network', more: true },
  },
  strict: {
    rule: trueOrFalse,
    default: false,
    decisive: 'no',
    step: true,
    flag: {
      flags: '--strict',
      help: 'stop at a broken image, or a copy of one in both parts, instead of saying so',
    },
  },
  schedule: {
    rule: choiceRule(schedules),
    default: 'constant',
    decisive: 'bits',
    flag: { flags: '--schedule <name>', group: 'The learning rate:', help: 'how it changes' },
    field: { label: 'Change of the step', hint: 'over the whole training', more: true },
  },
  warmup: {
    rule: numberFromZero,
    default: 0,
    decisive: 'bits',
    flag: {
      flags: '--warmup <epochs>',
      group: 'The learning rate:',
      help: 'epochs, or part of one, in which it rises from a hundredth',
    },
  },
  lrFloor: {
    rule: share,
    default: 0,
    decisive: 'bits',
    flag: {
      flags: '--lr-floor <share>',
      group: 'The learning rate:',
      help: 'with cosine: the share of the rate that it ends on',
    },
  },
  headEpochs: {
    rule: wholeNumber,
    default: 0,
    decisive: 'bits',
    flag: {
      flags: '--head-epochs <n>',
      group: 'What trains:',
      help: 'epochs in which the last layer group trains alone; then all train, at half the rate',
      rule: positiveInteger,
    },
    field: {
      label: 'Rounds of the new layer alone',
      hint: 'then all layers, early ones slower',
      more: true,
      off: 0,
    },
  },
  unfreezeEvery: {
    rule: wholeNumber,
    default: 0,
    defaultText: 'all at once',
    decisive: 'bits',
    flag: {
      flags: '--unfreeze-every <n>',
      group: 'What trains:',
      help: 'after --head-epochs, add one more group after each n epochs',
      rule: positiveInteger,
    },
  },
  lrSpread: {
    rule: numberRule({ min: 1 }),
    default: { otherwise: 1, with: 'headEpochs', value: 100 },
    decisive: 'bits',
    step: true,
    flag: {
      flags: '--lr-spread <x>',
      group: 'What trains:',
      help: "the head's rate divided by the first group's",
    },
  },
  layerGroups: {
    rule: listOfTexts,
    defaultText: 'early half, late half, head',
    decisive: 'bits',
    step: true,
    flag: {
      flags: '--group <patterns>',
      group: 'What trains:',
      help: 'a layer group, from input to head; give it once for each',
    },
  },
  patience: {
    rule: positiveInteger,
    decisive: 'run',
    flag: {
      flags: '--patience <n>',
      group: 'Against overfitting:',
      help: 'stop after n epochs without a better one',
    },
    field: { label: 'Stop after rounds without gain', hint: '0: never', more: true, off: 0 },
  },
  keep: {
    rule: choiceRule(['last', 'best']),
    default: 'best',
    decisive: 'bits',
    flag: {
      flags: '--keep <which>',
      group: 'Against overfitting:',
      help: "whose weights the run ends with: the best epoch's, or the last one's",
      recorded: true,
    },
  },
  monitor: {
    rule: choiceRule(monitors),
    default: 'accuracy',
    decisive: 'bits',
    flag: {
      flags: '--monitor <what>',
      group: 'Against overfitting:',
      help: 'what decides which epoch is better, in validation',
    },
  },
  minDelta: {
    rule: numberFromZero,
    default: 0,
    decisive: 'bits',
    flag: {
      flags: '--min-delta <x>',
      group: 'Against overfitting:',
      help: 'by how much an epoch has to be better',
    },
  },
  classWeights: {
    rule: rule(
      "'balanced' or an object of numbers by class",
      // A Map or a list would have no names, and no effect.
      (value) =>
        value === 'balanced' || Object.prototype.toString.call(value) === '[object Object]',
    ),
    decisive: 'bits',
    step: true,
    flag: {
      flags: '--class-weights <how>',
      group: 'Steps:',
      help: "'balanced', or a weight for each class: cat=2,dog=0.5",
    },
    field: {
      label: 'Rare classes',
      hint: 'balanced: they weigh as much as common ones',
      more: true,
      choices: [
        [null, 'as they are'],
        ['balanced', 'balanced'],
      ],
    },
  },
  labelSmoothing: {
    rule: share,
    default: 0,
    decisive: 'bits',
    step: true,
    flag: {
      flags: '--label-smoothing <x>',
      group: 'Against overfitting:',
      help: 'share of probability spread over all classes',
      recorded: true,
    },
    field: { label: 'Room for doubt', hint: 'label smoothing: 0 is none', more: true },
  },
  mixup: {
    rule: positiveNumber,
    decisive: 'bits',
    step: true,
    flag: {
      flags: '--mixup <alpha>',
      group: 'Against overfitting:',
      help:
        'mix images and their classes in pairs, by shares from Beta(alpha, alpha); 0.2 to 0.4 ' +
        'is usual',
    },
    field: { label: 'Blend pairs of images', hint: 'mixup, such as 0.2', more: true, off: 0 },
  },
  accumulate: {
    rule: positiveInteger,
    default: 1,
    decisive: 'bits',
    step: true,
    flag: {
      flags: '--accumulate <n>',
      group: 'Steps:',
      help: 'batches whose gradients make one step',
    },
  },
  clip: {
    rule: positiveNumber,
    decisive: 'bits',
    step: true,
    flag: {
      flags: '--clip <norm>',
      group: 'Steps:',
      help: 'scale gradients down to this norm, all taken together',
    },
  },
  ema: {
    rule: properShare,
    decisive: 'bits',
    flag: {
      flags: '--ema <decay>',
      group: 'Against overfitting:',
      help: 'validate and keep an exponential moving average of the weights, such as 0.999',
    },
  },
  featureCache: { rule: null, decisive: 'no', step: true, flag: null },
  onEvent: { rule: callback, decisive: 'no', step: true, flag: null },
  checkpoint: { rule: { ...text, words: 'a folder' }, decisive: 'no', flag: null },
  checkpointFiles: { rule: null, decisive: 'no', flag: null },
  beforeCheckpoint: { rule: callback, decisive: 'no', flag: null },
  checkpointSeconds: {
    rule: seconds,
    default: 30,
    decisive: 'no',
    flag: {
      flags: '--checkpoint-every <seconds>',
      help: 'how much a crash may cost, within an epoch',
      rule: numberFromZero,
      session: true,
    },
  },
  resume: {
    rule: trueOrFalse,
    default: false,
    decisive: 'no',
    flag: {
      flags: '--resume',
      help: 'continue the run from its checkpoint, with its options; start over if there is none',
      session: true,
    },
  },
  onResume: { rule: callback, decisive: 'no', flag: null },
  signal: { rule: null, decisive: 'no', step: true, flag: null },
  maxSeconds: { rule: seconds, decisive: 'no', flag: null },
  wholeEpochs: { rule: trueOrFalse, default: false, decisive: 'no', flag: null },
} as const satisfies { readonly [K in keyof Required<FitOptions>]: OptionSpec<FitOptions[K]> }

/** The options that affect single steps, which `findLearningRate` takes. */
export type StepOption = {
  [K in keyof typeof trainingOptions]: (typeof trainingOptions)[K] extends { step: true }
    ? K
    : never
}[keyof typeof trainingOptions]

/** The table by name, without the exact types of its entries. */
export const specs: Readonly<Record<keyof FitOptions, OptionSpec>> = trainingOptions

/** The names of all options, in the table's order. */
export const optionNames = Object.keys(trainingOptions) as readonly (keyof FitOptions)[]

/** The names of those that affect single steps. */
export const stepOptions = optionNames.filter((name) => specs[name].step) as readonly StepOption[]
