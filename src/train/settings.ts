import { UsageError } from '../base/errors.ts'
import { misfit } from '../base/form.ts'
import { augmentationOf } from '../data/augment.ts'
import { FeatureCache } from '../data/featureCache.ts'
import { type Choice, optionsOf } from '../transfer/decide.ts'
import type { ScenarioOptions } from '../transfer/scenario.ts'
import type { FitOptions } from './fitOptions.ts'
import { type SetupOptions, setupOptions } from './options/setup.ts'
import type { OptionSpec } from './options/spec.ts'
import { optionNames, specs } from './options/table.ts'

/** The options that decide the result of a training; a run's config keeps them. */
export interface TrainSettings extends SetupOptions, Omit<FitOptions, 'lr' | 'augment'> {
  readonly batchSize: number
  readonly cache: boolean
  readonly seed: number
  /** A number when training begins. */
  readonly lr?: number | 'find'
  /** As typed: `augmentationOf` reads it. */
  readonly augment?: true | string
}

const setupNames = Object.keys(setupOptions) as readonly (keyof SetupOptions)[]
const specOf: Readonly<Record<keyof SetupOptions | keyof FitOptions, OptionSpec>> = {
  ...setupOptions,
  ...specs,
}

/** The options that the command line has. */
export const flaggedNames = [...setupNames, ...optionNames].filter((name) => specOf[name].flag)
/** Those that a run's config keeps. */
export const settingNames = flaggedNames.filter((name) => !specOf[name].flag?.session)

/**
 * What is wrong with settings that come from others, in words; null if nothing is.
 * @param settings a JSON object
 */
export function wrongSetting(settings: Readonly<Record<string, unknown>>): string | null {
  for (const [name, value] of Object.entries(settings)) {
    const known = settingNames.find((one) => one === name)
    if (known === undefined) return `${name.slice(0, 40)} is no option of a training`
    const { flag, rule } = specOf[known]
    const form = flag?.rule ?? rule
    const wrong = form && misfit(value, form, name)
    if (wrong) return wrong
  }
  return null
}

/** The options of these names, without what is undefined. */
export function pick(options: object, names: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(options).filter(([name, value]) => names.includes(name) && value !== undefined),
  )
}

/** The options of `fit` that the settings name. */
export function fitOptionsOf(settings: TrainSettings): FitOptions {
  const { lr, augment, cache, epochs } = settings
  return {
    ...pick(settings, optionNames),
    epochs,
    lr: lr === 'find' ? undefined : lr,
    augment: augment ? augmentationOf(augment) : undefined,
    featureCache: cache ? new FeatureCache() : undefined,
  }
}

/** The scenario, its head and what trains: as chosen from the data, or as typed. */
export function scenarioOf(
  { scenario, replace, cut, init, seed, freeze, train }: TrainSettings,
  choice: Choice | undefined,
  classes: number,
): ScenarioOptions {
  const common = { classes, init, seed, freeze, train }
  if (choice) return { scenario: choice.scenario, ...optionsOf(choice), ...common }
  if (scenario === 'auto') throw new UsageError('auto takes a choice')
  return { scenario, replace, cut, ...common }
}
