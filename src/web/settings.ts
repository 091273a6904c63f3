import type { GraftError } from '../base/errors.ts'
import type { WriteOption } from '../base/optionText.ts'
import type { LoadOptions } from '../base/stateDict.ts'
import type { AugmentationName } from '../data/augment.ts'
import type { Variant } from '../nn/alexnet.ts'
import type { InitName } from '../nn/init.ts'
import type { LearningRateOptions } from '../train/findLearningRate.ts'
import type { FitOptions } from '../train/fitOptions.ts'
import { setupOptions, shippedWeights } from '../train/options/setup.ts'
import type { OptionSpec } from '../train/options/spec.ts'
import { optionNames, specs, stepOptions, type trainingOptions } from '../train/options/table.ts'
import { type Choice, optionsOf } from '../transfer/decide.ts'
import type { Scenario, ScenarioOptions } from '../transfer/scenario.ts'

type Table = typeof trainingOptions
/** The options of `fit` that the page asks for. */
export type PageOption = {
  [K in keyof Table]: Table[K] extends { field: object } ? K : never
}[keyof Table]
export const pageOptions = optionNames.filter((name) => specs[name].field) as readonly PageOption[]

/** What the user decides; the worker turns it into options of the library. */
export interface Settings
  extends Required<Pick<FitOptions, Exclude<PageOption, NullableOption>>>,
    Nullable<Pick<FitOptions, NullableOption>> {
  readonly start: 'shipped' | 'file' | 'random'
  /** The user's own weights, where `start` is 'file'. */
  readonly file: File | null
  /** Where in that file the weights are. Null: they are found. */
  readonly weightsKey: string | null
  readonly weightsPrefix: string | null
  /** Null: the one of the file, or alexnet-64 where every weight is random. */
  readonly variant: Variant | null
  readonly scenario: Scenario | 'auto'
  /**
   * What the new layer replaces: the last FC layer, all FC layers, or everything after the layer
   * of that name.
   */
  readonly head: 'last' | 'all' | `features.${string}`
  /** Null: the scenario's own. */
  readonly init: InitName | 'pretrained' | null
  readonly augment: AugmentationName | null
  readonly classWeights: 'balanced' | null
  readonly split: number
}

/** Options that are left to the library, or off, where they are null. */
type NullableOption = 'lr' | 'weightDecay' | 'augment' | 'patience' | 'classWeights' | 'mixup'
type Nullable<T> = { readonly [K in keyof T]-?: NonNullable<T[K]> | null }

/** The default of every option that has one of its own, and null for the others. */
const ofTable = Object.fromEntries(
  pageOptions.map((name) => {
    const value = specs[name].default
    return [name, typeof value === 'string' || typeof value === 'number' ? value : null]
  }),
) as unknown as Pick<Settings, PageOption>

export const defaults: Settings = {
  ...ofTable,
  start: 'shipped',
  file: null,
  weightsKey: null,
  weightsPrefix: null,
  variant: null,
  scenario: 'auto',
  head: 'last',
  init: null,
  split: setupOptions.split.default,
}

/** The settings without those that have no meaning beside the others. */
export function consistent(settings: Settings): Settings {
  const { init, scenario, start } = settings
  const lost = init !== null && !isApplicable(init, scenario, start)
  return {
    ...settings,
    ...(lost ? { init: null } : {}),
    ...(start === 'file' ? {} : { weightsKey: null, weightsPrefix: null }),
  }
}

/** Where the new layer goes unless the user decides otherwise. */
export function defaultHead(scenario: Settings['scenario']): Settings['head'] {
  return scenario === 'small-different' ? 'features.7' : 'last'
}

/**
 * Settings that a measured choice depends on: after a change of one it is measured again.
 */
export const probed: readonly (keyof Settings)[] = [
  'start',
  'file',
  'weightsKey',
  'weightsPrefix',
  'variant',
  'split',
  'seed',
]

/** What `applyScenario` takes, or null while 'auto' has not measured. */
export function scenarioOptions(
  settings: Settings,
  choice: Choice | null,
  classes: number,
): ScenarioOptions | null {
  const { scenario, head, init, seed } = settings
  const common = { classes, seed, ...(init ? { init } : {}) }
  if (scenario === 'auto')
    return choice && { scenario: choice.scenario, ...optionsOf(choice), ...common }
  return {
    scenario,
    ...(head === 'last' || head === 'all' ? { replace: head } : { cut: head }),
    ...common,
  }
}

/**
 * Whether layers can start with these values: keeping pretrained ones is for large-different, and
 * needs some.
 */
export function isApplicable(
  init: InitName | 'pretrained',
  scenario: Settings['scenario'],
  start: Settings['start'],
): boolean {
  return init !== 'pretrained' || (scenario === 'large-different' && start !== 'random')
}

/** Whether the head can train alone first: only if the rest trains too. */
export function trainsTrunk(scenario: Settings['scenario']): boolean {
  return scenario.startsWith('large')
}

/** The options for `fit`, without those that are off or left to the library. */
export function fitOptions(settings: Settings): FitOptions {
  const given = pageOptions.flatMap((name) => {
    const value = name === 'headEpochs' && !trainsTrunk(settings.scenario) ? 0 : settings[name]
    return value === null ? [] : [[name, value]]
  })
  return Object.fromEntries(given) as unknown as FitOptions
}

/** The options for `findLearningRate`: those for `fit` that affect single steps. */
export function rateOptions(settings: Settings): LearningRateOptions {
  const bears = (name: string) => stepOptions.some((one) => one === name)
  return Object.fromEntries(Object.entries(fitOptions(settings)).filter(([name]) => bears(name)))
}

/** What `loadWeights` takes beside the file. */
export function loadOptions({ weightsKey, weightsPrefix }: Settings): LoadOptions {
  return {
    ...(weightsKey === null ? {} : { weightsKey }),
    ...(weightsPrefix === null ? {} : { weightsPrefix }),
  }
}

/** The run's options with the keys of `graft train`, for a config that `graft` reads. */
export function runOptions(settings: Settings, root: string): Readonly<Record<string, unknown>> {
  const { start, file, variant, scenario, head, init, split } = settings
  const placed =
    scenario === 'auto' ? {} : head === 'last' || head === 'all' ? { replace: head } : { cut: head }
  return {
    weights: start === 'random' ? 'none' : start === 'file' ? file?.name : shippedWeights,
    ...loadOptions(settings),
    variant: variant ?? undefined,
    scenario,
    ...placed,
    init: init ?? undefined,
    ...fitOptions(settings),
    split,
    data: root,
  }
}

/** The message of an error on the page, which names options by their fields' labels. */
export function pageMessage(error: GraftError): string {
  return error.messageFor(asLabel)
}

const fields: Readonly<Record<string, OptionSpec>> = { ...specs, ...setupOptions }

const asLabel: WriteOption = ({ option, value }) => {
  const label = fields[option]?.field?.label ?? option
  return value === undefined ? `“${label}”` : `“${label}” ${String(value)}`
}
