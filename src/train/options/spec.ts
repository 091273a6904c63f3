import type { NamedOption, WriteOption } from '../../base/optionText.ts'
import type { Rule } from '../../base/rule.ts'
import type { OptimizerName } from '../fitOptions.ts'

/** The groups of `graft train --help`, after the general one. */
export type HelpGroup =
  | 'What trains:'
  | 'The learning rate:'
  | 'Against overfitting:'
  | 'Steps:'
  | 'Training by rounds:'

/** An option on the command line. */
export interface Flag {
  /** In commander's notation: '--lr-floor <share>'. */
  readonly flags: string
  /** The help text; the default is appended to it. */
  readonly help: string
  /** Default: the general group. */
  readonly group?: HelpGroup
  /** If the command line takes other values than the library. */
  readonly rule?: Rule
  /** Whether a run's config contains the option even if it was not typed. */
  readonly recorded?: true
  /** Whether it is for one call of `graft train`: a run's config never contains it. */
  readonly session?: true
}

/** An option in the page's form. */
export interface Field {
  readonly label: string
  readonly hint?: string
  /** Whether it is under "More settings". */
  readonly more?: true
  /** A number that means the option is left out. */
  readonly off?: number
  /** The values to choose from, with their texts; null leaves the option out. */
  readonly choices?: readonly (readonly [value: string | null, text: string])[]
  /** A hint for each value. */
  readonly meanings?: Readonly<Record<string, string>>
}

/** A default that depends on the optimizer; the option is not for one that is left out. */
export interface ByOptimizer<T> {
  readonly byOptimizer: { readonly [name in OptimizerName]?: T }
}

/** A default that is another one if a certain option is given. */
export interface Conditional<T> {
  readonly otherwise: T
  /** The option, and the default beside it. */
  readonly with: string
  readonly value: T
}

/** The description of one option. */
export interface OptionSpec<T = unknown> {
  /** The allowed values; null if the code that uses the value checks it. */
  readonly rule: Rule | null
  /** Its value if left out; absent if the option is off then, or has to be given. */
  readonly default?: T | ByOptimizer<T> | Conditional<T>
  /** The default in the help, if the value alone says too little. */
  readonly defaultText?: string
  /** Whether the optimizer fills in the default: a checkpoint contains only a given value. */
  readonly implicit?: true
  /**
   * Whether a resumed training needs the same value. 'bits': it decides the numbers, and
   * checkpoints contain it; 'with a schedule': only if a schedule spans all epochs; 'run': only
   * `graft train` requires it, for its run folder.
   */
  readonly decisive: 'bits' | 'with a schedule' | 'run' | 'no'
  /** Whether it affects single steps: `findLearningRate` and `graft lr-find` take those. */
  readonly step?: true
  /** Null if the command line has no flag for it. */
  readonly flag: Flag | null
  /** Absent if the page's form does not have it. */
  readonly field?: Field
}

/** The default in words, for the help; null if there is none to show. */
export function describeDefault(spec: OptionSpec, write: WriteOption): string | null {
  const { default: value, defaultText } = spec
  if (defaultText !== undefined) return defaultText
  if (value === undefined || typeof value === 'boolean') return null
  if (isByOptimizer(value))
    return Object.entries(value.byOptimizer)
      .map((pair) => pair.join(' '))
      .join(', ')
  if (isConditional(value)) {
    const named: NamedOption = { option: value.with }
    return `${String(value.otherwise)}, with ${write(named)} ${String(value.value)}`
  }
  return String(value)
}

export function isByOptimizer(value: unknown): value is ByOptimizer<unknown> {
  return typeof value === 'object' && value !== null && 'byOptimizer' in value
}

export function isConditional(value: unknown): value is Conditional<unknown> {
  return typeof value === 'object' && value !== null && 'otherwise' in value
}
