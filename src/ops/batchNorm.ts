import { at } from '../base/at.ts'
import { ShapeError } from '../base/errors.ts'
import type { Gpu } from '../gpu/gpu.ts'
import { elementKernel } from '../gpu/kernels/kernel.ts'
import { type NdBuffer, type Shape, scratch, showShape, sizeOf } from '../tensor/ndbuffer.ts'
import { defineOp } from './op.ts'
import { sumOuter } from './reduce.ts'
import { type Rows, rowKernel, rowsOf, rowsToSum } from './rows.ts'

export interface BatchNormAttrs {
  /** Whether x is normalized by its own statistics, and the running ones move towards them. */
  readonly training: boolean
  /** How far the running statistics move: 0 not at all, 1 all the way. */
  readonly momentum: number
  /** What is added to a variance, so that no channel is divided by 0. */
  readonly epsilon: number
  /** f32[]: one more in each training pass. Default: nothing is counted. */
  readonly batches?: NdBuffer | null
  /** Whether a ReLU is applied to the result, in the same launch. Default false. */
  readonly relu?: boolean
}

/** What every gradient is computed from; the weight stands for what none will read. */
interface Kept extends Readonly<Record<string, NdBuffer>> {
  readonly x: NdBuffer
  readonly weight: NdBuffer
  /** The statistics that x was normalized by. */
  readonly mean: NdBuffer
  readonly variance: NdBuffer
  /** The result, read where a ReLU was applied to it. */
  readonly y: NdBuffer
  /** f32[C, 2]: Σ dy and Σ dy · (x − mean), once backward has begun. */
  readonly sums: NdBuffer
}
type Inputs = 'x' | 'weight' | 'bias' | 'mean' | 'variance'

const moments = rowKernel('batch_norm/moments', () => ({ flops: 5, bytes: 4 }))
const normalize = rowKernel<'RELU'>('batch_norm/normalize', ({ RELU }) => ({
  flops: 3 + RELU,
  bytes: 8,
}))
const sums = rowKernel<'RELU'>('batch_norm/sums', ({ RELU }) => ({
  flops: 4 + RELU,
  bytes: 8 + 4 * RELU,
}))
const backwardInput = rowKernel<'RELU' | 'TRAINING'>(
  'batch_norm/backward_input',
  ({ RELU, TRAINING }) => ({ flops: 1 + RELU + 4 * TRAINING, bytes: 8 + 4 * RELU + 4 * TRAINING }),
)
const merge = elementKernel<'n' | 'channels' | 'parts' | 'size' | 'momentum'>(
  'batch_norm/merge',
  (p) => p.n,
  {
    cost: ({ channels, parts }) => ({ flops: 10 * channels * parts, bytes: 16 * channels * parts }),
  },
)
const backwardChannel = elementKernel<'n' | 'epsilon', 'OF'>(
  'batch_norm/backward_channel',
  (p) => p.n,
  { cost: ({ n }, { OF }) => ({ flops: 5 * n * OF, bytes: 12 * n }) },
)

/** Which gradient `backwardChannel` writes. */
const gradientOf = { bias: 0, weight: 1, mean: 2, variance: 3, none: 4 } as const

/** Parts that are merged one after the other; more are merged in two stages. */
const mergedAtOnce = 64

/** @throws ShapeError below two dimensions */
function extentsOf(x: Shape): { batch: number; channels: number; pixels: number } {
  const [batch, channels, ...pixels] = x
  if (batch === undefined || channels === undefined)
    throw new ShapeError(
      `batchNorm: x is [N, C, …] with at least 2 dimensions, not ${showShape(x)}`,
    )
  return { batch, channels, pixels: sizeOf(pixels) }
}

/** The mean and the variance of each channel of x; the running ones move towards them. */
function statistics(
  gpu: Gpu,
  x: NdBuffer,
  running: { readonly mean: NdBuffer; readonly variance: NdBuffer },
  { momentum, batches }: BatchNormAttrs,
): { readonly mean: NdBuffer; readonly variance: NdBuffer } {
  const { batch, channels, pixels } = extentsOf(x.shape)
  const rows = rowsToSum(gpu, batch * channels, pixels)
  let count = batch * rows.params.chunks
  let parts = scratch(gpu, [count, channels, 4])
  gpu.run(
    moments,
    { x: x.storage, parts: parts.storage },
    { ...rows.params, channels },
    rows.constants,
  )
  if (count > mergedAtOnce) {
    const size = Math.ceil(Math.sqrt(count))
    const groups = Math.ceil(count / size)
    const merged = scratch(gpu, [groups, channels, 4])
    gpu.run(
      merge,
      { parts: parts.storage, merged: merged.storage },
      { n: groups * channels, channels, parts: count, size, momentum: 0 },
      { LAST: 0 },
    )
    count = groups
    parts = merged
  }
  const [mean, variance] = [scratch(gpu, [channels]), scratch(gpu, [channels])]
  gpu.run(
    merge,
    {
      parts: parts.storage,
      mean: mean.storage,
      variance: variance.storage,
      ...(momentum > 0
        ? { running_mean: running.mean.storage, running_variance: running.variance.storage }
        : {}),
      ...(batches ? { batches: batches.storage } : {}),
    },
    { n: channels, channels, parts: count, size: count, momentum },
    { LAST: 1, TRACK: momentum > 0 ? 1 : 0, COUNT: batches ? 1 : 0 },
  )
  return { mean, variance }
}

/** Σ dy and Σ dy · (x − mean) of every channel. */
function sumGradients(gpu: Gpu, dy: NdBuffer, kept: Kept, relu: boolean): void {
  const { batch, channels, pixels } = extentsOf(dy.shape)
  const rows = rowsToSum(gpu, batch * channels, pixels)
  const count = batch * rows.params.chunks
  const parts = count > 1 ? scratch(gpu, [count, channels, 2]) : kept.sums
  gpu.run(
    sums,
    {
      x: kept.x.storage,
      dy: dy.storage,
      mean: kept.mean.storage,
      parts: parts.storage,
      ...(relu ? { y: kept.y.storage } : {}),
    },
    { ...rows.params, channels },
    { ...rows.constants, RELU: relu ? 1 : 0 },
  )
  if (count > 1) sumOuter(gpu, parts, kept.sums, count, 2 * channels)
}

/** Writes the gradient of what every channel has one number of. */
const ofChannels =
  (of: 'bias' | 'weight' | 'mean' | 'variance') =>
  (gpu: Gpu, _: NdBuffer, gradient: NdBuffer, kept: Kept, attrs: BatchNormAttrs): void => {
    const isStatistic = of === 'mean' || of === 'variance'
    gpu.run(
      backwardChannel,
      {
        sums: kept.sums.storage,
        variance: kept.variance.storage,
        weight: kept.weight.storage,
        gradient: gradient.storage,
      },
      { n: sizeOf(gradient.shape), epsilon: attrs.epsilon },
      { OF: gradientOf[attrs.training && isStatistic ? 'none' : of] },
    )
  }

/**
 * y = (x − mean) / √(variance + epsilon) · weight + bias for every channel (Ioffe & Szegedy 2015,
 * arXiv:1502.03167), as PyTorch's batch_norm. In training mean and variance are those of x, and
 * the inputs of these names, the running statistics, move towards them in place.
 */
export const batchNorm = defineOp<Inputs, BatchNormAttrs, Readonly<Record<Inputs, Kept>>>({
  name: 'batchNorm',
  inputs: ['x', 'weight', 'bias', 'mean', 'variance'],
  outShape(shapes, { training, momentum, epsilon }) {
    const { batch, channels, pixels } = extentsOf(shapes.x)
    for (const name of ['weight', 'bias', 'mean', 'variance'] as const)
      if (shapes[name].length !== 1 || at(shapes[name], 0) !== channels)
        throw new ShapeError(`batchNorm: ${name} is [${channels}], not ${showShape(shapes[name])}`)
    if (!(momentum >= 0 && momentum <= 1))
      throw new ShapeError(`batchNorm: momentum lies between 0 and 1, not at ${momentum}`)
    if (!(epsilon >= 0 && epsilon < Number.POSITIVE_INFINITY))
      throw new ShapeError(`batchNorm: epsilon is a number of 0 or more, not ${epsilon}`)
    if (training && batch * pixels === 1)
      throw new ShapeError(
        `batchNorm: in training a channel needs more than one value, and x is ` +
          `${showShape(shapes.x)}: use a larger batch`,
      )
    return shapes.x
  },
  cost: ({ x }, { training }) => ({
    flops: (training ? 8 : 3) * sizeOf(x),
    bytes: (training ? 12 : 8) * sizeOf(x),
  }),
  forward(gpu, { x, weight, bias, ...running }, y, attrs, needs) {
    const { training, epsilon, relu = false } = attrs
    const { batch, channels, pixels } = extentsOf(x.shape)
    const { mean, variance } = training ? statistics(gpu, x, running, attrs) : running
    const rows = rowsOf(gpu, batch * channels, pixels)
    gpu.run(
      normalize,
      {
        x: x.storage,
        mean: mean.storage,
        variance: variance.storage,
        weight: weight.storage,
        bias: bias.storage,
        y: y.storage,
      },
      { ...rows.params, channels, epsilon },
      { ...rows.constants, RELU: relu ? 1 : 0 },
    )
    const { x: ofX, ...ofOthers } = needs
    const summed = Object.values(ofOthers).some((need) => need) || (ofX && training)
    const kept = {
      x: summed ? x : weight,
      weight,
      mean,
      variance,
      y: relu ? y : weight,
      sums: summed ? scratch(gpu, [channels, 2]) : weight,
    }
    const keptFor = (name: Inputs) => (needs[name] ? kept : null)
    return {
      x: keptFor('x'),
      weight: keptFor('weight'),
      bias: keptFor('bias'),
      mean: keptFor('mean'),
      variance: keptFor('variance'),
    }
  },
  share(gpu, dy, kept, { training, relu = false }) {
    const ofParameters = kept.weight ?? kept.bias ?? kept.mean ?? kept.variance
    const one = ofParameters ?? (training ? kept.x : null)
    if (one) sumGradients(gpu, dy, one, relu)
  },
  backward: {
    x(gpu, dy, dx, { x, weight, mean, variance, y, sums }, { training, epsilon, relu = false }) {
      const { batch, channels, pixels } = extentsOf(dx.shape)
      const rows: Rows = rowsOf(gpu, batch * channels, pixels)
      gpu.run(
        backwardInput,
        {
          dy: dy.storage,
          variance: variance.storage,
          weight: weight.storage,
          dx: dx.storage,
          ...(relu ? { y: y.storage } : {}),
          ...(training ? { x: x.storage, mean: mean.storage, sums: sums.storage } : {}),
        },
        { ...rows.params, channels, epsilon, count: batch * pixels },
        { ...rows.constants, RELU: relu ? 1 : 0, TRAINING: training ? 1 : 0 },
      )
    },
    weight: ofChannels('weight'),
    bias: ofChannels('bias'),
    mean: ofChannels('mean'),
    variance: ofChannels('variance'),
  },
})
