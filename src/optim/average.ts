import { UsageError, WeightsError } from '../base/errors.ts'
import { checkOptions } from '../base/options.ts'
import { namedArrays, type StateDict } from '../base/stateDict.ts'
import { stripKernel } from '../gpu/kernels/kernel.ts'
import { eachPart } from '../gpu/memory/windows.ts'
import type { Parameter } from '../nn/parameter.ts'
import { sameShape, showShape } from '../tensor/ndbuffer.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { zeros } from './zeros.ts'

const average = stripKernel('optim/average', {
  cost: ({ n }) => ({ flops: 12 * n, bytes: 48 * n }),
})

/**
 * Exponential moving averages of parameters: e ← decay · e + (1 − decay) · p after each step, with
 * the initial values as the first e (Polyak & Juditsky 1992; torch.optim.swa_utils.AveragedModel
 * with such an avg_fn). In update n the decay is at most (1 + n) / (10 + n), as in TensorFlow's
 * ExponentialMovingAverage, so that initial values do not dominate a short training.
 *
 * @example
 * const averages = new WeightAverage(model.parameters(), 0.999)
 * optimizer.step()
 * averages.update()
 * averages.swap() // the network computes with the averages, until the next swap
 */
export class WeightAverage {
  readonly decay: number
  readonly #warmUp: boolean
  readonly #averages = new Map<Parameter, Tensor>()
  #updates = 0

  /**
   * @param parameters averaged from their present values on; frozen ones are left out until `track`
   * is called
   * @param decay in (0, 1)
   * @param options `warmUp`: whether the decay grows to its value in the first updates. Default
   * true
   * @throws UsageError for a decay outside (0, 1) or an option that does not exist
   */
  constructor(
    parameters: Iterable<Parameter>,
    decay: number,
    options: { readonly warmUp?: boolean } = {},
  ) {
    checkOptions('WeightAverage', options, ['warmUp'])
    if (!(decay > 0 && decay < 1))
      throw new UsageError(`the decay of averaged weights is between 0 and 1, not ${decay}`)
    this.decay = decay
    this.#warmUp = options.warmUp ?? true
    this.track(parameters)
  }

  /** Updates so far. */
  get updates(): number {
    return this.#updates
  }

  /** Starts to average those parameters that train and are not averaged yet. */
  track(parameters: Iterable<Parameter>): void {
    for (const parameter of parameters) {
      if (!parameter.trainable || this.#averages.has(parameter)) continue
      const { engine } = parameter.tensor
      const tensor = zeros(engine, parameter.shape)
      this.#averages.set(parameter, tensor)
      this.#move(parameter, tensor, 1)
    }
  }

  /** Updates the averages with the parameters' present values; those of frozen ones stay. */
  update(): void {
    this.#updates++
    const decay = this.#warmUp
      ? Math.min(this.decay, (1 + this.#updates) / (10 + this.#updates))
      : this.decay
    for (const [parameter, tensor] of this.#averages)
      if (parameter.trainable) this.#move(parameter, tensor, 1 - decay)
  }

  /** Exchanges the buffers of parameters and averages, without a copy. */
  swap(): void {
    for (const [{ tensor }, other] of this.#averages) {
      const [mine, theirs] = [tensor.buffer, other.buffer]
      for (const { storage } of [mine, theirs]) storage.retain()
      tensor.replace(theirs)
      other.replace(mine)
    }
  }

  /** Reads the averages, by the parameters' names. Call the result after `gpu.submit()`. */
  readLater(): () => Promise<StateDict> {
    const parameters = [...this.#averages.keys()]
    const tensors = [...this.#averages.values()]
    const collect = tensors[0]?.engine.readLater(tensors)
    return async () => (collect ? namedArrays(parameters, await collect()) : {})
  }

  /**
   * Loads averages and their number of updates; other parameters are no longer averaged.
   * @throws WeightsError for names and shapes that belong to no parameter
   */
  load(parameters: readonly Parameter[], values: StateDict, updates: number): void {
    const found = Object.entries(values).map(([name, { shape, data }]) => {
      const parameter = parameters.find((one) => one.name === name)
      if (!parameter || !sameShape(parameter.shape, shape))
        throw new WeightsError(
          `the averaged weights contain ${name} of shape ${showShape(shape)}, ` +
            'which the network does not have',
        )
      return { parameter, data }
    })
    this.dispose()
    for (const { parameter, data } of found)
      this.#averages.set(parameter, parameter.tensor.engine.tensor(data, parameter.shape))
    this.#updates = updates
  }

  /** Frees the averages. */
  dispose(): void {
    for (const tensor of this.#averages.values()) tensor.dispose()
    this.#averages.clear()
  }

  #move({ tensor: { engine, buffer } }: Parameter, tensor: Tensor, rate: number): void {
    eachPart(
      engine.gpu.bindingLimits,
      tensor.size,
      { p: buffer.storage, e: tensor.buffer.storage },
      (windows, n) => engine.gpu.run(average, windows, { n: Math.ceil(n / 4), rate }),
    )
  }
}
