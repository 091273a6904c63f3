import { choiceRule, listOfTexts, properShare, text } from '../../base/rule.ts'
import { defaultSplit } from '../../data/split.ts'
import { type Variant, variants } from '../../nn/alexnet.ts'
import { type InitName, initNames } from '../../nn/init.ts'
import type { TrainablePatterns } from '../../transfer/patterns.ts'
import { type Scenario, scenarios } from '../../transfer/scenario.ts'
import type { OptionSpec } from './spec.ts'

/** What decides which network trains on which images; `fit` is given both. */
export interface SetupOptions extends TrainablePatterns {
  /** A named one, a file, or 'none'. */
  readonly weights?: string
  readonly variant?: Variant
  readonly scenario: Scenario | 'auto'
  readonly replace?: 'last' | 'all'
  readonly cut?: string
  readonly init?: InitName | 'pretrained'
  readonly split: number
}

/** The network that `graft train` and the page start from. */
export const shippedWeights = 'alexnet-64-tinyimagenet100'

/**
 * The options that `graft train` and the page turn into a network and a dataset, told as the ones
 * of `fit` are. A run is resumed with all of them unchanged.
 */
export const setupOptions = {
  weights: {
    rule: text,
    default: shippedWeights,
    decisive: 'run',
    step: true,
    flag: {
      flags: '--weights <name|path>',
      help: "a name that 'graft weights list' shows, a file, or 'none' for random",
    },
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
    default: 'small-similar',
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
    flag: { flags: '--init <name>', help: 'first values of the layers that start new' },
    field: { label: 'First values of new layers', more: true },
  },
  split: {
    rule: properShare,
    default: defaultSplit,
    decisive: 'run',
    step: true,
    flag: {
      flags: '--split <x>',
      help: 'share held out for validation, where the data does not say it',
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
