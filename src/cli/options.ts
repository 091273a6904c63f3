import { type Command, InvalidArgumentError, Option } from 'commander'
import { mostViews } from '../data/view.ts'
import type { AdapterChoice } from '../host/host.ts'

interface Bounds {
  readonly integer?: boolean
  readonly min?: number
  readonly max?: number
  readonly above?: number
  readonly below?: number
}

/** Parses a number within bounds; commander puts the option's name before the message. */
export function number(bounds: Bounds): (text: string) => number {
  const {
    integer = false,
    min = -Infinity,
    max = Infinity,
    above = -Infinity,
    below = Infinity,
  } = bounds
  return (text) => {
    const value = text.trim() === '' ? Number.NaN : Number(text)
    const whole = !integer || Number.isSafeInteger(value)
    if (
      Number.isFinite(value) &&
      whole &&
      value >= min &&
      value <= max &&
      value > above &&
      value < below
    )
      return value
    const limits = [
      above > -Infinity && `above ${above}`,
      below < Infinity && `below ${below}`,
      min > -Infinity && `not below ${min}`,
      max < Infinity && `not above ${max}`,
    ]
    const named = limits.filter((limit) => limit !== false).join(' and ')
    throw new InvalidArgumentError(`It takes ${integer ? 'an integer' : 'a number'} ${named}.`)
  }
}

/**
 * Takes a path; an empty one, as from a shell's variable that is not set, would be found out only
 * once all is computed.
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
