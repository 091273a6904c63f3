import { AutogradError, ShapeError } from '../base/errors.ts'
import { addInto } from '../ops/add.ts'
import { allocate, type NdBuffer, sameShape, showShape } from '../tensor/ndbuffer.ts'
import { Tensor } from '../tensor/tensor.ts'
import { Node } from './node.ts'

/**
 * Reverse-mode differentiation over the recorded tape: each node once, the newest first, without
 * recursion. A node is on the tape only where one of its inputs requires a gradient, so the walk
 * ends at the earliest trainable layer.
 * @param root the tensor to start from
 * @param dy d(objective)/d(root); 1 for a single element when left out
 * @throws AutogradError when root requires no gradient or was passed before; ShapeError when dy has
 * another shape
 */
export function backward(root: Tensor, dy?: Tensor): void {
  if (!root.requiresGrad)
    throw new AutogradError(
      'backward(): this tensor requires no gradient; set requiresGrad on a leaf, ' +
        'or trainable on a parameter',
    )
  if (dy && !sameShape(dy.shape, root.shape))
    throw new ShapeError(
      `backward(): dy has the shape ${showShape(dy.shape)}, the tensor ${showShape(root.shape)}`,
    )
  if (!dy && root.size !== 1)
    throw new ShapeError(
      `backward() without dy starts from a single element, not from ${showShape(root.shape)}`,
    )
  const { gpu } = root.engine
  const nodes = reachable(root)
  // Throws where an earlier backward has passed, before any memory is taken.
  for (const { node } of nodes) node.requireKept()
  const first = dy
    ? { storage: dy.buffer.storage.retain(), shape: root.shape }
    : { storage: gpu.upload(new Float32Array([1])), shape: root.shape }
  const pending = new Map<Tensor, NdBuffer>()
  const arrive = (tensor: Tensor, grad: NdBuffer) => {
    if (tensor.node) pending.set(tensor, sum(tensor, pending.get(tensor), grad))
    else if (tensor.grad)
      tensor.grad.replace(
        sum(tensor, { storage: tensor.grad.buffer.storage.retain(), shape: tensor.shape }, grad),
      )
    else tensor.grad = new Tensor(tensor.engine, grad)
  }
  const layer = gpu.layer
  arrive(root, first)
  try {
    for (const { tensor, node } of nodes) {
      const grad = pending.get(tensor)
      if (grad) {
        gpu.layer = node.layer
        const wanted = new Set(node.inputs.filter((input) => input.requiresGrad))
        for (const [input, dx] of node.flow(grad, wanted, tensor === root && !dy)) arrive(input, dx)
        pending.delete(tensor) // only now: where flow throws, it is released below
        grad.storage.release()
      }
      node.release()
      if (tensor !== root) tensor.free()
    }
  } finally {
    gpu.layer = layer
    for (const grad of pending.values()) grad.storage.release()
  }
}

/** Every computed tensor that root depends on, root included, the newest first. */
function reachable(root: Tensor): { readonly tensor: Tensor; readonly node: Node }[] {
  const seen = new Set<Tensor>()
  const found: { tensor: Tensor; node: Node }[] = []
  const stack = [root]
  for (let tensor = stack.pop(); tensor; tensor = stack.pop()) {
    if (seen.has(tensor) || !(tensor.node instanceof Node)) continue
    seen.add(tensor)
    found.push({ tensor, node: tensor.node })
    stack.push(...tensor.node.inputs)
  }
  return found.sort((a, b) => b.node.id - a.node.id)
}

/** The sum of two gradients, in a new buffer: either of them may share another tensor's memory. */
function sum(tensor: Tensor, a: NdBuffer | undefined, b: NdBuffer): NdBuffer {
  if (!a) return b
  const { gpu } = tensor.engine
  const y = allocate(gpu, tensor.shape)
  gpu.recorder?.enter('add', 'backward', [a, b])
  addInto(gpu, a, b, y)
  gpu.recorder?.leave({ y })
  a.storage.release()
  b.storage.release()
  return y
}
