import type { FitOptions } from '../fitOptions.ts'
import { isByOptimizer, isConditional } from './spec.ts'
import { specs, trainingOptions } from './table.ts'

type Table = typeof trainingOptions
/** The options with a default, except for those that the optimizers fill in. */
type Filled = {
  [K in keyof Table]: Table[K] extends { default: unknown }
    ? Table[K] extends { implicit: true }
      ? never
      : K
    : never
}[keyof Table]

/** The options with their defaults. */
export type FitSettings = FitOptions & { readonly [K in Filled]-?: NonNullable<FitOptions[K]> }

/**
 * The default of an option, given the others; undefined if it has none.
 * @example defaultOf('lr', { optimizer: 'sgd' }) // 0.01
 */
export function defaultOf<K extends keyof FitOptions>(
  name: K,
  given: Partial<FitOptions> = {},
): FitOptions[K] | undefined {
  const { default: value } = specs[name]
  const chosen = isByOptimizer(value)
    ? value.byOptimizer[given.optimizer ?? trainingOptions.optimizer.default]
    : isConditional(value)
      ? given[value.with as keyof FitOptions]
        ? value.value
        : value.otherwise
      : value
  return chosen as FitOptions[K] | undefined
}
