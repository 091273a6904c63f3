import { AutogradError } from '../base/errors.ts'
import type { Kept } from '../ops/op.ts'
import type { NdBuffer } from '../tensor/ndbuffer.ts'
import type { GraphNode, Tensor } from '../tensor/tensor.ts'

let nextId = 0

/**
 * How a gradient flows back through a node: from dy to the gradient of each wanted input, in
 * buffers of their own.
 * @param unit whether dy is 1, so that nothing need be multiplied by it
 */
type Flow = (
  node: Node,
  dy: NdBuffer,
  wanted: ReadonlySet<Tensor>,
  unit: boolean,
) => readonly (readonly [Tensor, NdBuffer])[]

/**
 * One recorded step of the tape: which tensors it read, what it kept, and how a gradient flows back
 * through it.
 */
export class Node implements GraphNode {
  /**
   * Grows with time: an operator's inputs always have smaller numbers, so descending order is a
   * topological one.
   */
  readonly id = nextId++
  readonly name: string
  /** The layer that computed it, for errors and recordings. */
  readonly layer: string | null
  /** The inputs a gradient flows to. */
  readonly inputs: readonly Tensor[]
  readonly #flow: Flow
  #kept: Kept | null

  constructor(
    name: string,
    layer: string | null,
    inputs: readonly Tensor[],
    kept: Kept,
    flow: Flow,
  ) {
    this.name = name
    this.layer = layer
    this.inputs = inputs
    this.#flow = flow
    for (const buffer of kept) buffer?.storage.retain()
    this.#kept = kept
    for (const input of inputs) input.consumers++
  }

  /** What forward kept. @throws AutogradError once backward has passed */
  get kept(): Kept {
    if (!this.#kept)
      throw new AutogradError(
        `backward() already passed through ${this.name}${this.layer ? ` (layer ${this.layer})` : ''} and freed what it needs; run forward again before a second backward()`,
      )
    return this.#kept
  }

  /** The gradient of each wanted input. */
  flow(
    dy: NdBuffer,
    wanted: ReadonlySet<Tensor>,
    unit: boolean,
  ): readonly (readonly [Tensor, NdBuffer])[] {
    return this.#flow(this, dy, wanted, unit)
  }

  /** Lets go of what forward kept. */
  release(): void {
    if (!this.#kept) return
    for (const buffer of this.#kept) buffer?.storage.release()
    this.#kept = null
    for (const input of this.inputs) input.consumers--
  }

  abandon(): void {
    const stack: Node[] = [this]
    for (let node = stack.pop(); node; node = stack.pop()) {
      node.release()
      for (const input of node.inputs)
        if (input.node instanceof Node && input.consumers === 0 && input.node.#kept) {
          input.free()
          stack.push(input.node)
        }
    }
  }
}
