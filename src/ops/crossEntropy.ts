import { ShapeError } from '../base/errors.ts'
import { elementKernel } from '../gpu/kernels/kernel.ts'
import { type NdBuffer, scratch, shape2, showShape, sizeOf } from '../tensor/ndbuffer.ts'
import { defineOp } from './op.ts'
import { sumOuter } from './reduce.ts'

export type Reduction = 'mean' | 'sum' | 'none'

export interface CrossEntropyAttrs {
  /**
   * i32[N]: each row's class, checked by the caller; or f32[N, classes]: each row's probabilities.
   */
  readonly targets: NdBuffer
  /** f32[classes]: what a class counts for; null where each counts 1. */
  readonly weight: NdBuffer | null
  /** What a 'mean' divides by: the rows, or with a weight the sum of their classes' weights. */
  readonly divisor: number
  readonly labelSmoothing: number
  readonly reduction: Reduction
}

const forwardKernel = elementKernel<'rows' | 'classes', 'GRADIENT'>(
  'cross_entropy/forward',
  (p) => p.rows,
  {
    cost: ({ rows, classes }, { GRADIENT }) => ({
      flops: (4 + 4 * GRADIENT) * rows * classes,
      bytes: 4 * rows * ((1 + GRADIENT) * classes + 2),
    }),
  },
)
const backwardKernel = elementKernel<'n'>('cross_entropy/backward', (p) => p.n, {
  cost: ({ n }) => ({ flops: n, bytes: 8 * n }),
})

const rule = 'crossEntropy: logits are [N, classes]'

/**
 * -log softmax(logits)[target], smoothed over all classes (Szegedy et al. 2015, arXiv:1512.00567,
 * 7), as PyTorch's cross_entropy: of classes or of probabilities, with a weight for each class or
 * without.
 */
export const crossEntropy = defineOp<
  'logits',
  CrossEntropyAttrs,
  { readonly logits: { readonly gradient: NdBuffer } }
>({
  name: 'crossEntropy',
  inputs: ['logits'],
  outShape({ logits }, { targets, weight, labelSmoothing, reduction }) {
    const [rows, classes] = shape2(logits, rule)
    const [given, wanted] = [sizeOf(targets.shape), isSoft(targets) ? rows * classes : rows]
    const what = isSoft(targets)
      ? 'probabilities (what a Float32Array holds; classes come in an Int32Array)'
      : 'targets'
    if (given !== wanted)
      throw new ShapeError(
        `crossEntropy: ${given} ${what} for logits ${showShape(logits)}, which take ${wanted}`,
      )
    if (weight && sizeOf(weight.shape) !== classes)
      throw new ShapeError(
        `crossEntropy: ${sizeOf(weight.shape)} weights for logits ${showShape(logits)}`,
      )
    if (!(labelSmoothing >= 0 && labelSmoothing <= 1))
      throw new ShapeError(
        `crossEntropy: labelSmoothing lies between 0 and 1, not at ${labelSmoothing}`,
      )
    if (!['mean', 'sum', 'none'].includes(reduction))
      throw new ShapeError(`crossEntropy: reduction is 'mean', 'sum' or 'none', not '${reduction}'`)
    return reduction === 'none' ? [rows] : []
  },
  cost: ({ logits }) => ({ flops: 4 * sizeOf(logits), bytes: 4 * sizeOf(logits) }),
  forward(gpu, { logits }, y, { targets, weight, divisor, labelSmoothing, reduction }, needs) {
    const [rows, classes] = shape2(logits.shape, rule)
    const losses = reduction === 'none' ? y : scratch(gpu, [rows])
    const gradient = needs.logits ? scratch(gpu, logits.shape) : null
    const scale = reduction === 'mean' ? 1 / divisor : 1
    gpu.run(
      forwardKernel,
      {
        logits: logits.storage,
        targets: targets.storage,
        losses: losses.storage,
        ...(weight ? { weight: weight.storage } : {}),
        ...(gradient ? { dlogits: gradient.storage } : {}),
      },
      { rows, classes, smoothing: labelSmoothing, scale },
      { SOFT: isSoft(targets) ? 1 : 0, WEIGHTED: weight ? 1 : 0, GRADIENT: gradient ? 1 : 0 },
    )
    if (reduction !== 'none') sumOuter(gpu, losses, y, rows, 1, scale)
    return { logits: gradient && { gradient } }
  },
  backward: {
    logits(gpu, dy, dlogits, _, { reduction }) {
      const [rows, classes] = shape2(dlogits.shape, rule)
      gpu.run(
        backwardKernel,
        { dy: dy.storage, dlogits: dlogits.storage },
        { n: rows * classes, classes, per_row: reduction === 'none' ? 1 : 0 },
      )
    },
  },
})

/** Whether targets are probabilities. */
function isSoft(targets: NdBuffer): boolean {
  return targets.shape.length === 2
}
