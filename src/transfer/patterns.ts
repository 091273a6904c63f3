import { UsageError } from '../base/errors.ts'
import { list, type Network } from '../nn/network.ts'
import type { Parameter } from '../nn/parameter.ts'

/**
 * The parameters that a pattern names: by their own name or their layer's, `*` for any run of
 * characters and `?` for one.
 * @throws UsageError for a pattern that names none
 * @example matching(model.parameters(), 'features.*')
 */
export function matching(parameters: readonly Parameter[], pattern: string): Parameter[] {
  const source = pattern
    .replace(/[\\^$.+|()[\]{}]/g, '\\$&')
    .replaceAll('*', '.*')
    .replaceAll('?', '.')
  const whole = new RegExp(`^(?:${source})$`)
  const found = parameters.filter(
    ({ name }) => whole.test(name) || whole.test(name.slice(0, name.lastIndexOf('.'))),
  )
  if (found.length === 0)
    throw new UsageError(
      `no parameter is called '${pattern}'; there are ${list(
        parameters.map(({ name }) => name),
        40,
      )}`,
    )
  return found
}

/** Patterns of parameters, as `matching` takes them. */
export interface TrainablePatterns {
  /** What no longer trains. */
  readonly freeze?: readonly string[]
  /** What trains, also where `freeze` names it. */
  readonly train?: readonly string[]
}

/**
 * Sets the `trainable` flag of parameters by pattern: first `freeze`, then `train`.
 * @throws UsageError for a pattern that names no parameter; no flag has changed then
 * @example setTrainable(model, { freeze: ['features.*'], train: ['classifier.6.*'] })
 */
export function setTrainable(model: Network, { freeze = [], train = [] }: TrainablePatterns): void {
  const parameters = model.parameters()
  const [frozen, trained] = [freeze, train].map((patterns) =>
    patterns.flatMap((pattern) => matching(parameters, pattern)),
  )
  for (const parameter of frozen ?? []) parameter.trainable = false
  for (const parameter of trained ?? []) parameter.trainable = true
}
