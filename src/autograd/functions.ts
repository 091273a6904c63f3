/**
 * Operators on tensors: each runs its kernel at once and, where a gradient has to flow, is recorded
 * on the tape. Names and meaning are PyTorch's.
 */
import { at } from '../base/at.ts'
import { ShapeError } from '../base/errors.ts'
import { checkOptions } from '../base/options.ts'
import { adaptiveAvgPool2d as adaptiveAvgPool2dOp } from '../ops/adaptiveAvgPool2d.ts'
import { avgPool2d as avgPool2dOp } from '../ops/avgPool2d.ts'
import { conv2d as conv2dOp } from '../ops/conv2d.ts'
import { crossEntropy as crossEntropyOp, type Reduction } from '../ops/crossEntropy.ts'
import { dropout as dropoutOp } from '../ops/dropout.ts'
import { flattenedShape } from '../ops/flatten.ts'
import { linear as linearOp } from '../ops/linear.ts'
import { localResponseNorm as localResponseNormOp } from '../ops/localResponseNorm.ts'
import { maxPool2d as maxPool2dOp } from '../ops/maxPool2d.ts'
import { softmax as softmaxOp } from '../ops/softmax.ts'
import { type Pair, shape2 } from '../tensor/ndbuffer.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { apply, requireTensor, view } from './apply.ts'

export * from './elementwise.ts'
export * from './normalize.ts'

/** One number for both dimensions, or [height, width]. */
export type Size2d = number | Pair

/** Options of `conv2d`. */
export interface Conv2dOptions {
  /** Pixels between two filter positions. Default 1. */
  readonly stride?: Size2d
  /** Zeros on each side. Default 0. */
  readonly padding?: Size2d
  /** Channels are split into this many groups; outputs see the inputs of their own. Default 1. */
  readonly groups?: number
  /** Whether a ReLU is applied to the result, in the same launch. Default false. */
  readonly relu?: boolean
}

/**
 * 2-d cross-correlation (PyTorch's `conv2d`; Dumoulin & Visin 2016, arXiv:1603.07285).
 * @param x [N, C, H, W]
 * @param weight [O, C / groups, KH, KW]
 * @param bias [O], or null
 * @returns [N, O, ⌊(H + 2·padding − KH) / stride⌋ + 1, the same for W]
 * @throws ShapeError when shapes or options do not fit
 * @example const y = conv2d(x, weight, bias, { stride: 4, padding: 2 })
 */
export function conv2d(
  x: Tensor,
  weight: Tensor,
  bias: Tensor | null,
  options: Conv2dOptions = {},
): Tensor {
  checkOptions('conv2d', options, ['stride', 'padding', 'groups', 'relu'], ShapeError)
  const { stride = 1, padding = 0, groups = 1, relu = false } = options
  const attrs = { stride: pair(stride), padding: pair(padding), groups, relu }
  return apply(conv2dOp, { x, weight, bias }, attrs)
}

/** Options of `linear`. */
export interface LinearOptions {
  /** Whether a ReLU is applied to the result, in the same launch. Default false. */
  readonly relu?: boolean
}

/**
 * y = x · weightᵀ + bias.
 * @param x [N, in]
 * @param weight [out, in]
 * @param bias [out], or null
 * @returns [N, out]
 * @throws ShapeError when shapes do not fit
 * @example const logits = linear(features, weight, bias)
 */
export function linear(
  x: Tensor,
  weight: Tensor,
  bias: Tensor | null,
  options: LinearOptions = {},
): Tensor {
  checkOptions('linear', options, ['relu'], ShapeError)
  return apply(linearOp, { x, weight, bias }, options)
}

/**
 * [N, …] to [N, everything else], without a copy.
 * @example flatten(x).shape // [8, 9216] for x [8, 256, 6, 6]
 */
export function flatten(x: Tensor): Tensor {
  requireTensor('flatten', 'x', x)
  return view('flatten', x, flattenedShape(x.shape))
}

/** Options of `maxPool2d`. */
export interface MaxPool2dOptions {
  readonly kernel: Size2d
  /** Default: the kernel's size. */
  readonly stride?: Size2d
  /** Elements on each side, at most half the kernel; they are never the largest. Default 0. */
  readonly padding?: Size2d
  /**
   * Whether a last window may reach past the edge: the result's size is rounded up instead of down.
   * Default false.
   */
  readonly ceilMode?: boolean
}

/**
 * The largest element of each window; the first in row order wins ties and gets the whole gradient
 * (PyTorch's `max_pool2d`).
 * @param x [N, C, H, W]
 * @returns [N, C, ⌊(H + 2·padding − kernel) / stride⌋ + 1, the same for W]
 * @throws ShapeError when shapes or options do not fit
 * @example const y = maxPool2d(x, { kernel: 3, stride: 2 })
 */
export function maxPool2d(x: Tensor, options: MaxPool2dOptions): Tensor {
  checkOptions('maxPool2d', options, ['kernel', 'stride', 'padding', 'ceilMode'], ShapeError)
  const { kernel, stride = kernel, padding = 0, ceilMode = false } = options
  return apply(
    maxPool2dOp,
    { x },
    { kernel: pair(kernel), stride: pair(stride), padding: pair(padding), ceilMode },
  )
}

/** Options of `avgPool2d`. */
export interface AvgPool2dOptions extends MaxPool2dOptions {
  /** Whether the zeros of the padding count as elements of a window. Default true. */
  readonly countIncludePad?: boolean
}

/**
 * The mean of each window (PyTorch's `avg_pool2d`).
 * @param x [N, C, H, W]
 * @returns [N, C, ⌊(H + 2·padding − kernel) / stride⌋ + 1, the same for W]
 * @throws ShapeError when shapes or options do not fit
 * @example const y = avgPool2d(x, { kernel: 3, stride: 1, padding: 1, countIncludePad: false })
 */
export function avgPool2d(x: Tensor, options: AvgPool2dOptions): Tensor {
  const names = ['kernel', 'stride', 'padding', 'ceilMode', 'countIncludePad'] as const
  checkOptions('avgPool2d', options, names, ShapeError)
  const { kernel, stride = kernel, padding = 0, ceilMode = false, countIncludePad = true } = options
  return apply(
    avgPool2dOp,
    { x },
    {
      kernel: pair(kernel),
      stride: pair(stride),
      padding: pair(padding),
      ceilMode,
      countIncludePad,
    },
  )
}

/**
 * Means over windows that divide the input into `size` parts (PyTorch's `adaptive_avg_pool2d`).
 * @param x [N, C, H, W]
 * @param size the result's height and width
 * @returns [N, C, ...size]
 * @throws ShapeError when shapes do not fit
 * @example const y = adaptiveAvgPool2d(x, [6, 6])
 */
export function adaptiveAvgPool2d(x: Tensor, size: Size2d): Tensor {
  return apply(adaptiveAvgPool2dOp, { x }, { size: pair(size) })
}

/** Options of `localResponseNorm`. */
export interface LocalResponseNormOptions {
  /** Channels in a window. */
  readonly size: number
  /** Default 1e-4. */
  readonly alpha?: number
  /** Default 0.75. */
  readonly beta?: number
  /** Default 1. */
  readonly k?: number
}

/**
 * x / (k + alpha / size · Σ x²)^beta over a window of neighboring channels (Krizhevsky et al. 2012;
 * PyTorch's `local_response_norm`).
 * @param x [N, C, …]
 * @returns x's shape
 * @throws ShapeError when shapes or options do not fit
 * @example const y = localResponseNorm(x, { size: 5 })
 */
export function localResponseNorm(x: Tensor, options: LocalResponseNormOptions): Tensor {
  checkOptions('localResponseNorm', options, ['size', 'alpha', 'beta', 'k'], ShapeError)
  const { size, alpha = 1e-4, beta = 0.75, k = 1 } = options
  return apply(localResponseNormOp, { x }, { size, alpha, beta, k })
}

/** Options of `dropout`. */
export interface DropoutOptions {
  /** Outside training x passes unchanged. Default true. */
  readonly training?: boolean
  /** An integer of 0 or more. The same seed drops the same elements on every adapter. Default 0. */
  readonly seed?: number
}

/**
 * Sets each element to 0 with probability p and scales the others by 1 / (1 − p) (Srivastava et al.
 * 2014).
 * @param x any shape
 * @returns x's shape; where nothing is dropped, a tensor that shares x's memory
 * @throws ShapeError when p is not in 0..1, or the seed is not an integer of 0 or more
 * @example const y = dropout(x, 0.5, { training: true, seed: step })
 */
export function dropout(x: Tensor, p: number, options: DropoutOptions = {}): Tensor {
  checkOptions('dropout', options, ['training', 'seed'], ShapeError)
  const { training = true, seed = 0 } = options
  return apply(dropoutOp, { x }, { p, seed, training })
}

/**
 * exp(x) / Σ exp(x) over the last dimension, without overflow.
 * @param x [..., classes]
 * @returns x's shape
 * @throws ShapeError for a scalar
 * @example const probabilities = softmax(logits)
 */
export function softmax(x: Tensor): Tensor {
  return apply(softmaxOp, { x }, {})
}

/** Options of `crossEntropy`. */
export interface CrossEntropyOptions {
  /**
   * One factor of 0 or more for each class. A 'mean' over class targets divides by the sum of their
   * weights.
   */
  readonly weight?: Float32Array
  /** The share of the target's probability that all classes divide among them, 0..1. Default 0. */
  readonly labelSmoothing?: number
  /** Default 'mean'. */
  readonly reduction?: Reduction
}

/**
 * −Σ_c weight_c · q_c · log softmax(logits)_c, q the target's smoothed probabilities (PyTorch's
 * `cross_entropy`).
 * @param logits [N, classes]
 * @param targets Int32Array(N): each row's class, 0 ≤ target < classes; or Float32Array(N ·
 * classes): each row's probabilities, row-major
 * @returns a scalar, or [N] without reduction
 * @throws ShapeError when shapes, targets or options do not fit
 * @example crossEntropy(model.forward(x), Int32Array.of(3, 1)).backward()
 * @example
 * const weight = Float32Array.of(0.3, 1.7)
 * crossEntropy(logits, Int32Array.of(0, 1), { weight, labelSmoothing: 0.1 })
 */
export function crossEntropy(
  logits: Tensor,
  targets: Int32Array | Float32Array,
  options: CrossEntropyOptions = {},
): Tensor {
  checkOptions('crossEntropy', options, ['weight', 'labelSmoothing', 'reduction'], ShapeError)
  requireTensor('crossEntropy', 'logits', logits)
  if (!(targets instanceof Int32Array || targets instanceof Float32Array))
    throw new ShapeError(
      "crossEntropy: targets are each row's class in an Int32Array, " +
        "or all rows' probabilities in a Float32Array",
    )
  const { weight, labelSmoothing = 0, reduction = 'mean' } = options
  const [rows, classes] = shape2(logits.shape, 'crossEntropy: logits are [N, classes]')
  const hard = targets instanceof Int32Array
  const wrong = hard ? targets.findIndex((target) => target < 0 || target >= classes) : -1
  if (wrong >= 0)
    throw new ShapeError(
      `crossEntropy: target ${wrong} is ${targets[wrong]}, outside the ${classes} classes ` +
        `of logits [${logits.shape.join(', ')}]`,
    )
  const bad = weight?.findIndex((value) => !(value >= 0 && value < Number.POSITIVE_INFINITY)) ?? -1
  if (weight && bad >= 0)
    throw new ShapeError(
      `crossEntropy: the weight of class ${bad} is ${weight[bad]}: give a number of 0 or more`,
    )
  // The operator refuses any other number of weights.
  const divisor =
    hard && weight?.length === classes
      ? targets.reduce((sum, target) => sum + at(weight, target), 0)
      : rows
  const { gpu } = logits.engine
  const held = [targets, ...(weight ? [weight] : [])].map((values) => gpu.upload(values))
  try {
    return apply(
      crossEntropyOp,
      { logits },
      {
        targets: {
          storage: at(held, 0),
          shape: hard ? [targets.length] : [targets.length / classes, classes],
        },
        weight: weight ? { storage: at(held, 1), shape: [weight.length] } : null,
        divisor,
        labelSmoothing,
        reduction,
      },
    )
  } finally {
    for (const storage of held) storage.release()
  }
}

/** A size as [height, width]. */
function pair(size: Size2d): Pair {
  return typeof size === 'object' ? size : [size, size]
}
