import { checkOptions } from '../base/options.ts'
import { type Params, stripKernel } from '../gpu/kernels/kernel.ts'
import type { Parameter } from '../nn/parameter.ts'
import { Optimizer, type ParameterGroup } from './optimizer.ts'
import { decayRates, notNegative, optimizerDefaults } from './options.ts'

/** Options of `Adam` and `AdamW`. */
export interface AdamOptions {
  /** Default 1e-3. */
  readonly lr?: number
  /**
   * Decay rates of the running means of gradient and squared gradient, each in [0, 1). Default
   * [0.9, 0.999].
   */
  readonly betas?: readonly [number, number]
  /** Added to the denominator. Default 1e-8. */
  readonly eps?: number
  /**
   * Default 0 for Adam, which adds it to the gradient; 0.01 for AdamW, which shrinks the parameter
   * by lr · weightDecay.
   */
  readonly weightDecay?: number
}

/**
 * n counts vectors of 4: 14 operations on each value; p, m and v are read and written, g is read.
 */
const cost = ({ n }: { readonly n: number }) => ({ flops: 4 * 14 * n, bytes: 16 * 7 * n })
const kernels = {
  Adam: stripKernel('optim/adam', { cost }),
  AdamW: stripKernel('optim/adamw', { cost }),
}

/** What Adam and AdamW share: everything but where the weight decay goes. */
export abstract class Adaptive extends Optimizer {
  readonly #name: 'Adam' | 'AdamW'
  #betas: readonly [number, number]
  readonly #eps: number
  readonly #weightDecay: number

  protected constructor(
    name: 'Adam' | 'AdamW',
    parameters: Iterable<Parameter> | readonly ParameterGroup[],
    options: AdamOptions,
  ) {
    checkOptions(name, options, ['lr', 'betas', 'eps', 'weightDecay'])
    const own = optimizerDefaults[name]
    const { lr = own.lr, betas = own.betas } = options
    const { eps = own.eps, weightDecay = own.weightDecay } = options
    const rates = decayRates(name, betas)
    notNegative(name, 'eps', eps)
    notNegative(name, 'weightDecay', weightDecay)
    super(
      {
        name,
        kernel: kernels[name],
        constants: { DECOUPLED: name === 'AdamW' ? 1 : 0 },
        slots: ['m', 'v'],
        counts: true,
      },
      parameters,
      lr,
    )
    this.#name = name
    this.#betas = rates
    this.#eps = eps
    this.#weightDecay = weightDecay
  }

  get momentum(): number {
    return this.#betas[0]
  }

  set momentum(value: number) {
    this.#betas = decayRates(this.#name, [value, this.#betas[1]])
  }

  protected hyperparameters(step: number, lr: number): Params {
    const [beta1, beta2] = this.#betas
    return {
      rate: lr / (1 - beta1 ** step),
      decay: this.#weightDecay,
      shrink: 1 - lr * this.#weightDecay,
      beta1,
      one_minus_beta1: 1 - beta1,
      beta2,
      one_minus_beta2: 1 - beta2,
      root: Math.sqrt(1 - beta2 ** step),
      eps: this.#eps,
    }
  }
}
