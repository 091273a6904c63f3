import { UsageError } from '../base/errors.ts'
import type { Network } from '../nn/network.ts'
import { Adam } from '../optim/adam.ts'
import { AdamW } from '../optim/adamw.ts'
import type { Optimizer, ParameterGroup } from '../optim/optimizer.ts'
import { SGD } from '../optim/sgd.ts'

export const optimizers = ['sgd', 'adam', 'adamw'] as const
export type OptimizerName = (typeof optimizers)[number]

export interface OptimizerOptions {
  /** Learning rate, a schedule's peak. Default 1e-3 for adam and adamw, 1e-2 for sgd. */
  readonly lr?: number
  /** Default 'adam'. */
  readonly optimizer?: OptimizerName
  /** For sgd. Default 0.9. */
  readonly momentum?: number
  /** Default 5e-4 for sgd, 0 for adam, 1e-2 for adamw. */
  readonly weightDecay?: number
}

/** The learning rate of an optimizer unless one is given. */
export function defaultRate(optimizer: OptimizerName): number {
  return optimizer === 'sgd' ? 1e-2 : 1e-3
}

/**
 * The optimizer that these options name, over the parameters that train.
 * @param groups those parameters, where they are to have rates of their own
 * @throws UsageError when none does, or an option is not the optimizer's
 */
export function makeOptimizer(
  model: Network,
  options: OptimizerOptions,
  groups?: readonly ParameterGroup[],
): Optimizer {
  const { optimizer = 'adam', momentum, weightDecay } = options
  const parameters = groups ?? model.parameters().filter((parameter) => parameter.trainable)
  if (parameters.length === 0)
    throw new UsageError(
      "no parameter is trainable: let some train again (parameter.trainable, --train 'classifier.*'), or call applyScenario",
    )
  if (momentum !== undefined && optimizer !== 'sgd')
    throw new UsageError(`momentum is for sgd; ${optimizer} has its own`)
  const lr = options.lr ?? defaultRate(optimizer)
  if (optimizer === 'sgd')
    return new SGD(parameters, { lr, momentum: momentum ?? 0.9, weightDecay: weightDecay ?? 5e-4 })
  if (optimizer === 'adam') return new Adam(parameters, { lr, weightDecay: weightDecay ?? 0 })
  return new AdamW(parameters, { lr, weightDecay: weightDecay ?? 1e-2 })
}
