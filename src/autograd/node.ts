import { AutogradError } from '../base/errors.ts'
import type { Buffers } from '../ops/op.ts'
import type { NdBuffer } from '../tensor/ndbuffer.ts'
import type { GraphNode, Tensor } from '../tensor/tensor.ts'

let nextId = 0

/** By input, the buffers that its gradient is computed from; null where it is not wanted. */
type Kept = Readonly<Record<string, Buffers | null>>

/**
 * How a gradient flows back through a node: from dy to the gradient of each wanted input, each in a
 * buffer of its own.
 * @param unit whether dy is 1, so that nothing needs to be multiplied by it
 */
export type Flow = (
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
  /** The layer that it belongs to, for errors and recordings. */
  layer: string | null
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
    for (const { storage } of buffersOf(kept)) storage.retain()
    this.#kept = kept
    for (const input of inputs) input.consumers++
  }

  /** @throws AutogradError once backward has passed, which frees what forward kept */
  requireKept(): Kept {
    if (this.#kept) return this.#kept
    const layer = this.layer ? ` (layer ${this.layer})` : ''
    throw new AutogradError(
      `backward() already passed through ${this.name}${layer} and freed what it needs; ` +
        'run forward again before a second backward()',
    )
  }

  /**
   * What forward kept for the gradient of one input; nothing where that reads only dy.
   * @throws AutogradError once backward has passed
   */
  keptFor(input: string): Buffers {
    const { [input]: buffers = {} } = this.requireKept()
    if (!buffers) throw new Error(`${this.name} kept nothing for the gradient of ${input}`)
    return buffers
  }

  /** The gradient of each wanted input. */
  flow(
    dy: NdBuffer,
    wanted: ReadonlySet<Tensor>,
    unit: boolean,
  ): readonly (readonly [Tensor, NdBuffer])[] {
    return this.#flow(this, dy, wanted, unit)
  }

  /** Releases what forward kept. */
  release(): void {
    if (!this.#kept) return
    for (const { storage } of buffersOf(this.#kept)) storage.release()
    this.#kept = null
    for (const input of this.inputs) input.consumers--
  }

  /** Releases what is kept here and in the steps before, where nothing else needs it. */
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

function buffersOf(kept: Kept) {
  return Object.values(kept).flatMap((buffers) => Object.values(buffers ?? {}))
}
