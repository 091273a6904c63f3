import { type Command, InvalidArgumentError, Option } from 'commander'
import { type Bounds, numberRule, type Rule } from '../base/rule.ts'
import { type DataOptions, ignoring } from '../data/split.ts'
import { mostViews } from '../data/view.ts'
import type { AdapterChoice } from '../host/host.ts'

/** Parses a text by a rule; commander puts the option's name before the message. */
export function parserOf(rule: Rule): (text: string) => unknown {
  return (text) => {
    const value = rule.parse(text)
    if (!rule.fits(value)) throw new InvalidArgumentError(`It takes ${rule.words}.`)
    return value
  }
}

/** Parses a number within bounds. */
export function number(bounds: Bounds): (text: string) => number {
  return parserOf(numberRule(bounds)) as (text: string) => number
}

/**
 * Parses the path of something to write. An empty one, such as from a shell variable that is not
 * set, is an error at once: it would otherwise fail only after all the work.
 */
export function path(text: string): string {
  if (text === '') throw new InvalidArgumentError('It takes a path.')
  if (/\p{Surrogate}/u.test(text)) throw new InvalidArgumentError('It takes a name in UTF-8.')
  return text
}

export const count = number({ integer: true, min: 1 })
/** Views of an image for test-time augmentation. */
export const viewCount = number({ integer: true, min: 1, max: mostViews })
export const share = number({ min: 0, max: 1 })
export const seedNumber = number({ integer: true, min: 0 })

/** The help of the argument that names the images. */
export const dataHelp =
  'images: a folder for each class (or train/ and val/ with them), a .csv of file,label[,split], ' +
  '.tar shards, the address of one of these (s3://bucket/photos), or the name of a dataset ' +
  '(see data list)'

export interface CommonOptions {
  readonly adapter: AdapterChoice
  readonly json?: boolean
}

/** Adds the options of every command that computes. */
export function withCommon(command: Command): Command {
  return command
    .addOption(
      new Option('--adapter <kind>', 'which kind of GPU, or stand-in for one')
        .choices(['auto', 'hardware', 'lavapipe', 'swiftshader'])
        .default('auto')
        .env('GRAFT_ADAPTER'),
    )
    .option('--json', 'print one JSON event a line, the result last')
}

/**
 * How to divide images into those to train on and those held out. If the data is divided already,
 * a typed --split is an error; --seed is not, because it seeds the training too.
 */
export function divisionOf(
  { split, seed }: { readonly split: number; readonly seed: number },
  command: Command,
): DataOptions {
  const typed = command.getOptionValueSource('split') === 'cli'
  return ignoring({ split, seed }, typed ? ['seed'] : ['split', 'seed'])
}

/** `--offline`, for every command that may fetch weights. */
export function offlineOption(): Option {
  return new Option(
    '--offline',
    'fetch no weights and no dataset that are not on this machine (also: GRAFT_OFFLINE=1)',
  )
}

/**
 * The options of a command as they were typed, for another command that takes them: without those
 * in `but`, and without --json.
 */
export function typedOptions(command: Command, but: readonly string[] = []): string[] {
  return command.options.flatMap((option) => {
    const name = option.attributeName()
    if (command.getOptionValueSource(name) !== 'cli' || name === 'json' || but.includes(name))
      return []
    const value: unknown = command.getOptionValue(name)
    const { long: flag } = option
    if (!flag) throw new TypeError(`option ${name} has no long flag`)
    if (typeof value === 'boolean') return option.negate === !value ? [flag] : []
    if (Array.isArray(value)) return value.flatMap((one) => [flag, String(one)])
    if (typeof value === 'object' && value)
      return [
        flag,
        Object.entries(value)
          .map((pair) => pair.join('='))
          .join(','),
      ]
    return [flag, String(value)]
  })
}
