import { choiceRule, listOfTexts, properShare, rule, text } from '../../base/rule.ts'
import type { LoadOptions } from '../../base/stateDict.ts'
import { defaultSplit } from '../../data/split.ts'
import { type Variant, variants } from '../../nn/alexnet.ts'
import { type InitName, initNames } from '../../nn/init.ts'
import type { TrainablePatterns } from '../../transfer/patterns.ts'
import { type Scenario, scenarios } from '../../transfer/scenario.ts'
import type { OptionSpec } from './spec.ts'

/** The options that decide the network and the images, which `fit` takes ready made. */
export interface SetupOptions extends TrainablePatterns, LoadOptions {
  /** The name of known weights, a file, or 'none'. */
  readonly weights?: string
  readonly variant?: Variant
  readonly scenario: Scenario | 'auto'
  readonly replace?: 'last' | 'all'
  readonly cut?: string
  readonly init?: InitName | 'pretrained'
  readonly split: number
}

/** Also none: it names the whole checkpoint, or no prefix. */
const anyText = rule('a text', (value) => typeof value === 'string')

/** The network that `graft train` and the page start from. */
export const shippedWeights = 'alexnet-64-tinyimagenet100'

/**
 * The options from which `graft train` and the page make a network and a dataset, described like
 * those of `fit`. A resumed run may not change any of them.
 */
export const setupOptions = {
  weights: {
    rule: text,
    default: shippedWeights,
    decisive: 'run',
    step: true,
    flag: {
      flags: '--weights <name|path>',
      help: "a name that 'weights list' shows, a file, a run folder, or 'none' for random",
    },
  },
  weightsKey: {
    rule: anyText,
    defaultText: 'found',
    decisive: 'run',
    step: true,
    flag: {
      flags: '--weights-key <a.b>',
      help: 'where in a PyTorch checkpoint the state_dict is: ema.state_dict',
    },
    field: { label: 'Where in a PyTorch checkpoint', hint: 'as in ema.state_dict' },
  },
  weightsPrefix: {
    rule: anyText,
    defaultText: 'found',
    decisive: 'run',
    step: true,
    flag: {
      flags: '--weights-prefix <p.>',
      help: "what stands before features.0.weight in the weights: 'model.'",
    },
    field: { label: 'Prefix of the names', hint: 'as in student.features.0.weight: student.' },
  },
  variant: {
    rule: choiceRule(variants),
    defaultText: "the weights' own",
    decisive: 'run',
    step: true,
    flag: { flags: '--variant <name>', help: 'which AlexNet' },
  },
  scenario: {
    rule: choiceRule([...scenarios, 'auto']),
    default: 'auto',
    decisive: 'run',
    step: true,
    flag: {
      flags: '--scenario <name>',
      help: 'which of the four situations; auto measures which',
      recorded: true,
    },
  },
  replace: {
    rule: choiceRule(['last', 'all']),
    defaultText: 'last',
    decisive: 'run',
    step: true,
    flag: {
      flags: '--replace <what>',
      help: 'what the new layer replaces: the last FC layer, or all of them',
    },
  },
  cut: {
    rule: text,
    defaultText: 'features.7 in small-different, else no cut',
    decisive: 'run',
    step: true,
    flag: { flags: '--cut <layer>', help: 'the last layer kept' },
  },
  init: {
    rule: choiceRule([...initNames, 'pretrained']),
    decisive: 'run',
    step: true,
    flag: { flags: '--init <name>', help: 'initial values of new layers' },
    field: { label: 'First values of new layers', more: true },
  },
  split: {
    rule: properShare,
    default: defaultSplit,
    decisive: 'run',
    step: true,
    flag: {
      flags: '--split <x>',
      help: 'share held out for validation, if the data is not divided already',
      recorded: true,
    },
    field: { label: 'Share held out', more: true },
  },
  freeze: {
    rule: listOfTexts,
    decisive: 'run',
    step: true,
    flag: {
      flags: '--freeze <patterns>',
      group: 'What trains:',
      help:
        "parameters that keep their values: 'features.*', or several separated by commas; may be " +
        'given again',
    },
  },
  train: {
    rule: listOfTexts,
    decisive: 'run',
    step: true,
    flag: {
      flags: '--train <patterns>',
      group: 'What trains:',
      help: "parameters that train, also where --freeze names them: 'classifier.6.*'",
    },
  },
} as const satisfies { readonly [K in keyof Required<SetupOptions>]: OptionSpec<SetupOptions[K]> }
