import { type Command, InvalidArgumentError, Option } from 'commander'
import type { AdapterChoice } from '../gpu/platform.ts'

/** Parses a number within bounds; commander names the option in its message. */
export function number(bounds: {
  readonly integer?: boolean
  readonly min?: number
  readonly max?: number
  readonly above?: number
}): (text: string) => number {
  return (text) => {
    const value = text.trim() === '' ? Number.NaN : Number(text)
    const { integer = false, min = Number.NEGATIVE_INFINITY, max = Number.POSITIVE_INFINITY, above = Number.NEGATIVE_INFINITY } = bounds
    const fits = Number.isFinite(value) && (!integer || Number.isSafeInteger(value)) && value >= min && value <= max && value > above
    if (fits) return value
    const kind = integer ? 'an integer' : 'a number'
    const limits = [
      above > Number.NEGATIVE_INFINITY && `above ${above}`,
      min > Number.NEGATIVE_INFINITY && `of ${min} or more`,
      max < Number.POSITIVE_INFINITY && `up to ${max}`,
    ]
    throw new InvalidArgumentError(`It takes ${[kind, ...limits.filter((limit) => limit !== false)].join(' ')}.`)
  }
}

export const count = number({ integer: true, min: 1 })
export const seedNumber = number({ integer: true, min: 0 })

export interface CommonOptions {
  readonly adapter: AdapterChoice
  readonly json?: boolean
}

/** The options that every command that computes has. */
export function withCommon(command: Command): Command {
  return command
    .addOption(
      new Option('--adapter <kind>', 'which kind of GPU adapter')
        .choices(['auto', 'hardware', 'lavapipe', 'swiftshader'])
        .default('auto')
        .env('GRAFT_ADAPTER'),
    )
    .option('--json', 'print one JSON event a line, the result last')
}
