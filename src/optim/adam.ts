import type { Parameter } from '../nn/parameter.ts'
import { type AdamOptions, Adaptive } from './adaptive.ts'
import type { ParameterGroup } from './optimizer.ts'

/**
 * Adam as torch.optim.Adam computes it (Kingma & Ba 2015, arXiv:1412.6980), in a parameter's step t
 * = 1, 2, …:
 *
 *     g = g + weightDecay · p
 *     m = β1 · m + (1 − β1) · g        v = β2 · v + (1 − β2) · g²
 *     p = p − lr / (1 − β1ᵗ) · m / (√v / √(1 − β2ᵗ) + eps)
 *
 * @example const optimizer = new Adam(model.parameters(), { lr: 1e-3 })
 */
export class Adam extends Adaptive {
  /** @throws UsageError for an unknown option, no parameters, or a parameter given twice */
  constructor(
    parameters: Iterable<Parameter> | readonly ParameterGroup[],
    options: AdamOptions = {},
  ) {
    super('Adam', parameters, options)
  }
}
