import { ShapeError } from '../gpu/errors.ts'
import type { Bindings } from '../gpu/groups.ts'
import { type Constants, elementKernel } from '../gpu/kernel.ts'
import { type NdBuffer, scratch, showShape, sizeOf } from '../tensor/ndbuffer.ts'
import { defineOp, keptAt, required } from './op.ts'
import { sumOuter } from './reduce.ts'

export type Reduction = 'mean' | 'sum' | 'none'

export interface CrossEntropyAttrs {
  /** i32[N]: each row's class, checked by the caller; or f32[N, classes]: each row's probabilities. */
  readonly targets: NdBuffer
  /** f32[classes]: what a class counts for; null where each counts 1. */
  readonly weight: NdBuffer | null
  /** What a 'mean' divides by: the rows, or with a weight the sum of their classes' weights. */
  readonly divisor: number
  readonly labelSmoothing: number
  readonly reduction: Reduction
}

const forwardKernel = elementKernel<'rows' | 'classes'>('cross_entropy/forward', (p) => p.rows, {
  cost: ({ rows, classes }) => ({ flops: 4 * rows * classes, bytes: 4 * rows * (classes + 4) }),
})
const backwardKernel = elementKernel<'rows' | 'classes'>('cross_entropy/backward', (p) => p.rows, {
  cost: ({ rows, classes }) => ({ flops: 6 * rows * classes, bytes: 4 * rows * (2 * classes + 3) }),
})

/**
 * -log softmax(logits)[target], smoothed over all classes (Szegedy et al. 2015, arXiv:1512.00567, 7), as PyTorch's cross_entropy:
 * of classes or of probabilities, with a weight for each class or without.
 */
export const crossEntropy = defineOp<'logits', CrossEntropyAttrs>({
  name: 'crossEntropy',
  inputs: ['logits'],
  outShape({ logits }, { targets, weight, labelSmoothing, reduction }) {
    if (logits?.length !== 2) throw new ShapeError(`crossEntropy: logits are [N, classes], not ${showShape(logits ?? [])}`)
    const [rows = 0, classes = 0] = logits
    if (sizeOf(targets.shape) !== (isSoft(targets) ? rows * classes : rows))
      throw new ShapeError(`crossEntropy: ${sizeOf(targets.shape)} targets for logits ${showShape(logits)}`)
    if (weight && sizeOf(weight.shape) !== classes)
      throw new ShapeError(`crossEntropy: ${sizeOf(weight.shape)} weights for logits ${showShape(logits)}`)
    if (!(labelSmoothing >= 0 && labelSmoothing <= 1))
      throw new ShapeError(`crossEntropy: labelSmoothing lies between 0 and 1, not at ${labelSmoothing}`)
    if (!['mean', 'sum', 'none'].includes(reduction))
      throw new ShapeError(`crossEntropy: reduction is 'mean', 'sum' or 'none', not '${reduction}'`)
    return reduction === 'none' ? [rows] : []
  },
  cost: ({ logits }) => ({ flops: 4 * sizeOf(logits ?? []), bytes: 4 * sizeOf(logits ?? []) }),
  forward(gpu, inputs, y, { targets, weight, divisor, labelSmoothing, reduction }) {
    const logits = required('logits', inputs.logits)
    const [rows = 0, classes = 0] = logits.shape
    const lse = scratch(gpu, [rows, 2])
    const losses = reduction === 'none' ? y : scratch(gpu, [rows])
    gpu.run(
      forwardKernel,
      { logits: logits.storage, targets: targets.storage, losses: losses.storage, lse: lse.storage, ...weightBinding(weight) },
      { rows, classes, smoothing: labelSmoothing },
      variant(targets, weight),
    )
    if (reduction !== 'none') sumOuter(gpu, losses, y, rows, 1, reduction === 'mean' ? 1 / divisor : 1)
    return [logits, lse, targets, weight]
  },
  backward(gpu, kept, dy, { logits: dlogits }, { divisor, labelSmoothing, reduction }) {
    if (!dlogits) return
    const [logits, lse, targets, weight] = [keptAt(kept, 0), keptAt(kept, 1), keptAt(kept, 2), kept[3] ?? null]
    const [rows = 0, classes = 0] = dlogits.shape
    gpu.run(
      backwardKernel,
      {
        ...{ logits: logits.storage, targets: targets.storage, lse: lse.storage, dy: dy.storage, dlogits: dlogits.storage },
        ...weightBinding(weight),
      },
      { rows, classes, smoothing: labelSmoothing, scale: reduction === 'mean' ? 1 / divisor : 1, per_row: reduction === 'none' ? 1 : 0 },
      variant(targets, weight),
    )
  },
})

/** Whether targets are probabilities. */
function isSoft(targets: NdBuffer): boolean {
  return targets.shape.length === 2
}

function variant(targets: NdBuffer, weight: NdBuffer | null): Constants {
  return { SOFT: isSoft(targets) ? 1 : 0, WEIGHTED: weight ? 1 : 0 }
}

function weightBinding(weight: NdBuffer | null): Bindings {
  return weight ? { weight: weight.storage } : {}
}
