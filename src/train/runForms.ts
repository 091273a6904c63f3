/**
 * What the files of a run folder have to be. People hand run folders on: they are checked here, as
 * a whole, before any of it is used.
 */
import { at } from '../base/at.ts'
import type { Form } from '../base/form.ts'
import { isRecord } from '../base/json.ts'
import {
  choiceRule,
  numberFromZero,
  numberRule,
  positiveInteger,
  rule,
  share,
  trueOrFalse,
  wholeNumber,
} from '../base/rule.ts'
import { variants } from '../nn/alexnet.ts'
import type { Architecture } from '../nn/network.ts'
import type { Choice } from '../transfer/decide.ts'
import { type Plan, scenarios } from '../transfer/scenario.ts'
import type { EpochResult } from './events.ts'
import type { Timings } from './timings.ts'

const finite = numberRule({})
export const anyText = rule('a text', (value) => typeof value === 'string')
const name = rule('a text of 1 to 4096 characters', (value) => {
  return typeof value === 'string' && value.length > 0 && value.length <= 4096
})
const textOrNull = rule('a text or null', (value) => value === null || typeof value === 'string')
const scenario = choiceRule(scenarios)
const replace = choiceRule(['last', 'all'])

/** Names and values of options: whoever takes one checks it by its own rule. */
export const optionsForm = rule('an object', isRecord)

export const classNamesForm = rule(
  'a list of different names',
  (value) =>
    Array.isArray(value) &&
    value.length > 0 &&
    value.every(name.fits) &&
    new Set(value).size === value.length,
)

/** The most values in the weights of a run's network: 1 GiB of them. */
export const mostValues = 2 ** 28

export const architectureForm: Form<Architecture> = {
  fields: {
    variant: choiceRule(variants),
    channels: rule(
      'five positive integers',
      (value) => Array.isArray(value) && value.length === 5 && value.every(positiveInteger.fits),
    ),
    hidden: positiveInteger,
    dropout: rule('a number from 0 to below 1', (value) => share.fits(value) && value !== 1),
    classes: positiveInteger,
  },
}

/**
 * Whether a network of these widths can be built, whatever its variant; asked before anything is
 * allocated for it.
 */
export function isOfSize({ channels, hidden, classes }: Architecture): boolean {
  const pairs = channels.map((width, i) => width * (i === 0 ? 3 : at(channels, i - 1)))
  const convolutions = pairs.reduce((sum, pair) => sum + 121 * pair, 0)
  return convolutions + hidden * (36 * at(channels, 4) + hidden + classes) <= mostValues
}

export const planForm: Form<Plan> = {
  fields: {
    scenario,
    replace,
    cut: textOrNull,
    removed: { each: name },
    added: { each: { fields: { name, description: anyText } } },
    left: { optional: { each: anyText } },
    ignored: { optional: { each: anyText } },
    frozen: { each: name },
    trained: { each: name },
    trainedValues: wholeNumber,
    frozenValues: wholeNumber,
    startsFrom: choiceRule(['pretrained', 'random']),
    classes: positiveInteger,
    seed: wholeNumber,
    reasons: { each: anyText },
  },
}

const interval = { fields: { low: share, high: share } }
const difference = { fields: { value: finite, low: finite, high: finite } }

export const choiceForm: Form<Choice> = {
  fields: {
    scenario,
    replace,
    cut: textOrNull,
    basis: textOrNull,
    tie: { optional: { fields: { layer: name, scenario, difference } } },
    forecast: { optional: { fields: { value: share, low: share, high: share } } },
    reason: anyText,
    evidence: {
      fields: {
        images: wholeNumber,
        classes: wholeNumber,
        pretrained: trueOrFalse,
        sampled: wholeNumber,
        sampledClasses: wholeNumber,
        folds: wholeNumber,
        chance: share,
        validation: wholeNumber,
        sampledValidation: wholeNumber,
        steps: wholeNumber,
        depths: {
          each: {
            fields: {
              layer: name,
              part: choiceRule(['early', 'last features', 'hidden FC', 'last hidden FC']),
              features: wholeNumber,
              accuracy: share,
              interval,
              expected: finite,
              behind: difference,
              validation: { optional: share },
              validationOfHalf: { optional: share },
            },
          },
        },
        seconds: numberFromZero,
        readSeconds: numberFromZero,
        seed: wholeNumber,
      },
    },
  },
}

export const epochForm: Form<EpochResult> = {
  fields: {
    epoch: positiveInteger,
    trainLoss: finite,
    trainAccuracy: share,
    valLoss: finite,
    valAccuracy: share,
    seconds: numberFromZero,
    lr: { optional: numberFromZero },
  },
}

export const timingsForm: Form<Timings> = {
  fields: {
    choosing: numberFromZero,
    reading: numberFromZero,
    compiling: numberFromZero,
    training: numberFromZero,
    validating: numberFromZero,
  },
}
