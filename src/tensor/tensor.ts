import { at } from '../base/at.ts'
import { AutogradError, ShapeError } from '../base/errors.ts'
import type { Storage } from '../gpu/memory/pool.ts'
import type { Engine } from './engine.ts'
import { type NdBuffer, type Shape, showShape, sizeOf } from './ndbuffer.ts'

/** The step of the computation that made a tensor, as far as a tensor knows it. */
export interface GraphNode {
  /** Lets go of what was kept for backward, here and above, where nothing else needs it. */
  abandon(): void
}

/**
 * A float32 array on the GPU: a shape, a buffer, and a gradient once backward has reached it.
 *
 * Leaves (from `engine.tensor`, and parameters) belong to the caller, who calls `dispose()`.
 * Results of operators that take part in a gradient are freed by the `backward()` that passes them,
 * the one it started from excepted.
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
   * d(root)/d(this), summed over backward calls; null before the first, and always on what does not
   * require one.
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

  /** Takes over the caller's hold on the buffer. Use `engine.tensor` to make one from data. */
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
        `a tensor of shape ${showShape(this.shape)} was disposed of, or freed by backward(), and cannot be read`,
      )
    return { storage: this.#storage, shape: this.shape }
  }

  /**
   * Reads the values back, row-major.
   * @throws KernelError, OutOfMemoryError or DeviceLostError met by any work before it
   */
  async data(): Promise<Float32Array> {
    return at(await this.engine.read([this]), 0)
  }

  /**
   * Adds d(this)/d(leaf) · dy to the `grad` of every leaf that requires one. Frees the
   * intermediates it passes.
   * @param dy shape of this tensor; may be left out for a single element, where it is 1
   * @throws AutogradError when nothing here requires a gradient, or backward already passed
   * @throws ShapeError when dy has another shape
   */
  backward(dy?: Tensor): void {
    this.engine.backward(this, dy)
  }

  /**
   * Puts other contents in this tensor's place; the old buffer is let go.
   * @throws ShapeError when it has another number of values
   * @internal
   */
  replace(buffer: NdBuffer): void {
    if (sizeOf(buffer.shape) !== this.size)
      throw new ShapeError(
        `cannot put ${showShape(buffer.shape)} in the place of ${showShape(this.shape)}`,
      )
    this.#storage?.release()
    this.#storage = buffer.storage
  }

  /**
   * Lets the buffer go, and the graph behind it where nothing else needs it. May be called twice.
   */
  dispose(): void {
    this.grad?.dispose()
    this.grad = null
    this.free()
    if (this.consumers === 0) this.node?.abandon()
  }

  /** Lets only the buffer go: the graph stays, since it keeps what backward will read. */
  free(): void {
    this.#storage?.release()
    this.#storage = null
  }
}
