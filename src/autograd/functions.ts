/** Operators on tensors: each runs its kernel now and, where a gradient has to flow, is recorded on the tape. Names and meaning are PyTorch's. */
import { ShapeError } from '../gpu/errors.ts'
import { conv2d as conv2dOp, type Pair } from '../ops/conv2d.ts'
import { flatten as flattenOp } from '../ops/flatten.ts'
import { linear as linearOp } from '../ops/linear.ts'
import { relu as reluOp } from '../ops/relu.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { apply, applyView } from './apply.ts'

/** One number for both dimensions, or [height, width]. */
export type Size2d = number | Pair

export interface Conv2dOptions {
  /** Pixels between two filter positions. Default 1. */
  readonly stride?: Size2d
  /** Zeros on each side. Default 0. */
  readonly padding?: Size2d
  /** Channels are split into this many groups that do not see each other. Default 1. */
  readonly groups?: number
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
export function conv2d(x: Tensor, weight: Tensor, bias: Tensor | null, options: Conv2dOptions = {}): Tensor {
  known('conv2d', options, ['stride', 'padding', 'groups'])
  const { stride = 1, padding = 0, groups = 1 } = options
  return apply(conv2dOp, { x, weight, bias }, { stride: pair(stride), padding: pair(padding), groups })
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
export function linear(x: Tensor, weight: Tensor, bias: Tensor | null): Tensor {
  return apply(linearOp, { x, weight, bias }, {})
}

/**
 * max(x, 0), any shape; the gradient at 0 is 0.
 * @example const y = relu(conv2d(x, weight, bias))
 */
export function relu(x: Tensor): Tensor {
  return apply(reluOp, { x }, {})
}

/**
 * [N, …] to [N, everything else], without a copy.
 * @example flatten(x).shape // [8, 9216] for x [8, 256, 6, 6]
 */
export function flatten(x: Tensor): Tensor {
  return applyView(flattenOp, x, {})
}

/** A size as [height, width]. */
export function pair(size: Size2d): Pair {
  return typeof size === 'number' ? [size, size] : size
}

/** Throws ShapeError for an option the operator does not have, rather than ignoring it. */
function known(name: string, options: object, names: readonly string[]): void {
  const unknown = Object.keys(options).filter((key) => !names.includes(key))
  if (unknown.length) throw new ShapeError(`${name}: there is no option ${unknown.join(', ')}; it takes ${names.join(', ')}`)
}
