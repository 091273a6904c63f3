/**
 * The two operators with weights, with their float64 references, their edges, and shapes at random.
 */
import { conv2d, linear } from '../autograd/functions.ts'
import type { Conv2dAttrs, Pair } from '../ops/conv2d.ts'
import type { LinearAttrs } from '../ops/linear.ts'
import { sumTolerance } from '../reference/compare.ts'
import * as reference from '../reference/index.ts'
import { given, type OperatorCase, type OperatorCheck } from './operator.ts'
import { between } from './subject.ts'

type Weighted = 'x' | 'weight' | 'bias'

function convCase(
  [n = 1, c = 1, h = 1, w = 1]: readonly number[],
  [o = 1, kh = 1, kw = 1]: readonly number[],
  { stride = [1, 1], padding = [0, 0], groups = 1, relu }: Partial<Conv2dAttrs> = {},
  { bias = true, differences = false } = {},
): OperatorCase<Weighted, Conv2dAttrs> {
  return {
    shapes: { x: [n, c, h, w], weight: [o, c / groups, kh, kw], bias: bias ? [o] : null },
    attrs: { stride, padding, groups, relu },
    differences,
  }
}

export const conv2dCheck: OperatorCheck<Weighted, Conv2dAttrs> = {
  name: 'conv2d',
  inputs: ['x', 'weight', 'bias'],
  kernels: ['fast', 'plain'],
  run: ({ x, weight, bias }, options) => conv2d(given(x), given(weight), bias, options),
  forward({ x, weight, bias }, attrs) {
    const y = reference.conv2d(given(x), given(weight), bias, attrs)
    return attrs.relu ? reference.relu(y) : y
  },
  backward({ x, weight, bias }, dy, attrs) {
    const dsum = attrs.relu
      ? reference.reluBackward(reference.conv2d(given(x), given(weight), bias, attrs), dy)
      : dy
    const { dx, dweight, dbias } = reference.conv2dBackward(given(x), given(weight), dsum, attrs)
    return { x: dx, weight: dweight, bias: dbias }
  },
  // The longest of the three sums: a filter, the images' pixels, or the filters that see one pixel.
  // A sum that cancels leaves the rounding of its terms, whose size is about 1 each: sqrt(terms) of
  // them together.
  tolerance({ x, weight }, { groups }) {
    const [n = 1, , h = 1, w = 1] = x ?? []
    const [o = 1, depth = 1, kh = 1, kw = 1] = weight ?? []
    const terms = Math.max(depth * kh * kw, n * h * w, (o / groups) * kh * kw)
    return { relative: sumTolerance(terms), absolute: sumTolerance(terms) * Math.sqrt(terms) }
  },
  large: convCase([1, 32, 27, 27], [64, 5, 5], { padding: [2, 2] }),
  edges: [
    convCase(
      [2, 4, 5, 6],
      [4, 3, 2],
      { stride: [2, 1], padding: [1, 1], groups: 2 },
      { differences: true },
    ),
    convCase([1, 1, 1, 1], [1, 1, 1]),
    convCase([2, 3, 6, 6], [4, 3, 3], { padding: [1, 1] }, { bias: false }),
    convCase([1, 3, 43, 47], [9, 11, 11], { stride: [4, 4], padding: [2, 2] }),
    convCase([2, 2, 10, 11], [3, 2, 2], { stride: [3, 3] }),
    convCase([2, 2, 4, 3], [3, 2, 3], { padding: [4, 3], stride: [2, 3] }),
    convCase([2, 5, 6, 7], [10, 3, 3], { padding: [1, 1], groups: 5 }),
    convCase([1, 2, 9, 4], [70, 2, 2]),
    convCase([17, 2, 6, 6], [3, 3, 3], { padding: [1, 1] }),
    convCase([2, 3, 5, 6], [4, 3, 3], { padding: [1, 1], relu: true }, { differences: true }),
    convCase([6, 2, 7, 5], [17, 3, 3], { stride: [2, 2], relu: true }),
    convCase([1, 2, 9, 4], [70, 2, 2], { relu: true }, { bias: false }),
  ],
  draw(random) {
    const groups = between(random, 1, 3)
    const kernel: Pair = [between(random, 1, 4), between(random, 1, 4)]
    const padding: Pair = [between(random, 0, 3), between(random, 0, 3)]
    const extents = ([0, 1] as const).map(
      (i) => Math.max(1, kernel[i] - 2 * padding[i]) + between(random, 0, 8),
    )
    return convCase(
      [between(random, 1, 3), groups * between(random, 1, 3), ...extents],
      [groups * between(random, 1, 5), ...kernel],
      {
        stride: [between(random, 1, 4), between(random, 1, 4)],
        padding,
        groups,
        relu: random.below(2) === 1,
      },
      { bias: random.below(2) === 1 },
    )
  },
}

const linearCase = (
  n: number,
  inputs: number,
  outputs: number,
  { bias = true, relu = false, differences = false } = {},
): OperatorCase<Weighted, LinearAttrs> => ({
  shapes: { x: [n, inputs], weight: [outputs, inputs], bias: bias ? [outputs] : null },
  attrs: relu ? { relu } : {},
  differences,
})

export const linearCheck: OperatorCheck<Weighted, LinearAttrs> = {
  name: 'linear',
  inputs: ['x', 'weight', 'bias'],
  kernels: ['fast', 'plain'],
  run: ({ x, weight, bias }, options) => linear(given(x), given(weight), bias, options),
  forward({ x, weight, bias }, attrs) {
    const y = reference.linear(given(x), given(weight), bias)
    return attrs.relu ? reference.relu(y) : y
  },
  backward({ x, weight, bias }, dy, attrs) {
    const dsum = attrs.relu
      ? reference.reluBackward(reference.linear(given(x), given(weight), bias), dy)
      : dy
    const { dx, dweight, dbias } = reference.linearBackward(given(x), given(weight), dsum)
    return { x: dx, weight: dweight, bias: dbias }
  },
  tolerance({ x, weight }) {
    const terms = Math.max(...(x ?? []), ...(weight ?? []))
    return { relative: sumTolerance(terms), absolute: sumTolerance(terms) * Math.sqrt(terms) }
  },
  large: linearCase(16, 1024, 512),
  edges: [
    linearCase(5, 33, 7, { differences: true }),
    linearCase(1, 1, 1),
    linearCase(4, 9, 6, { bias: false }),
    linearCase(65, 12, 33),
    linearCase(3, 8, 130),
    linearCase(2, 4096, 3),
    linearCase(5, 12, 7, { relu: true, differences: true }),
    linearCase(9, 16, 70, { relu: true }),
  ],
  draw: (random) =>
    linearCase(between(random, 1, 20), between(random, 1, 70), between(random, 1, 70), {
      bias: random.below(2) === 1,
      relu: random.below(2) === 1,
    }),
}
