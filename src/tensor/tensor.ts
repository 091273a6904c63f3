import { AutogradError, ShapeError } from '../base/errors.ts'
import type { Storage } from '../gpu/memory/pool.ts'
import type { Engine } from './engine.ts'
import { type NdBuffer, type Shape, showShape, sizeOf } from './ndbuffer.ts'

/** The step of the computation that made a tensor. */
export interface GraphNode {
  /** Releases what this step and those before it keep for backward, if nothing else needs it. */
  abandon(): void
}

/**
 * A float32 array on the GPU: a shape, a buffer, and a gradient once backward has reached it.
 *
 * Leaves (from `engine.tensor`, and parameters) belong to the caller, who calls `dispose()`.
 * Results of operators that take part in a gradient are freed by the `backward()` that passes them,
 * except for the tensor that it started from.
 * @example
 * const x = engine.tensor(Float32Array.of(1, 2, 3, 4), [2, 2], { requiresGrad: true })
 * const loss = crossEntropy(x, Int32Array.of(0, 1))
 * loss.backward()
 * console.log(await x.grad?.data())
 */
export class Tensor {
  readonly engine: Engine
  readonly shape: Shape
  /** Whether backward computes a gradient for this tensor. Set it on leaves only. */
  requiresGrad: boolean
  /**
   * d(root)/d(this), summed over backward calls. Null before the first, and for a tensor that
   * requires no gradient.
   */
  grad: Tensor | null = null
  /**
   * How this tensor was computed, where a gradient has to flow back through it.
   * @internal
   */
  node: GraphNode | null = null
  /**
   * Recorded steps that read this tensor.
   * @internal
   */
  consumers = 0
  #storage: Storage | null

  /** Releases the buffer once it is disposed of. Use `engine.tensor` to make one from data. */
  constructor(engine: Engine, buffer: NdBuffer, requiresGrad = false) {
    this.engine = engine
    this.shape = [...buffer.shape]
    this.#storage = buffer.storage
    this.requiresGrad = requiresGrad
  }

  /** Number of elements. */
  get size(): number {
    return sizeOf(this.shape)
  }

  get disposed(): boolean {
    return this.#storage === null
  }

  /**
   * The buffer, for operators.
   * @throws AutogradError when the tensor was disposed of, or freed by a backward that passed it
   */
  get buffer(): NdBuffer {
    if (!this.#storage)
      throw new AutogradError(
        `a tensor of shape ${showShape(this.shape)} was disposed of, or freed by backward(), ` +
          'and cannot be read',
      )
    return { storage: this.#storage, shape: this.shape }
  }

  /**
   * Reads the values back, row-major.
   * @throws KernelError, OutOfMemoryError or DeviceLostError that any work before it has met
   */
  async data(): Promise<Float32Array> {
    const [data] = await this.engine.read([this])
    return data
  }

  /**
   * Adds d(this)/d(leaf) · dy to the `grad` of every leaf that requires one. Frees the
   * intermediates it passes.
   * @param dy has the shape of this tensor. Default: 1, for a tensor of a single element
   * @throws AutogradError when nothing here requires a gradient, or backward already passed
   * @throws ShapeError when dy has another shape
   */
  backward(dy?: Tensor): void {
    this.engine.backward(this, dy)
  }

  /**
   * Gives the tensor another buffer and releases the old one.
   * @throws ShapeError when it has another number of values
   * @internal
   */
  replace(buffer: NdBuffer): void {
    if (sizeOf(buffer.shape) !== this.size)
      throw new ShapeError(
        `a tensor of shape ${showShape(this.shape)} cannot take values of shape ` +
          showShape(buffer.shape),
      )
    this.#storage?.release()
    this.#storage = buffer.storage
  }

  /** Releases the buffer, and the graph behind it if nothing else needs it. May be called twice. */
  dispose(): void {
    this.grad?.dispose()
    this.grad = null
    this.free()
    if (this.consumers === 0) this.node?.abandon()
  }

  /** Releases the buffer alone: the graph stays, and keeps what backward will read. */
  free(): void {
    this.#storage?.release()
    this.#storage = null
  }
}
