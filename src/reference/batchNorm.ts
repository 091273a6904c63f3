import { type BatchNormAttrs, batchNorm as op } from '../ops/batchNorm.ts'
import { sumTolerance } from './agreement.ts'
import { kept, output, read, valued, whole } from './explanation.ts'
import { add, at, item, type NdArray, sizeOf, zeros } from './ndarray.ts'
import { between, extents } from './random.ts'
import { relu, reluBackward } from './relu.ts'
import type { Arrays, Case, Specification } from './specification.ts'

type Inputs = Arrays<'x' | 'weight' | 'bias' | 'mean' | 'variance'>

/** Visits every element of x, by its flat position, with its channel. */
function walk(x: NdArray, visit: (i: number, channel: number) => void): void {
  const [n, c] = [item(x.shape, 0), item(x.shape, 1)]
  const pixels = sizeOf(x.shape.slice(2))
  for (let i = 0; i < n * c * pixels; i++) visit(i, Math.floor(i / pixels) % c)
}

/** Values of a channel. */
const countOf = (x: NdArray) => sizeOf(x.shape) / item(x.shape, 1)

/** The mean of every channel of x, and the mean squared distance from it. */
function batchStatistics(x: NdArray): { readonly mean: NdArray; readonly variance: NdArray } {
  const [mean, variance] = [zeros([item(x.shape, 1)]), zeros([item(x.shape, 1)])]
  walk(x, (i, c) => add(mean.data, c, at(x.data, i) / countOf(x)))
  walk(x, (i, c) => add(variance.data, c, (at(x.data, i) - at(mean.data, c)) ** 2 / countOf(x)))
  return { mean, variance }
}

const statistics = (inputs: Inputs, { training }: BatchNormAttrs) =>
  training ? batchStatistics(inputs.x) : inputs

/**
 * y = (x - mean) / sqrt(variance + epsilon) * weight + bias   (torch.nn.functional.batch_norm); in
 * training mean and variance are those of x
 */
function batchNorm(inputs: Inputs, attrs: BatchNormAttrs): NdArray {
  const { x, weight, bias } = inputs
  const { mean, variance } = statistics(inputs, attrs)
  const y = zeros(x.shape)
  walk(x, (i, c) => {
    const deviation = Math.sqrt(at(variance.data, c) + attrs.epsilon)
    const distance = at(x.data, i) - at(mean.data, c)
    y.data[i] = (distance / deviation) * at(weight.data, c) + at(bias.data, c)
  })
  return y
}

/**
 * With h = (x - mean) / deviation: dbias = sum of dy, dweight = sum of dy * h, and dx = weight /
 * deviation * dy; in training less its mean over the channel, and less h times the mean of dy * h.
 */
function batchNormBackward(inputs: Inputs, dy: NdArray, attrs: BatchNormAttrs) {
  const { x, weight } = inputs
  const { mean, variance } = statistics(inputs, attrs)
  const channels = () => zeros(weight.shape)
  const [dweight, dbias, dmean, dvariance] = [channels(), channels(), channels(), channels()]
  const deviation = (c: number) => Math.sqrt(at(variance.data, c) + attrs.epsilon)
  const h = (i: number, c: number) => (at(x.data, i) - at(mean.data, c)) / deviation(c)
  walk(x, (i, c) => {
    add(dbias.data, c, at(dy.data, i))
    add(dweight.data, c, at(dy.data, i) * h(i, c))
  })
  const dx = zeros(x.shape)
  walk(x, (i, c) => {
    const alike = (at(dbias.data, c) + h(i, c) * at(dweight.data, c)) / countOf(x)
    const own = at(dy.data, i) - (attrs.training ? alike : 0)
    dx.data[i] = (own * at(weight.data, c)) / deviation(c)
  })
  if (!attrs.training)
    for (let c = 0; c < dmean.data.length; c++) {
      dmean.data[c] = (-at(weight.data, c) / deviation(c)) * at(dbias.data, c)
      dvariance.data[c] = (-at(weight.data, c) / (2 * deviation(c) ** 2)) * at(dweight.data, c)
    }
  return { x: dx, weight: dweight, bias: dbias, mean: dmean, variance: dvariance }
}

interface Drawn {
  readonly training?: boolean
  readonly momentum?: number
  readonly epsilon?: number
  readonly relu?: boolean
}

/** A case whose running variances are positive numbers, drawn by the shape. */
function shaped(
  x: readonly number[],
  { training = true, momentum = 0.1, epsilon = 1e-5, relu = false }: Drawn = {},
): Case<Inputs, BatchNormAttrs> {
  const channels = item(x, 1)
  const variance = Float32Array.from({ length: channels }, (_, c) => 0.25 + ((c * 37) % 11) / 5)
  const ofChannel = [channels]
  return {
    shapes: { x, weight: ofChannel, bias: ofChannel, mean: ofChannel, variance: ofChannel },
    attrs: { training, momentum, epsilon, relu },
    values: { variance },
  }
}
const running = { training: false } as const
/** x of these values, each channel with a weight and a bias that keep them apart. */
function holding(x: readonly number[], shape: readonly number[], drawn: Drawn = {}) {
  const one = shaped(shape, drawn)
  return { ...one, values: { ...one.values, x } }
}
const large = (shape: readonly number[]) =>
  Array.from({ length: sizeOf(shape) }, (_, i) => 100 + ((i * 7919) % 101) / 25)
const nan = Number.NaN

export const specification: Specification<Inputs, BatchNormAttrs> = {
  op,
  kernels: ['fast'],
  checks: ['reduce'],
  forward(inputs, attrs) {
    const y = batchNorm(inputs, attrs)
    return attrs.relu ? relu(y) : y
  },
  backward(inputs, dy, attrs) {
    const own = attrs.relu ? reluBackward(batchNorm(inputs, attrs), dy) : dy
    return batchNormBackward(inputs, own, attrs)
  },
  updates({ x, mean, variance }, { training, momentum }) {
    if (!training) return {}
    const batch = batchStatistics(x)
    const sample = countOf(x) / (countOf(x) - 1)
    const moved = (from: NdArray, to: NdArray, factor: number): NdArray => ({
      shape: [...from.shape],
      data: from.data.map((value, c) => value + momentum * (factor * at(to.data, c) - value)),
    })
    return {
      mean: moved(mean, batch.mean, 1),
      variance: moved(variance, batch.variance, sample),
    }
  },
  tolerance: {
    reason:
      'Sums over all values of a channel, which are then divided by its deviation; a gradient is ' +
      'what is left of dy less its own means.',
    of(shapes) {
      const terms = sizeOf(shapes.x) / item(shapes.x, 1)
      return { relative: 4 * sumTolerance(terms), absolute: 8 * sumTolerance(terms) }
    },
  },
  edges: {
    'in training': { ...shaped([3, 2, 3, 2]), differences: true },
    'by running statistics': { ...shaped([2, 3, 2, 3], running), differences: true },
    'a ReLU, in training': shaped([3, 2, 4, 4], { relu: true }),
    'a ReLU, by running statistics': shaped([2, 3, 4, 4], { ...running, relu: true }),
    'one image': shaped([1, 3, 5, 5]),
    'rows, no more dimensions': shaped([6, 5]),
    'three dimensions': shaped([4, 3, 9]),
    'maps of one pixel': shaped([8, 3, 1, 1], { epsilon: 0.01 }),
    'one image and one pixel, by running statistics': shaped([1, 5, 1, 1], running),
    'two values of a channel': shaped([2, 4, 1, 1], { epsilon: 0.5 }),
    'one channel': shaped([2, 1, 6, 6]),
    'many values of a channel: several parts': shaped([3, 2, 40, 38]),
    'so many that parts are merged twice': shaped([67, 3, 4, 5]),
    'a mean of a hundred': holding(large([2, 2, 8, 8]), [2, 2, 8, 8], { epsilon: 0.01 }),
    'equal numbers': holding(new Array<number>(36).fill(3.7), [2, 2, 3, 3]),
    'statistics that do not move': shaped([2, 3, 4, 4], { momentum: 0 }),
    'statistics that are the batch’s': shaped([2, 3, 4, 4], { momentum: 1 }),
    'NaN, in one channel': holding([1, 2, nan, 4, 1, 2, 3, 5], [2, 2, 2]),
    'NaN, by running statistics': holding([1, 2, nan, 4, 1, 2, 3, 5], [2, 2, 2], running),
    'infinity, by running statistics': holding(
      [1, 2, Number.POSITIVE_INFINITY, 4, 1, 2, 3, 5],
      [2, 2, 2],
      running,
    ),
  },
  draw(random) {
    const rest = extents(random, random.below(3), 7)
    const training = random.below(3) > 0
    return shaped([between(random, training ? 4 : 1, 6), between(random, 1, 6), ...rest], {
      training,
      momentum: random.below(11) / 10,
      epsilon: training ? 0.05 : 1e-5,
      relu: random.below(2) === 1,
    })
  },
  large: shaped([8, 64, 56, 56]),
  explain(call, position) {
    const { epsilon, training } = call.attrs
    const channel = item(position, 1)
    const x = kept(call, 'x')
    const ofChannel = (name: string) => read(kept(call, name), [channel])
    const batch = training ? batchStatistics(whole(x)) : null
    const mean = batch ? at(batch.mean.data, channel) : ofChannel('mean')
    const variance = batch ? at(batch.variance.data, channel) : ofChannel('variance')
    const value = read(x, position)
    const factor = ofChannel('weight') / Math.sqrt(variance + epsilon)
    const bias = ofChannel('bias')
    const of = training ? 'of the batch' : 'running'
    const sum = valued({
      formula:
        `(x − mean[${channel}]) · weight[${channel}] / √(variance[${channel}] + ${epsilon}) + ` +
        `bias[${channel}], mean ${mean.toPrecision(6)} and variance ` +
        `${variance.toPrecision(6)} ${of}`,
      names: ['x − mean', 'weight / √(variance + ε)'],
      terms: [{ a: value - mean, b: factor, aAt: position, bAt: [] }],
      bias,
      result: (value - mean) * factor + bias,
    })
    return output(sum, position, call.attrs)
  },
}
