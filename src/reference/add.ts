import { type AddAttrs, add as op } from '../ops/add.ts'
import { kept, output, read, summed } from './explanation.ts'
import { at, type NdArray } from './ndarray.ts'
import { between, extents } from './random.ts'
import { relu, reluBackward } from './relu.ts'
import type { Arrays, Case, Specification } from './specification.ts'

/** y = a + b */
function sum(a: NdArray, b: NdArray): NdArray {
  const data = a.data.map((value, i) => value + at(b.data, i))
  return { shape: [...a.shape], data }
}

type Inputs = Arrays<'a' | 'b'>

const shaped = (shape: readonly number[], relu = false): Case<Inputs, AddAttrs> => ({
  shapes: { a: shape, b: shape },
  attrs: { relu },
})
const { NaN: nan, POSITIVE_INFINITY: infinity, NEGATIVE_INFINITY: minus } = Number

export const specification: Specification<Inputs, AddAttrs> = {
  op,
  kernels: ['fast'],
  forward: ({ a, b }, attrs) => (attrs.relu ? relu(sum(a, b)) : sum(a, b)),
  backward({ a, b }, dy, attrs) {
    const gradient = attrs.relu ? reluBackward(sum(a, b), dy) : dy
    return { a: gradient, b: gradient }
  },
  tolerance: {
    reason: 'One addition, rounded as float32 rounds it.',
    of: () => ({ relative: 2 ** -23 }),
  },
  edges: {
    'any signs': shaped([3, 7]),
    'a ReLU': shaped([3, 7], true),
    'sums of 0, a ReLU': {
      ...shaped([4], true),
      values: { a: [1, -1, 0, -0], b: [-1, 1, -0, -0] },
    },
    'infinity, and NaN, which stays': {
      ...shaped([5], true),
      values: { a: [infinity, infinity, nan, minus, 3e38], b: [1, minus, 1, 1, 3e37] },
    },
    'one number': shaped([1]),
    'one number more than a workgroup': shaped([257]),
    'images, a ReLU': shaped([2, 3, 5, 7], true),
  },
  draw: (random) => shaped(extents(random, between(random, 1, 4), 9), random.below(2) === 1),
  large: shaped([2 ** 20]),
  explain(call, position) {
    const terms = (['a', 'b'] as const).map((name) => ({
      a: read(kept(call, name), position),
      b: 1,
      aAt: position,
      bAt: [],
    }))
    return output(summed({ formula: 'a + b', names: ['a, b', '1'], terms }), position, call.attrs)
  },
}
