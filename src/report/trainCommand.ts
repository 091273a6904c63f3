import { quoted } from '../base/node/quoted.ts'
import { roundOptions } from '../train/options/rounds.ts'
import { setupOptions } from '../train/options/setup.ts'
import { isByOptimizer, isConditional, type OptionSpec } from '../train/options/spec.ts'
import { specs } from '../train/options/table.ts'

type Options = Readonly<Record<string, unknown>>

const table: readonly (readonly [name: string, spec: OptionSpec])[] = [
  ...Object.entries(setupOptions),
  ...Object.entries(specs),
  ...Object.entries(roundOptions),
]

/**
 * The command that trains with the options of a run: those that are not the defaults.
 * @param options as the run's config has them, `data` among them
 * @param changes options that are to be different; undefined leaves one out
 * @returns null where the run does not record its images
 * @example trainCommand({ data: 'photos', epochs: 20 }, { augment: true })
 * // 'npx graft-webgpu train photos --augment'
 */
export function trainCommand(options: Options, changes: Options = {}): string | null {
  const all: Options = { ...options, ...changes }
  if (typeof all.data !== 'string') return null
  const flags = table.flatMap(([name, spec]) => {
    const flag = spec.flag?.flags.split(' ')[0]
    const value = all[name]
    if (!flag || spec.flag?.session || value === undefined || value === null) return []
    if (isDefault(value, spec, all)) return []
    return typeof value === 'boolean' ? [flag] : [flag, quoted(asTyped(value))]
  })
  return ['npx graft-webgpu train', quoted(all.data), ...flags].join(' ')
}

function isDefault(value: unknown, { default: standard }: OptionSpec, all: Options): boolean {
  if (isByOptimizer(standard))
    return Object.entries(standard.byOptimizer).some(
      ([optimizer, one]) =>
        optimizer === (all.optimizer ?? specs.optimizer.default) && one === value,
    )
  if (isConditional(standard))
    return value === (all[standard.with] === undefined ? standard.otherwise : standard.value)
  return value === standard
}

/** A value as the command line takes it: lists by commas, weights of classes as cat=2,dog=0.5. */
function asTyped(value: unknown): string {
  if (Array.isArray(value)) return value.join(',')
  if (typeof value === 'object' && value !== null)
    return Object.entries(value)
      .map((pair) => pair.join('='))
      .join(',')
  return String(value)
}
