import { UsageError } from '../base/errors.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { type DeferredTensor, Parameter } from './parameter.ts'

/**
 * A named tensor of a module that is its state but no parameter, such as a running mean: it is in
 * state dicts, checkpoints and files, and never trains.
 *
 * @example
 * const buffer = new ModuleBuffer('bn1.running_mean', engine.tensor(new Float32Array(64), [64]))
 */
export class ModuleBuffer extends Parameter {
  /** @param source the tensor, of any shape, which is used without a copy; or how to make it */
  constructor(name: string, source: Tensor | DeferredTensor) {
    super(name, source, { trainable: false })
  }

  /** False: a buffer has no gradient. */
  override get trainable(): boolean {
    return false
  }

  /** @throws UsageError for true */
  override set trainable(value: boolean) {
    if (value) throw new UsageError(`${this.name} is a buffer, not a parameter: it cannot train`)
  }
}
