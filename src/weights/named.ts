import { UsageError } from '../base/errors.ts'
import { checkOptions } from '../base/options.ts'
import { option, optionText } from '../base/optionText.ts'
import type { LoadOptions } from '../base/stateDict.ts'
import { findNamedWeights, type NamedWeights } from './registry.ts'
import type { WeightsFile } from './safetensors.ts'

/**
 * Checks what a caller says of where the weights are.
 * @throws UsageError for options that do not exist, and for a file that Graft knows already
 */
export function checkLoadOptions(nameOrPath: string, options: LoadOptions): void {
  const names = ['weightsKey', 'weightsPrefix'] as const
  checkOptions('loadWeights', options, names)
  const given = names.find((name) => options[name] !== undefined)
  if (given && findNamedWeights(nameOrPath))
    throw new UsageError(
      optionText`${option(given)} says where in a file the weights are, and Graft knows the file of
        ${nameOrPath}: leave it out`,
    )
}

/** Adds what is known by a name, unless the file says it: the network, and the outputs' names. */
export async function describeNamed(
  { variant, classNames }: NamedWeights,
  { metadata, ...file }: WeightsFile,
): Promise<WeightsFile> {
  return {
    ...file,
    metadata: {
      ...(variant ? { architecture: variant } : {}),
      ...(classNames ? { classes: JSON.stringify(await classNames()) } : {}),
      ...metadata,
    },
  }
}
