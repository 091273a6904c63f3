import { UsageError } from '../base/errors.ts'
import { list, type Network } from '../nn/network.ts'
import type { Parameter } from '../nn/parameter.ts'

/**
 * The parameters that a pattern matches, by their own name or their layer's. `*` stands for any
 * characters, `?` for one.
 * @throws UsageError for a pattern that matches none
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
  if (found.length === 0) {
    const names = parameters.map(({ name }) => name)
    throw new UsageError(`no parameter matches '${pattern}'; there are ${list(names, 40)}`)
  }
  return found
}

/** Patterns of parameters, as `matching` takes them. */
export interface TrainablePatterns {
  /** Parameters that no longer train. */
  readonly freeze?: readonly string[]
  /** Parameters that train, even if `freeze` matches them too. */
  readonly train?: readonly string[]
}

/**
 * Sets the `trainable` flag of parameters by pattern: first `freeze`, then `train`.
 * @throws UsageError for a pattern that matches no parameter; no flag is changed then
 * @example setTrainable(model, { freeze: ['features.*'], train: ['classifier.6.*'] })
 */
export function setTrainable(model: Network, { freeze = [], train = [] }: TrainablePatterns): void {
  const parameters = model.parameters()
  const matched = (patterns: readonly string[]) =>
    patterns.flatMap((pattern) => matching(parameters, pattern))
  const [frozen, trained] = [matched(freeze), matched(train)]
  for (const parameter of frozen) parameter.trainable = false
  for (const parameter of trained) parameter.trainable = true
}
