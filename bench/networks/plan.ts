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

/** torchvision's names of the layers with weights, in order. */
export const convolutions = [0, 3, 6, 8, 10].map((n) => `features.${n}`)
export const dense = [1, 4, 6].map((n) => `classifier.${n}`)

/** A step's settings, the same for all: SGD with momentum. */
export const recipe = { lr: 1e-3, momentum: 0.9 } as const

/** What every competitor is given. */
export interface Task {
  readonly plan: Plan
  readonly training: boolean
  readonly weights: StateDict
  /** [N, 3, size, size] */
  readonly images: NdArray
  readonly targets: Int32Array
}

/** The sides of the images that the convolutions write, and of those that go on after a pool. */
function extents({
  size,
  kernel,
  stride,
  padding,
  pooled,
}: Plan): readonly { readonly out: number; readonly next: number }[] {
  let extent = size
  return kernel.map((k, i) => {
    const out = Math.floor((extent + 2 * (padding[i] ?? 0) - k) / (stride[i] ?? 1)) + 1
    extent = pooled[i] ? Math.floor((out - 3) / 2) + 1 : out
    return { out, next: extent }
  })
}

/**
 * What a step costs. Operations: a multiply-add counts two; training adds both gradients, the first
 * layer's input gradient excepted. Bytes: every weight is read in forward; training reads it again
 * in backward, writes its gradient, and its rule reads gradient, weight and velocity and writes
 * both of the latter. Activations are left out: they may stay in a cache.
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
    const filter = channels * inputs * (plan.kernel[i] ?? 1) ** 2
    parameters += filter + channels
    macs += filter * (sides[i]?.out ?? 1) ** 2
    if (i === 0) first = macs
    inputs = channels
  }
  inputs *= (sides.at(-1)?.next ?? 1) ** 2
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
