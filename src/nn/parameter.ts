import { AutogradError, ShapeError, UsageError } from '../gpu/errors.ts'
import type { Engine } from '../tensor/engine.ts'
import { type Shape, showShape, sizeOf } from '../tensor/ndbuffer.ts'
import type { Tensor } from '../tensor/tensor.ts'

export interface ParameterOptions {
  /** Whether it trains. Default true. */
  readonly trainable?: boolean
}

/**
 * A named tensor that training changes, unless it is frozen. A frozen parameter holds no gradient, backward computes none for it, and
 * optimisers leave it wholly alone, weight decay included. The flag may change between any two steps.
 *
 * @example
 * const weight = new Parameter('classifier.6.weight', engine.tensor(values, [10, 512]))
 * weight.trainable = false
 */
export class Parameter {
  /** Its place in the network, for example 'features.0.weight'. */
  readonly name: string
  readonly shape: Shape
  #tensor: Tensor | null = null
  #make: (() => Tensor) | null = null
  #trainable = true

  /**
   * Wraps a tensor, any shape, without a copy; the tensor's `requiresGrad` becomes the flag.
   * @throws UsageError for an option it does not have
   */
  constructor(name: string, tensor: Tensor, options: ParameterOptions = {})
  constructor(name: string, shape: Shape, make: () => Tensor)
  constructor(name: string, source: Tensor | Shape, options: ParameterOptions | (() => Tensor) = {}) {
    this.name = name
    if (typeof options === 'function') {
      this.shape = [...(source as Shape)]
      this.#make = options
      return
    }
    const unknown = Object.keys(options).filter((key) => key !== 'trainable')
    if (unknown.length) throw new UsageError(`parameter ${name}: there is no option ${unknown.join(', ')}; it takes trainable`)
    this.#tensor = source as Tensor
    this.shape = this.#tensor.shape
    this.trainable = options.trainable ?? true
  }
}
