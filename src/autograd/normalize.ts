/** Normalization by the statistics of channels. functions.ts offers it. */
import { ShapeError } from '../base/errors.ts'
import { checkOptions } from '../base/options.ts'
import { batchNorm as batchNormOp } from '../ops/batchNorm.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { apply } from './apply.ts'

/** What a batch normalization knows of each channel: f32[C] each. */
export interface BatchNormTensors {
  readonly weight: Tensor
  readonly bias: Tensor
  /** The running mean. In training it moves towards the batch's, in place. */
  readonly mean: Tensor
  /** The running variance. In training it moves towards that of the batch as a sample, in place. */
  readonly variance: Tensor
  /** A scalar that grows by 1 in each training pass, in place. Default: nothing is counted. */
  readonly batches?: Tensor
}

/** Options of `batchNorm`. */
export interface BatchNormOptions {
  /** Whether x is normalized by its own statistics, or by the running ones. Default false. */
  readonly training?: boolean
  /** The share of the batch's statistics in the running ones, each time. Default 0.1. */
  readonly momentum?: number
  /** What is added to a variance. Default 1e-5. */
  readonly epsilon?: number
  /** Whether a ReLU is applied to the result, in the same launch. Default false. */
  readonly relu?: boolean
}

/**
 * (x − mean) / √(variance + epsilon) · weight + bias for every channel (Ioffe & Szegedy 2015,
 * arXiv:1502.03167; PyTorch's `batch_norm`).
 * @param x [N, C, …]
 * @returns x's shape
 * @throws ShapeError when shapes or options do not fit, and in training for a single value of a
 * channel
 * @example const y = batchNorm(x, { weight, bias, mean, variance }, { training: true })
 */
export function batchNorm(
  x: Tensor,
  { weight, bias, mean, variance, batches }: BatchNormTensors,
  options: BatchNormOptions = {},
): Tensor {
  checkOptions('batchNorm', options, ['training', 'momentum', 'epsilon', 'relu'], ShapeError)
  const { training = false, momentum = 0.1, epsilon = 1e-5, relu = false } = options
  return apply(
    batchNormOp,
    { x, weight, bias, mean, variance },
    { training, momentum, epsilon, relu, batches: batches?.buffer ?? null },
  )
}
