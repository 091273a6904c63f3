import type { Shape } from '../tensor/ndbuffer.ts'
import type { Tensor } from '../tensor/tensor.ts'
import type { Parameter } from './parameter.ts'

/** Options of a forward pass. */
export interface ForwardOptions {
  /** Whether dropout drops. Default false. */
  readonly training?: boolean
}

/** What a network tells each of its layers in a forward pass. */
export interface LayerContext {
  /** Whether it trains: dropout drops. */
  readonly training: boolean
  /** The seed of this layer in this pass. */
  readonly seed: number
  /** Whether to apply a ReLU to the result: the next layer is one, and `canApply` agreed to it. */
  readonly relu: boolean
}

/**
 * One layer: a function of a tensor, with parameters or none.
 * @example
 * class Rectifier extends Module {
 *   readonly description = 'max(x, 0)'
 *   outShape(shape: Shape) {
 *     return shape
 *   }
 *   forward(x: Tensor) {
 *     return relu(x)
 *   }
 * }
 */
export abstract class Module {
  /** Its place in the network, for example 'features.3'; parameters, errors and plans use it. */
  readonly name: string
  /** A description for people: 'conv 5x5, 64 to 192'. */
  abstract readonly description: string

  constructor(name: string) {
    this.name = name
  }

  /** Its weight and bias, if it has any. */
  parameters(): readonly Parameter[] {
    return []
  }

  /** The result's shape for an input's, without the batch. */
  abstract outShape(shape: Shape): Shape

  /**
   * The result for a batch, f32[N, …].
   * @throws ShapeError where x does not fit
   */
  abstract forward(x: Tensor, context: LayerContext): Tensor

  /**
   * Whether this layer can apply the next one, a ReLU, as it stores its own result. The network
   * then sets `context.relu`, and calls `noteApplied` of the next layer in place of its `forward`.
   * Default: no.
   * @internal
   */
  canApply(_next: Module): boolean {
    return false
  }

  /**
   * Notes in a recording that the layer before has applied this one.
   * @param y the result of both
   * @internal
   */
  noteApplied(_y: Tensor): void {}
}
