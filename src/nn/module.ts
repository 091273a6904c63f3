import type { Shape } from '../tensor/ndbuffer.ts'
import type { Tensor } from '../tensor/tensor.ts'
import type { ModuleBuffer } from './buffer.ts'
import type { Parameter } from './parameter.ts'

/** Options of a forward pass. */
export interface ForwardOptions {
  /**
   * Whether dropout drops, and batch normalization that trains uses the batch's own statistics.
   * Default false.
   */
  readonly training?: boolean
  /**
   * Whether the pass is only a trial of a training step: it computes the same, but running
   * statistics do not move, and it does not count as a pass. Default false.
   */
  readonly trial?: boolean
}

/** What a network tells each of its layers in a forward pass. */
export interface LayerContext {
  /** Whether it trains: dropout drops. */
  readonly training: boolean
  /** Whether running statistics stay as they are all the same. */
  readonly trial: boolean
  /** The seed of this layer in this pass. */
  readonly seed: number
  /** Whether to apply a ReLU to the result: the next layer is one, and `canApply` agreed to it. */
  readonly relu: boolean
}

/**
 * A function of a tensor: one layer, with parameters or none, or a block that is made of modules.
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
  #evaluating = false

  constructor(name: string) {
    this.name = name
  }

  /** The modules that it is made of, in the order in which they run; none for a layer. */
  children(): readonly Module[] {
    return []
  }

  /** The layers that it is made of in the end: itself, where it holds no modules. */
  leaves(): readonly Module[] {
    const children = this.children()
    return children.length === 0 ? [this] : children.flatMap((child) => child.leaves())
  }

  /** Its weight and bias, if it has any, or those of all its modules. */
  parameters(): readonly Parameter[] {
    return this.children().flatMap((child) => child.parameters())
  }

  /** Tensors that are its state but no parameters, such as running statistics. */
  buffers(): readonly ModuleBuffer[] {
    return this.children().flatMap((child) => child.buffers())
  }

  /** Parameters and buffers together, module by module, as PyTorch's `state_dict` has them. */
  state(): readonly Parameter[] {
    const inside = this.children().flatMap((child) => child.state())
    const held = new Set(inside)
    const own = [...this.parameters(), ...this.buffers()].filter((one) => !held.has(one))
    return [...own, ...inside]
  }

  /** Whether it runs as in evaluation while the network trains. See `eval`. */
  get evaluating(): boolean {
    return this.#evaluating
  }

  /**
   * From now on it and its modules run as in evaluation even while the network trains: dropout
   * drops nothing, and batch normalization uses its running statistics, which stay as they are. Its
   * parameters still train, unless they are frozen.
   * @example for (const layer of model.layers) layer.eval()
   */
  eval(): void {
    this.#evaluating = true
    for (const child of this.children()) child.eval()
  }

  /** Undoes `eval`. */
  train(): void {
    this.#evaluating = false
    for (const child of this.children()) child.train()
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
