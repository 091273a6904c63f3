import { AutogradError, ShapeError } from '../base/errors.ts'
import { checkOptions } from '../base/options.ts'
import { checkValues, type Shape, showShape, sizeOf } from '../tensor/ndbuffer.ts'
import type { Engine, Tensor } from '../tensor/tensor.ts'

/** Options of a parameter. */
export interface ParameterOptions {
  /** Whether it trains. Default true. */
  readonly trainable?: boolean
}

/** A tensor that is made when it is first used. */
export interface DeferredTensor {
  readonly shape: Shape
  /** Makes it: called at most once. */
  make(): Tensor
}

/**
 * A named tensor that training changes, unless it is frozen. A frozen parameter has no gradient,
 * backward computes none for it, and optimizers do not touch it, not even by weight decay. The flag
 * may be changed between any two steps.
 *
 * @example
 * const weight = new Parameter('classifier.6.weight', engine.tensor(values, [10, 512]))
 * weight.trainable = false
 */
export class Parameter {
  /** Its name in the network, for example 'features.0.weight'. */
  readonly name: string
  readonly shape: Shape
  #source: Tensor | DeferredTensor
  #trainable: boolean
  #disposed = false

  /**
   * @param source the tensor, of any shape, which is used without a copy and whose `requiresGrad`
   * is set to the flag; or how to make it
   * @throws UsageError for an option that does not exist
   */
  constructor(name: string, source: Tensor | DeferredTensor, options: ParameterOptions = {}) {
    checkOptions(`parameter ${name}`, options, ['trainable'])
    this.name = name
    this.shape = source.shape
    this.#source = source
    this.#trainable = options.trainable ?? true
    if (!isDeferred(source)) source.requiresGrad = this.#trainable
  }

  /**
   * A parameter whose values are made when they are first read. If they are replaced or loaded
   * before, they are never made.
   * @param shape of the tensor that `make` returns
   */
  static deferred(
    name: string,
    shape: Shape,
    make: () => Tensor,
    options?: ParameterOptions,
  ): Parameter {
    return new Parameter(name, { shape, make }, options)
  }

  /**
   * The tensor itself, always the same one.
   * @throws AutogradError when the parameter was disposed of before its values were made
   * @throws ShapeError when they are made in another shape than was declared
   */
  get tensor(): Tensor {
    return isDeferred(this.#source) ? this.#hold(this.#source.make()) : this.#source
  }

  /** Whether it trains. Setting it to false releases its gradient. */
  get trainable(): boolean {
    return isDeferred(this.#source) ? this.#trainable : this.#source.requiresGrad
  }

  set trainable(value: boolean) {
    this.#trainable = value
    if (isDeferred(this.#source)) return
    this.#source.requiresGrad = value
    if (!value) this.dropGrad()
  }

  /** The gradient that backward calls have summed here since it was last dropped, or null. */
  get grad(): Tensor | null {
    return isDeferred(this.#source) ? null : this.#source.grad
  }

  /** Releases the gradient: `grad` becomes null. */
  dropGrad(): void {
    if (isDeferred(this.#source)) return
    this.#source.grad?.dispose()
    this.#source.grad = null
  }

  /**
   * Replaces its values; the tensor object stays the same.
   * @param data row-major, as many values as the shape has; copied
   * @throws ShapeError for another number of values
   */
  assign(engine: Engine, data: Float32Array): void {
    checkCount(this, data)
    if (!isDeferred(this.#source)) engine.gpu.write(this.#source.buffer.storage, data)
    else this.#hold(engine.tensor(data, this.shape))
  }

  /**
   * For a rehearsal of training: sets the gradient aside, and if no values were made yet, uses
   * substitutes.
   * @param make makes a tensor of the shape, with any values
   * @returns restores everything
   */
  suppose(make: (shape: Shape) => Tensor): () => void {
    const source = this.#source
    if (isDeferred(source)) this.#hold(make(source.shape))
    const { tensor } = this
    const { grad } = tensor
    tensor.grad = null
    return () => {
      tensor.grad?.dispose()
      tensor.grad = grad
      if (!isDeferred(source)) return
      tensor.dispose()
      this.#source = source
    }
  }

  /**
   * Uploads values to the engine's present device after the one before was lost. The tensor object
   * stays the same; its gradient is released.
   * @param data row-major, as many values as the shape has; copied
   * @throws ShapeError for another number of values
   */
  revive(data: Float32Array): void {
    const tensor = this.tensor
    this.dropGrad()
    checkCount(this, data)
    tensor.replace({ storage: tensor.engine.gpu.upload(data), shape: this.shape })
  }

  /** Frees the tensor and its gradient. May be called twice. */
  dispose(): void {
    this.#disposed = true
    if (!isDeferred(this.#source)) this.#source.dispose()
  }

  #hold(tensor: Tensor): Tensor {
    if (this.#disposed) {
      tensor.dispose()
      throw new AutogradError(`parameter ${this.name} was disposed of and cannot be read`)
    }
    if (showShape(tensor.shape) !== showShape(this.shape))
      throw new ShapeError(
        `parameter ${this.name} was declared with the shape ${showShape(this.shape)}, ` +
          `and made with ${showShape(tensor.shape)}`,
      )
    tensor.requiresGrad = this.#trainable
    this.#source = tensor
    return tensor
  }
}

function isDeferred(source: Tensor | DeferredTensor): source is DeferredTensor {
  return 'make' in source
}

function checkCount({ name, shape }: Parameter, data: Float32Array): void {
  checkValues(`parameter ${name}`, data)
  if (data.length !== sizeOf(shape))
    throw new ShapeError(
      `parameter ${name} of shape ${showShape(shape)} takes ${sizeOf(shape)} values, ` +
        `not ${data.length}`,
    )
}
