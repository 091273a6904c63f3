/** Operators on single elements, and what joins tensors of one size. functions.ts offers them. */
import { ShapeError } from '../base/errors.ts'
import { checkOptions } from '../base/options.ts'
import { add as addOp } from '../ops/add.ts'
import { clamp as clampOp } from '../ops/clamp.ts'
import { concat as concatOp } from '../ops/concat.ts'
import { hardswish as hardswishOp } from '../ops/hardswish.ts'
import { relu as reluOp } from '../ops/relu.ts'
import { relu6 as relu6Op } from '../ops/relu6.ts'
import { sigmoid as sigmoidOp } from '../ops/sigmoid.ts'
import { silu as siluOp } from '../ops/silu.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { apply, requireTensor } from './apply.ts'

/**
 * max(x, 0), any shape; the gradient at 0 is 0.
 * @example const y = relu(conv2d(x, weight, bias))
 */
export function relu(x: Tensor): Tensor {
  return apply(reluOp, { x }, {})
}

/**
 * min(max(x, 0), 6), any shape; the gradient is 0 at 0 and at 6, as in PyTorch.
 * @example const y = relu6(x)
 */
export function relu6(x: Tensor): Tensor {
  return apply(relu6Op, { x }, {})
}

/**
 * min(max(x, low), high), any shape (PyTorch's `clamp`); the gradient passes at both bounds.
 * @throws ShapeError when low is above high
 * @example const y = clamp(x, -1, 1)
 */
export function clamp(x: Tensor, low: number, high: number): Tensor {
  return apply(clampOp, { x }, { low, high })
}

/**
 * 1 / (1 + e^-x), any shape.
 * @example const gate = sigmoid(x)
 */
export function sigmoid(x: Tensor): Tensor {
  return apply(sigmoidOp, { x }, {})
}

/**
 * x / (1 + e^-x), any shape (Elfwing et al. 2017, arXiv:1702.03118; PyTorch's `silu`).
 * @example const y = silu(x)
 */
export function silu(x: Tensor): Tensor {
  return apply(siluOp, { x }, {})
}

/**
 * x · min(max(x + 3, 0), 6) / 6, any shape (Howard et al. 2019, arXiv:1905.02244; PyTorch's
 * `hardswish`).
 * @example const y = hardswish(x)
 */
export function hardswish(x: Tensor): Tensor {
  return apply(hardswishOp, { x }, {})
}

/** Options of `add`. */
export interface AddOptions {
  /** Whether a ReLU is applied to the result, in the same launch. Default false. */
  readonly relu?: boolean
}

/**
 * a + b, of one shape: where the ways through a residual block meet.
 * @returns their shape
 * @throws ShapeError when the shapes differ
 * @example const y = add(block, x, { relu: true })
 */
export function add(a: Tensor, b: Tensor, options: AddOptions = {}): Tensor {
  checkOptions('add', options, ['relu'], ShapeError)
  return apply(addOp, { a, b }, options)
}

/**
 * The channels of all tensors, one tensor's after the other's (PyTorch's `cat` over dimension 1).
 * @param tensors one or more, [N, C, …], which differ in C only
 * @returns [N, the sum of their C, …]
 * @throws ShapeError when shapes do not fit, or no tensor is given
 * @example const y = concat([squeezed1x1, squeezed3x3])
 */
export function concat(tensors: readonly Tensor[]): Tensor {
  // The operator takes four at once, so that each is read once.
  const [a, b = null, c = null, d = null, ...rest] = tensors
  requireTensor('concat', 'the first of its tensors', a)
  const joined = apply(concatOp, { a, b, c, d }, {})
  return rest.length === 0 ? joined : concat([joined, ...rest])
}
