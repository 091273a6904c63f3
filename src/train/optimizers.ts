import { UsageError } from '../base/errors.ts'
import { option, optionText } from '../base/optionText.ts'
import type { Network } from '../nn/network.ts'
import { Adam } from '../optim/adam.ts'
import { AdamW } from '../optim/adamw.ts'
import type { Optimizer, ParameterGroup } from '../optim/optimizer.ts'
import { SGD } from '../optim/sgd.ts'
import type { OptimizerOptions } from './fitOptions.ts'
import { defaultOf } from './options/defaults.ts'

/**
 * The optimizer that these options name, over the parameters that train.
 * @param groups those parameters, where they have learning rates of their own
 * @throws UsageError when no parameter trains
 */
export function makeOptimizer(
  model: Network,
  options: OptimizerOptions,
  groups?: readonly ParameterGroup[],
): Optimizer {
  const parameters = groups ?? model.parameters().filter((parameter) => parameter.trainable)
  if (parameters.length === 0)
    throw new UsageError(
      optionText`no parameter is trainable: unfreeze some, such as with
        ${option('train', ['classifier.*'])}`,
    )
  const {
    optimizer = defaultOf('optimizer'),
    lr = defaultOf('lr', options) as number,
    momentum = defaultOf('momentum', options),
    weightDecay = defaultOf('weightDecay', options),
  } = options
  if (optimizer === 'sgd') return new SGD(parameters, { lr, momentum, weightDecay })
  const Kind = optimizer === 'adam' ? Adam : AdamW
  return new Kind(parameters, { lr, weightDecay })
}
