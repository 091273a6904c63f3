import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { linear } from '../../src/autograd/functions.ts'
import { ShapeError } from '../../src/base/errors.ts'
import { linearBackward, linear as reference } from '../../src/reference/linear.ts'
import { sumTolerance } from '../support/compare.ts'
import { testEngine } from '../support/engine.ts'
import { given, type OpCase, testOp } from '../support/testOp.ts'

type In = 'x' | 'weight' | 'bias'

const shaped = (n: number, inputs: number, outputs: number, bias = true): OpCase<In, object> => ({
  shapes: { x: [n, inputs], weight: [outputs, inputs], bias: bias ? [outputs] : null },
  attrs: {},
})

testOp<In, object>('linear', {
  inputs: ['x', 'weight', 'bias'],
  kernels: ['auto', 'plain'],
  run: ({ x, weight, bias }, _, { bias: hasBias }) => linear(x, weight, hasBias ? bias : null),
  forward: ({ x, weight, bias }) => reference(given(x), given(weight), bias),
  backward: ({ x, weight }, dy) => {
    const { dx, dweight, dbias } = linearBackward(given(x), given(weight), dy)
    return { x: dx, weight: dweight, bias: dbias }
  },
  tolerance: ({ x, weight }) => {
    const terms = Math.max(...given(x).shape, ...given(weight).shape)
    return { relative: sumTolerance(terms), absolute: sumTolerance(terms) * Math.sqrt(terms) }
  },
  cases: {
    'a small head': shaped(5, 33, 7),
    'without bias': shaped(4, 9, 6, false),
    ones: shaped(1, 1, 1),
    'one row': shaped(1, 130, 65),
    'one output': shaped(40, 20, 1),
    'one input': shaped(9, 1, 40),
    'batch of 64 and a rest': shaped(65, 12, 33),
    'more outputs than tiles hold': shaped(3, 8, 130),
    'a long sum': shaped(2, 9216, 3),
    'a small batch, wider and taller than a strip': shaped(8, 268, 259),
    'the largest batch of an outer product': shaped(16, 140, 5),
    'one image more': shaped(17, 140, 5),
    'few rows, wide tiles': shaped(3, 4164, 9),
  },
  generated: fc
    .tuple(
      fc.integer({ min: 1, max: 40 }),
      fc.integer({ min: 1, max: 70 }),
      fc.integer({ min: 1, max: 70 }),
      fc.boolean(),
    )
    .map(([n, inputs, outputs, bias]) => shaped(n, inputs, outputs, bias)),
  oracle: {
    op: 'linear',
    attrs: () => ({}),
    gradients: { x: 'dx', weight: 'dweight', bias: 'dbias' },
  },
})

describe('what linear refuses', () => {
  test.each<[number[], number[], number[] | null, RegExp]>([
    [[2, 3, 4], [5, 4], null, /x is \[N, in\], not \[2, 3, 4\]/],
    [[2, 4], [5, 4, 1], null, /weight is \[out, in\]/],
    [[2, 3], [5, 4], null, /x \[2, 3\] has 3 features, but weight \[5, 4\] takes 4/],
    [[2, 4], [5, 4], [4], /bias is \[5\], not \[4\]/],
  ])('x %j, weight %j, bias %j', async (x, weight, bias, message) => {
    const engine = await testEngine()
    const make = (shape: number[]) =>
      engine.tensor(new Float32Array(shape.reduce((a, b) => a * b, 1)), shape)
    const [a, b, c] = [make(x), make(weight), bias ? make(bias) : null]
    expect(() => linear(a, b, c)).toThrow(ShapeError)
    expect(() => linear(a, b, c)).toThrow(message)
    for (const tensor of [a, b, c]) tensor?.dispose()
  })
})
