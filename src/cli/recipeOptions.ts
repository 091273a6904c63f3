import { type Command, InvalidArgumentError, Option } from 'commander'
import type { RecipeOptions } from '../train/fitOptions.ts'
import { monitors } from '../train/recipe/bestEpoch.ts'
import type { ClassWeights } from '../train/recipe/classWeights.ts'
import { schedules } from '../train/recipe/rates.ts'
import type { TrainablePatterns } from '../transfer/patterns.ts'
import { count, number } from './options.ts'

/** What a run's config keeps of how it trains. */
export interface RecipeSettings extends RecipeOptions, TrainablePatterns {}

/** The settings of a recipe as the command line names them. */
export const recipeFlags = {
  freeze: '--freeze',
  train: '--train',
  schedule: '--schedule',
  warmup: '--warmup',
  lrFloor: '--lr-floor',
  headEpochs: '--head-epochs',
  unfreezeEvery: '--unfreeze-every',
  lrSpread: '--lr-spread',
  layerGroups: '--group',
  patience: '--patience',
  monitor: '--monitor',
  minDelta: '--min-delta',
  keep: '--keep',
  classWeights: '--class-weights',
  labelSmoothing: '--label-smoothing',
  mixup: '--mixup',
  accumulate: '--accumulate',
  clip: '--clip',
  ema: '--ema',
} as const satisfies Record<keyof RecipeSettings, string>

/** Patterns of parameters, one or several in a text, in an option that may be given again. */
const patterns = (text: string, before: readonly string[] = []) => [
  ...before,
  ...text.split(',').map((one) => one.trim()),
]
const again = (text: string, before: readonly string[] = []) => [...before, text]

function classWeights(text: string): ClassWeights {
  if (text === 'balanced') return text
  const pairs = text
    .split(',')
    .map(
      (pair) =>
        [
          pair.slice(0, pair.lastIndexOf('=')),
          Number(pair.slice(pair.lastIndexOf('=') + 1)),
        ] as const,
    )
  const wrong = pairs.find(([name, value]) => name === '' || !(value > 0))
  if (wrong)
    throw new InvalidArgumentError(
      "It takes 'balanced', or a number above 0 for a class: cat=2,dog=0.5.",
    )
  return Object.fromEntries(pairs)
}

/** The options of how training goes about it, in groups of their own in the help. */
export function withRecipeOptions(command: Command): Command {
  const positive = number({ above: 0 })
  const share = number({ min: 0, max: 1 })
  command
    .optionsGroup('What trains:')
    .option(
      '--freeze <patterns>',
      "parameters that keep their values: 'features.*', or several by commas; may be given again",
      patterns,
    )
    .option(
      '--train <patterns>',
      "parameters that train, also where --freeze names them: 'classifier.6.*'",
      patterns,
    )
    .option(
      '--head-epochs <n>',
      'train the last layer group alone for so many epochs, then the others too, at half the rate',
      count,
    )
    .option(
      '--unfreeze-every <n>',
      'then one more group after each so many epochs (default: all at once)',
      count,
    )
    .option(
      '--lr-spread <x>',
      "the head's rate over the first group's (default: 1, with --head-epochs 100)",
      number({ min: 1 }),
    )
    .option(
      '--group <patterns>',
      'a layer group, from input to head; give it once for each (default: early half, late half, head)',
      again,
    )
  command
    .optionsGroup('The learning rate:')
    .addOption(
      new Option('--schedule <name>', 'how it moves (default: constant)').choices(schedules),
    )
    .option(
      '--warmup <epochs>',
      'rise to it from a hundredth; a part of an epoch will do',
      number({ min: 0 }),
    )
    .option('--lr-floor <share>', 'with cosine: the share that it ends on (default: 0)', share)
  command
    .optionsGroup('Against overfitting:')
    .option(
      '--mixup <alpha>',
      'mix images and their classes in pairs, by shares from Beta(alpha, alpha); 0.2 to 0.4 is usual',
      positive,
    )
    .option('--label-smoothing <x>', 'share of probability spread over all classes', share, 0)
    .option(
      '--ema <decay>',
      'validate and keep an exponential moving average of the weights, such as 0.999',
      number({ above: 0, below: 1 }),
    )
    .option('--patience <n>', 'stop once so many epochs have brought nothing better', count)
    .addOption(
      new Option('--monitor <what>', 'what is better, in validation (default: loss)').choices(
        monitors,
      ),
    )
    .option('--min-delta <x>', 'by how much it has to be better (default: 0)', number({ min: 0 }))
    .addOption(
      new Option(
        '--keep <which>',
        "the last epoch's weights, or the best's (default: last, with --patience best)",
      ).choices(['last', 'best']),
    )
  command
    .optionsGroup('Steps:')
    .option(
      '--class-weights <how>',
      "'balanced', or what classes count for: cat=2,dog=0.5",
      classWeights,
    )
    .option('--accumulate <n>', 'batches whose gradients make one step', count)
    .option('--clip <norm>', 'scale gradients down to this norm, all taken together', positive)
  return command.optionsGroup('Options:')
}

/** The settings that `fit` takes as they are, without what is undefined. */
export function recipeOf(settings: RecipeSettings): RecipeOptions {
  const names = (Object.keys(recipeFlags) as (keyof typeof recipeFlags)[]).filter(
    (name) => name !== 'freeze' && name !== 'train',
  )
  return Object.fromEntries(
    names.flatMap((name) => (settings[name] === undefined ? [] : [[name, settings[name]]])),
  )
}
