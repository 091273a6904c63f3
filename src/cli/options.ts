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
 * Takes a path. An empty one, such as from a shell variable that is not set, is refused at once: it
 * would fail only when everything is computed.
 */
export function path(text: string): string {
  if (text === '') throw new InvalidArgumentError('It takes a path.')
  return text
}

export const count = number({ integer: true, min: 1 })
/** Views of an image for test-time augmentation. */
export const viewCount = number({ integer: true, min: 1, max: mostViews })
export const seedNumber = number({ integer: true, min: 0 })

export interface CommonOptions {
  readonly adapter: AdapterChoice
  readonly json?: boolean
}

/** The options that every command that computes has. */
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
 * How to divide images that do not say it themselves. A --split that somebody typed is an error
 * where they do; --seed is not, because it seeds the training too.
 */
export function divisionOf(
  { split, seed }: { readonly split: number; readonly seed: number },
  command: Command,
): DataOptions {
  const typed = command.getOptionValueSource('split') === 'cli'
  return ignoring({ split, seed }, typed ? ['seed'] : ['split', 'seed'])
}

/** `--offline`, of every command that may fetch weights for a network. */
export function offlineOption(): Option {
  return new Option(
    '--offline',
    'fetch no weights that are not on this machine (also: GRAFT_OFFLINE=1)',
  )
}

/**
 * The options of a command as they were typed, for another one that takes them; those of `but`, and
 * how it prints, are left out.
 */
export function typedOptions(command: Command, but: readonly string[] = []): string[] {
  return command.options.flatMap((option) => {
    const name = option.attributeName()
    if (command.getOptionValueSource(name) !== 'cli' || name === 'json' || but.includes(name))
      return []
    const value: unknown = command.getOptionValue(name)
    const flag = option.long ?? ''
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
