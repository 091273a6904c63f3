import type { Parameter } from '../nn/parameter.ts'
import { type AdamOptions, Adaptive } from './adaptive.ts'
import type { ParameterGroup } from './optimizer.ts'

/**
 * Adam with weight decay apart from the gradient, as torch.optim.AdamW computes it (Loshchilov &
 * Hutter 2019, arXiv:1711.05101): first p = p · (1 − lr · weightDecay), then Adam's step without
 * decay.
 *
 * @example const optimizer = new AdamW(model.parameters(), { lr: 1e-4, weightDecay: 0.05 })
 */
export class AdamW extends Adaptive {
  /** @throws UsageError for an unknown option, no parameters, or a parameter given twice */
  constructor(
    parameters: Iterable<Parameter> | readonly ParameterGroup[],
    options: AdamOptions = {},
  ) {
    super('AdamW', parameters, options)
  }
}
