import { InvalidArgumentError, Option } from 'commander'
import { UsageError } from '../base/errors.ts'
import type { WriteOption } from '../base/optionText.ts'
import { augmentationOf } from '../data/augment.ts'
import type { FitOptions } from '../train/fitOptions.ts'
import { type RoundOptions, roundOptions } from '../train/options/rounds.ts'
import { type SetupOptions, setupOptions } from '../train/options/setup.ts'
import { describeDefault, type OptionSpec } from '../train/options/spec.ts'
import { specs } from '../train/options/table.ts'
import type { ClassWeights } from '../train/recipe/classWeights.ts'
import { parserOf } from './options.ts'

/** Every option of the tables, by its name in a program and in a run's config. */
export const table: Readonly<
  Record<keyof SetupOptions | keyof FitOptions | keyof RoundOptions, OptionSpec>
> = { ...setupOptions, ...specs, ...roundOptions }
export type TableName = keyof typeof table

/** The name of an option on the command line: '--lr-floor'. */
export function flagName(name: TableName): string | null {
  return table[name].flag?.flags.split(' ')[0] ?? null
}

/** `--lr-floor`, or with a value `--schedule cosine`: an option as typed on the command line. */
export const asFlag: WriteOption = ({ option, value }) => {
  const flag = (option in table && flagName(option as TableName)) || option
  if (value === undefined || typeof value === 'boolean') return flag
  const text = Array.isArray(value) ? value.join(',') : String(value)
  return `${flag} ${/[^\w.,=-]/.test(text) ? `'${text}'` : text}`
}

/** A flag whose value commander stores under the option's name in the table. */
class TableOption extends Option {
  readonly #name: TableName

  constructor(name: TableName, flags: string, help: string) {
    super(flags, help)
    this.#name = name
  }

  override attributeName(): string {
    return this.#name
  }
}

/** The flag of an option, with the help and the default of its table. */
export function tableOption(
  name: TableName,
  change: { readonly flags?: string; readonly help?: string } = {},
): Option {
  const spec = table[name]
  const { flag } = spec
  if (!flag) throw new TypeError(`the table gives ${name} no flag`)
  const { flags, help } = { ...flag, ...change }
  const recorded = flag.recorded && typeof spec.default !== 'boolean'
  const told = recorded ? null : describeDefault(spec, asFlag)
  const option = new TableOption(name, flags, told === null ? help : `${help} (default: ${told})`)
  if (recorded) option.default(spec.default)
  if (flag.group) option.helpGroup(flag.group)
  const rule = flag.rule ?? spec.rule
  const parse = parsers[name] ?? (rule && parserOf(rule))
  if (rule?.choices) option.choices(rule.choices)
  else if (parse && /[<[]/.test(flag.flags)) option.argParser(parse)
  return option
}

type Parser = (text: string, before: unknown) => unknown

/** The parsers of options whose values are more than one number or name. */
const parsers: { readonly [name in TableName]?: Parser } = {
  augment: checkedAugmentation,
  classWeights,
  freeze: patterns,
  train: patterns,
  layerGroups: (text, before) => [...listSoFar(before), text],
}

/** The values before this one, of an option that may be given several times. */
function listSoFar(before: unknown): readonly string[] {
  return Array.isArray(before) ? before : []
}

/** Patterns of parameters, separated by commas. */
function patterns(text: string, before: unknown): string[] {
  return [...listSoFar(before), ...text.split(',').map((one) => one.trim())]
}

/** Checks the text and returns it: a run's config keeps it as it was typed. */
function checkedAugmentation(text: string): string {
  try {
    augmentationOf(text)
  } catch (error) {
    throw error instanceof UsageError ? new InvalidArgumentError(error.message) : error
  }
  return text
}

/** A class may have commas and equals signs in its name: a pair ends after its number. */
function classWeights(text: string): ClassWeights {
  if (text === 'balanced') return text
  const pairs = [...text.matchAll(/(.+?)=([^=,]+)(?:,(?=.)|$)/gsy)]
  const read = pairs.reduce((length, [pair]) => length + pair.length, 0)
  if (read === 0 || read < text.length || pairs.some(([, , value]) => !(Number(value) > 0)))
    throw new InvalidArgumentError(
      "It takes 'balanced', or a number above 0 for a class: cat=2,dog=0.5.",
    )
  const weights = new Map(pairs.map(([, name = '', value]) => [name, Number(value)]))
  if (weights.size < pairs.length) throw new InvalidArgumentError('It names a class twice.')
  return Object.fromEntries(weights)
}
