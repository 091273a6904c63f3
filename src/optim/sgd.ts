import { UsageError } from '../base/errors.ts'
import { checkOptions } from '../base/options.ts'
import { type Params, stripKernel } from '../gpu/kernels/kernel.ts'
import type { Parameter } from '../nn/parameter.ts'
import { Optimizer, type ParameterGroup } from './optimizer.ts'
import { notNegative, optimizerDefaults } from './options.ts'

/** Options of `SGD`. */
export interface SGDOptions {
  readonly lr: number
  /** How much of the last step's direction is kept. Default 0: no state. */
  readonly momentum?: number
  /** L2 penalty, added to the gradient. Default 0. */
  readonly weightDecay?: number
  /** Looks ahead by one step of momentum. Default false. */
  readonly nesterov?: boolean
}

/** In vectors of four. */
const kernel = stripKernel<'MOMENTUM' | 'NESTEROV'>('optim/sgd', {
  cost: ({ n }, { MOMENTUM, NESTEROV }) => ({
    flops: 4 * n * (4 + 2 * MOMENTUM + 2 * NESTEROV),
    bytes: 16 * n * (3 + 2 * MOMENTUM),
  }),
})

/**
 * Stochastic gradient descent with momentum and Nesterov's variant, as torch.optim.SGD computes
 * them (Sutskever et al. 2013, "On the importance of initialization and momentum in deep
 * learning"):
 *
 *     d = g + weightDecay · p        v = momentum · v + d, d itself in the first step
 *     p = p − lr · v                 with nesterov: p − lr · (d + momentum · v)
 *
 * @example
 * const optimizer = new SGD(model.parameters(), { lr: 0.01, momentum: 0.9 })
 * loss.backward()
 * optimizer.step()
 * optimizer.zeroGrad()
 */
export class SGD extends Optimizer {
  #momentum: number
  readonly #weightDecay: number

  /** @throws UsageError for an unknown option, no parameters, or a parameter given twice */
  constructor(parameters: Iterable<Parameter> | readonly ParameterGroup[], options: SGDOptions) {
    checkOptions('SGD', options, ['lr', 'momentum', 'weightDecay', 'nesterov'])
    const own = optimizerDefaults.SGD
    const { lr, momentum = own.momentum } = options
    const { weightDecay = own.weightDecay, nesterov = own.nesterov } = options
    notNegative('SGD', 'momentum', momentum)
    notNegative('SGD', 'weightDecay', weightDecay)
    if (nesterov && momentum === 0)
      throw new UsageError('SGD: nesterov looks ahead along the momentum: give a momentum above 0')
    const constants = { MOMENTUM: momentum > 0 ? 1 : 0, NESTEROV: nesterov ? 1 : 0 }
    super(
      { name: 'SGD', kernel, constants, slots: momentum > 0 ? ['momentum'] : [], counts: false },
      parameters,
      lr,
    )
    this.#momentum = momentum
    this.#weightDecay = weightDecay
  }

  get momentum(): number {
    return this.#momentum
  }

  /** @throws UsageError below 0, and for a change from or to 0: only with momentum state is kept */
  set momentum(value: number) {
    notNegative('SGD', 'momentum', value)
    if (value > 0 !== this.#momentum > 0)
      throw new UsageError(
        `SGD: momentum cannot change from ${this.#momentum} to ${value}: ` +
          'state is only kept with a momentum above 0',
      )
    this.#momentum = value
  }

  protected hyperparameters(_: number, lr: number): Params {
    return { lr, decay: this.#weightDecay, momentum: this.#momentum }
  }
}
