import { UsageError } from '../../base/errors.ts'
import { checkOptions } from '../../base/options.ts'
import { option, optionText } from '../../base/optionText.ts'
import { augmentationOf } from '../../data/augment.ts'
import type { FitOptions } from '../fitOptions.ts'
import { conditions } from './conditions.ts'
import { defaultOf, type FitSettings } from './defaults.ts'
import { optionNames, specs } from './table.ts'

/**
 * Checks the options of `fit` and fills in what is left out.
 * @throws UsageError for options that do not exist, have a wrong value, or would have no effect
 */
export function resolveOptions(options: FitOptions): FitSettings {
  checkOptions('fit', options, optionNames)
  requireFitting('epochs', options.epochs)
  return fillOptions(options)
}

/**
 * Checks some of the options and fills in the others that have a default.
 * @throws UsageError for wrong values, and for options that would have no effect
 */
export function fillOptions(options: Partial<FitOptions>): FitSettings {
  for (const name of optionNames)
    if (options[name] !== undefined) requireFitting(name, options[name])
  if (options.augment) augmentationOf(options.augment)
  const filled = optionNames.flatMap((name) => {
    const value = options[name] ?? (specs[name].implicit ? undefined : defaultOf(name, options))
    return value === undefined ? [] : [[name, value]]
  })
  const settings = Object.fromEntries(filled) as unknown as FitSettings
  const wrong = conditions.find(({ broken }) => broken(settings, options))
  if (wrong) throw new UsageError(wrong.message(settings))
  return settings
}

function requireFitting(name: keyof FitOptions, value: unknown): void {
  const { rule } = specs[name]
  if (!rule || rule.fits(value)) return
  const given = typeof value === 'object' ? JSON.stringify(value) : String(value)
  throw new UsageError(optionText`${option(name)} is ${rule.words}, not ${given}`)
}

/** The options that must be the same to continue from a checkpoint. */
export function decisiveOptions(settings: FitSettings): Readonly<Record<string, unknown>> {
  const scheduled = settings.schedule !== 'constant'
  const names = optionNames.filter((name) => {
    const { decisive } = specs[name]
    return decisive === 'bits' || (decisive === 'with a schedule' && scheduled)
  })
  return Object.fromEntries(
    names.flatMap((name) => (settings[name] === undefined ? [] : [[name, settings[name]]])),
  )
}
