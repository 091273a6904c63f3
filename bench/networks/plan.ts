import { at } from '../../src/base/at.ts'
import type { StateDict } from '../../src/index.ts'
import type { NdArray } from '../arrays.ts'

/**
 * AlexNet without dropout: its convolutions, each with ReLU, some with a max-pool of 3 and stride
 * 2, and three dense layers.
 */
export interface Plan {
  readonly variant: 'torchvision' | 'alexnet-64'
  readonly size: number
  readonly channels: readonly number[]
  readonly kernel: readonly number[]
  readonly stride: readonly number[]
  readonly padding: readonly number[]
  readonly pooled: readonly boolean[]
  readonly hidden: number
  readonly classes: number
}

export const alexnet64: Plan = {
  variant: 'alexnet-64',
  size: 64,
  channels: [32, 96, 128, 128, 96],
  kernel: [5, 5, 3, 3, 3],
  stride: [2, 1, 1, 1, 1],
  padding: [2, 2, 1, 1, 1],
  pooled: [true, true, false, false, true],
  hidden: 512,
  classes: 100,
}
export const torchvision: Plan = {
  variant: 'torchvision',
  size: 224,
  channels: [64, 192, 384, 256, 256],
  kernel: [11, 5, 3, 3, 3],
  stride: [4, 1, 1, 1, 1],
  padding: [2, 2, 1, 1, 1],
  pooled: [true, true, false, false, true],
  hidden: 4096,
  classes: 1000,
}

/** The layers with weights, in order, under torchvision's names. */
export const convolutions = [0, 3, 6, 8, 10].map((n) => `features.${n}`)
export const dense = [1, 4, 6].map((n) => `classifier.${n}`)

/** A step's settings, the same for all: SGD with momentum. */
export const recipe = { lr: 1e-3, momentum: 0.9 } as const

/** What every competitor computes. */
export interface Task {
  readonly plan: Plan
  readonly training: boolean
  readonly weights: StateDict
  /** [N, 3, size, size] */
  readonly images: NdArray
  readonly targets: Int32Array
}

/** For each convolution: the side of its output, and of the next one's input, after a pool. */
function extents({
  size,
  kernel,
  stride,
  padding,
  pooled,
}: Plan): readonly { readonly out: number; readonly next: number }[] {
  let extent = size
  return kernel.map((k, i) => {
    const out = Math.floor((extent + 2 * at(padding, i) - k) / at(stride, i)) + 1
    extent = pooled[i] ? Math.floor((out - 3) / 2) + 1 : out
    return { out, next: extent }
  })
}

/**
 * The operations and bytes of a step. A multiply-add counts as two operations; training adds both
 * gradients of each layer, except the first layer's input gradient. The forward pass reads every
 * weight. Training reads it again in the backward pass and writes its gradient; then the optimizer
 * reads gradient, weight and velocity and writes the last two. Activations do not count: they may
 * stay in a cache.
 */
export function costOf(
  plan: Plan,
  batch: number,
  training: boolean,
): { readonly flops: number; readonly bytes: number } {
  const sides = extents(plan)
  let inputs = 3
  let [parameters, macs, first] = [0, 0, 0]
  for (const [i, channels] of plan.channels.entries()) {
    const filter = channels * inputs * at(plan.kernel, i) ** 2
    parameters += filter + channels
    macs += filter * at(sides, i).out ** 2
    if (i === 0) first = macs
    inputs = channels
  }
  inputs *= at(sides, sides.length - 1).next ** 2
  for (const outputs of [plan.hidden, plan.hidden, plan.classes]) {
    parameters += inputs * outputs + outputs
    macs += inputs * outputs
    inputs = outputs
  }
  const images = 4 * batch * 3 * plan.size ** 2
  return training
    ? { flops: 2 * batch * (3 * macs - first), bytes: 4 * 8 * parameters + images }
    : { flops: 2 * batch * macs, bytes: 4 * parameters + images }
}
