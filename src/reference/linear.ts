import { type LinearAttrs, linear as op } from '../ops/linear.ts'
import { weightedTolerance } from './agreement.ts'
import { kept, output, read, summed, term } from './explanation.ts'
import { add, addScaled, at, dot, item, type NdArray, two, zeros } from './ndarray.ts'
import { between } from './random.ts'
import { relu, reluBackward } from './relu.ts'
import type { Arrays, Case, Specification } from './specification.ts'

/**
 * y[n, o] = bias[o] + sum over i of x[n, i] * weight[o, i]   (torch.nn.functional.linear: weight is
 * [out, in])
 */
export function linear(x: NdArray, weight: NdArray, bias: NdArray | null): NdArray {
  const [n, inputs] = two(x.shape)
  const [outputs] = two(weight.shape)
  const y = zeros([n, outputs])
  for (let ni = 0; ni < n; ni++) {
    for (let o = 0; o < outputs; o++) {
      y.data[ni * outputs + o] =
        (bias ? at(bias.data, o) : 0) + dot(x.data, ni * inputs, weight.data, o * inputs, inputs)
    }
  }
  return y
}

/** dx = dy weight, dweight = dy^T x, dbias = column sums of dy */
export function linearBackward(
  x: NdArray,
  weight: NdArray,
  dy: NdArray,
): { dx: NdArray; dweight: NdArray; dbias: NdArray } {
  const [n, inputs] = two(x.shape)
  const [outputs] = two(weight.shape)
  const dx = zeros(x.shape)
  const dweight = zeros(weight.shape)
  const dbias = zeros([outputs])
  for (let ni = 0; ni < n; ni++) {
    for (let o = 0; o < outputs; o++) {
      const g = at(dy.data, ni * outputs + o)
      add(dbias.data, o, g)
      addScaled(dx.data, ni * inputs, g, weight.data, o * inputs, inputs)
      addScaled(dweight.data, o * inputs, g, x.data, ni * inputs, inputs)
    }
  }
  return { dx, dweight, dbias }
}

type Inputs = Arrays<'x' | 'weight', 'bias'>

function shaped(
  n: number,
  inputs: number,
  outputs: number,
  { bias = true, relu = false } = {},
): Case<Inputs, LinearAttrs> {
  return {
    shapes: { x: [n, inputs], weight: [outputs, inputs], bias: bias ? [outputs] : null },
    attrs: relu ? { relu } : {},
  }
}

export const specification: Specification<Inputs, LinearAttrs> = {
  op,
  kernels: ['fast', 'plain'],
  forward({ x, weight, bias }, attrs) {
    const sum = linear(x, weight, bias)
    return attrs.relu ? relu(sum) : sum
  },
  backward({ x, weight, bias }, dy, attrs) {
    const dsum = attrs.relu ? reluBackward(linear(x, weight, bias), dy) : dy
    const { dx, dweight, dbias } = linearBackward(x, weight, dsum)
    return { x: dx, weight: dweight, bias: dbias }
  },
  tolerance: {
    reason: 'The longest of three sums: over inputs, outputs or images.',
    of: ({ x, weight }) => weightedTolerance(Math.max(...x, ...weight)),
  },
  edges: {
    'a small layer': { ...shaped(5, 33, 7), differences: true },
    ones: shaped(1, 1, 1),
    'without bias': shaped(4, 9, 6, { bias: false }),
    'one row': shaped(1, 130, 65),
    'one output': shaped(40, 20, 1),
    'one input': shaped(9, 1, 40),
    'a batch of 64 and a rest': shaped(65, 12, 33),
    'more outputs than tiles hold': shaped(3, 8, 130),
    'a long sum': shaped(2, 9216, 3),
    'a small batch, wider and taller than a strip': shaped(8, 268, 259),
    'the largest batch of an outer product': shaped(16, 140, 5),
    'one image more': shaped(17, 140, 5),
    'few rows, wide tiles': shaped(3, 4164, 9),
    'a ReLU': { ...shaped(5, 12, 7, { relu: true }), differences: true },
    'a ReLU, more outputs than tiles hold': shaped(9, 16, 70, { relu: true }),
    zeros: {
      ...shaped(3, 8, 5, { relu: true }),
      values: { x: new Float32Array(24), bias: new Float32Array(5) },
    },
    'numbers of ten thousand': { ...shaped(6, 20, 9), scale: 1e4 },
  },
  draw: (random) =>
    shaped(between(random, 1, 40), between(random, 1, 70), between(random, 1, 70), {
      bias: random.below(2) === 1,
      relu: random.below(2) === 1,
    }),
  large: shaped(16, 1024, 512),
  explain(call, position) {
    const [x, weight, bias] = [kept(call, 'x'), kept(call, 'weight'), call.tensors.bias]
    const [n, o] = two(position)
    const [, inputs] = two(weight.shape)
    const sum = summed({
      formula: `${bias ? `bias[${o}] + ` : ''}Σ over inputs i of weight[${o}, i] · x[${n}, i]`,
      names: ['x', 'weight'],
      terms: Array.from({ length: inputs }, (_, i) => term(x, [n, i], weight, [o, i])),
      bias: bias ? read(bias, [o]) : null,
    })
    return output(sum, position, call.attrs)
  },
  explainWeightGradient(call, position) {
    const [x, dy] = [kept(call, 'x'), kept(call, 'dy')]
    const [o, i] = two(position)
    return summed({
      formula: `dweight[${o}, ${i}] = Σ over images n of dy[n, ${o}] · x[n, ${i}]`,
      names: ['x', 'dy'],
      terms: Array.from({ length: item(x.shape, 0) }, (_, n) => term(x, [n, i], dy, [n, o])),
    })
  },
}
