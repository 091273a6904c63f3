import type { NamedOption, WriteOption } from '../../base/optionText.ts'
import type { Rule } from '../../base/rule.ts'
import type { OptimizerName } from '../fitOptions.ts'

/** The groups of `graft train --help`, after the general one. */
export type HelpGroup = 'What trains:' | 'The learning rate:' | 'Against overfitting:' | 'Steps:'

/** How the command line takes an option. */
export interface Flag {
  /** As commander takes them: '--lr-floor <share>'. */
  readonly flags: string
  /** The default is printed behind it. */
  readonly help: string
  /** Default: the general group. */
  readonly group?: HelpGroup
  /** Where the command line takes other values than the library. */
  readonly rule?: Rule
  /** Whether a run's config names the option even where nobody typed it. */
  readonly recorded?: true
  /** Whether it belongs to one session of `graft train`, and a run's config never names it. */
  readonly session?: true
}

/** How the web page asks for an option. */
export interface Field {
  readonly label: string
  readonly hint?: string
  /** Whether it is under "More settings". */
  readonly more?: true
  /** A number that stands for leaving the option out. */
  readonly off?: number
  /** The values to choose from with what the page calls them; null leaves the option out. */
  readonly choices?: readonly (readonly [value: string | null, text: string])[]
  /** What the values mean, as hints. */
  readonly meanings?: Readonly<Record<string, string>>
}

/** A default that depends on the optimizer; where one is left out, the option is not for it. */
export interface ByOptimizer<T> {
  readonly byOptimizer: { readonly [name in OptimizerName]?: T }
}

/** A default that is another one where some option is given. */
export interface Conditional<T> {
  readonly otherwise: T
  /** The option, and the default beside it. */
  readonly with: string
  readonly value: T
}

/** Everything there is to know about one option. */
export interface OptionSpec<T = unknown> {
  /** What its value has to be; null where the code that uses it checks the value. */
  readonly rule: Rule | null
  /** The value where it is left out; absent where the option is off then, or has to be given. */
  readonly default?: T | ByOptimizer<T> | Conditional<T>
  /** How the help words the default, where the value alone says too little. */
  readonly defaultText?: string
  /** Whether the default is the optimizer's own, and a checkpoint names only a given value. */
  readonly implicit?: true
  /**
   * Whether a resumed training has to agree in it: 'bits' decide what is computed, and checkpoints
   * hold them; 'with a schedule' does so only where a schedule spans all epochs; 'run' is fixed
   * for a run folder alone.
   */
  readonly decisive: 'bits' | 'with a schedule' | 'run' | 'no'
  /** Whether it bears on single steps: `findLearningRate` and `graft lr-find` take those. */
  readonly step?: true
  /** Null where the command line has no such flag. */
  readonly flag: Flag | null
  /** Absent where the page does not ask for it. */
  readonly field?: Field
}

/** The default in words, for the help; null where there is none to tell. */
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
