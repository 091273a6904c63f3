import { ShapeError } from '../gpu/errors.ts'
import { elementKernel } from '../gpu/kernel.ts'
import { type NdBuffer, scratch, showShape, sizeOf } from '../tensor/ndbuffer.ts'
import { defineOp, keptAt, required } from './op.ts'
import { sumOuter } from './reduce.ts'

export type Reduction = 'mean' | 'sum' | 'none'

export interface CrossEntropyAttrs {
  /** i32[N]: each row's class, checked by the caller. */
  readonly targets: NdBuffer
  readonly labelSmoothing: number
  readonly reduction: Reduction
}

const forwardKernel = elementKernel<'rows'>('cross_entropy/forward', (p) => p.rows)
const backwardKernel = elementKernel<'rows'>('cross_entropy/backward', (p) => p.rows)

/** -log softmax(logits)[target], smoothed over all classes (Szegedy et al. 2015, arXiv:1512.00567, 7), as PyTorch's cross_entropy. */
export const crossEntropy = defineOp<'logits', CrossEntropyAttrs>({
  name: 'crossEntropy',
  inputs: ['logits'],
  outShape({ logits }, { targets, labelSmoothing, reduction }) {
    if (logits?.length !== 2) throw new ShapeError(`crossEntropy: logits are [N, classes], not ${showShape(logits ?? [])}`)
    if (sizeOf(targets.shape) !== logits[0])
      throw new ShapeError(`crossEntropy: ${sizeOf(targets.shape)} targets for logits ${showShape(logits)}`)
    if (!(labelSmoothing >= 0 && labelSmoothing <= 1))
      throw new ShapeError(`crossEntropy: labelSmoothing lies between 0 and 1, not at ${labelSmoothing}`)
    if (!['mean', 'sum', 'none'].includes(reduction))
      throw new ShapeError(`crossEntropy: reduction is 'mean', 'sum' or 'none', not '${reduction}'`)
    return reduction === 'none' ? [logits[0]] : []
  },
  cost: ({ logits }) => ({ flops: 4 * sizeOf(logits ?? []), bytes: 4 * sizeOf(logits ?? []) }),
  forward(gpu, inputs, y, { targets, labelSmoothing, reduction }) {
    const logits = required('logits', inputs.logits)
    const [rows = 0, classes = 0] = logits.shape
    const lse = scratch(gpu, [rows, 2])
    const losses = reduction === 'none' ? y : scratch(gpu, [rows])
    gpu.run(
      forwardKernel,
      { logits: logits.storage, targets: targets.storage, losses: losses.storage, lse: lse.storage },
      { rows, classes, smoothing: labelSmoothing },
    )
    if (reduction !== 'none') sumOuter(gpu, losses, y, rows, 1, reduction === 'mean' ? 1 / rows : 1)
    return [logits, lse, targets]
  },
  backward(gpu, kept, dy, { logits: dlogits }, { labelSmoothing, reduction }) {
    if (!dlogits) return
    const [logits, lse, targets] = [keptAt(kept, 0), keptAt(kept, 1), keptAt(kept, 2)]
    const [rows = 0, classes = 0] = dlogits.shape
    gpu.run(
      backwardKernel,
      { logits: logits.storage, targets: targets.storage, lse: lse.storage, dy: dy.storage, dlogits: dlogits.storage },
      { rows, classes, smoothing: labelSmoothing, scale: reduction === 'mean' ? 1 / rows : 1, per_row: reduction === 'none' ? 1 : 0 },
    )
  },
})
