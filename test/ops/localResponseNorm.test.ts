import fc from 'fast-check'
import { expect, test } from 'vitest'
import { localResponseNorm } from '../../src/autograd/functions.ts'
import { ShapeError } from '../../src/base/errors.ts'
import {
  localResponseNormBackward,
  localResponseNorm as reference,
} from '../../src/reference/localResponseNorm.ts'
import { testEngine } from '../support/engine.ts'
import { given, type OpCase, testOp } from '../support/testOp.ts'

interface Attrs {
  readonly size: number
  readonly alpha: number
  readonly beta: number
  readonly k: number
}

const shaped = (
  x: number[],
  size: number,
  { alpha = 1e-4, beta = 0.75, k = 1 } = {},
): OpCase<'x', Attrs> => ({
  shapes: { x },
  attrs: { size, alpha, beta, k },
})

testOp<'x', Attrs>('localResponseNorm', {
  inputs: ['x'],
  run: ({ x }, attrs) => localResponseNorm(x, attrs),
  forward: ({ x }, attrs) => reference(given(x), attrs),
  backward: ({ x }, dy, attrs) => ({ x: localResponseNormBackward(given(x), dy, attrs) }),
  // WGSL lets pow(a, b) be off as exp2(b · log2(a)), whose error grows with the result's exponent:
  // a few units in the sixth place.
  tolerance: () => ({ relative: 5e-6, absolute: 1e-6 }),
  cases: {
    'as AlexNet': shaped([2, 8, 3, 5], 5),
    'strong, as on large activations': shaped([2, 7, 4, 3], 5, { alpha: 2, k: 2 }),
    'an even window': shaped([1, 6, 2, 2], 4, { alpha: 0.5 }),
    'a window of one': shaped([2, 3, 2, 2], 1, { alpha: 0.3 }),
    'a window wider than the channels': shaped([2, 3, 2, 3], 9, { alpha: 0.7, beta: 0.5 }),
    'one channel': shaped([1, 1, 4, 4], 5, { alpha: 1 }),
    'more planes than a grid is wide': shaped([21_846, 3, 1, 1], 3, { alpha: 1 }),
  },
  generated: fc
    .record({
      n: fc.integer({ min: 1, max: 3 }),
      c: fc.integer({ min: 1, max: 9 }),
      h: fc.integer({ min: 1, max: 5 }),
      w: fc.integer({ min: 1, max: 5 }),
      size: fc.integer({ min: 1, max: 7 }),
      alpha: fc.constantFrom(1e-4, 0.1, 1),
    })
    .map(({ n, c, h, w, size, alpha }) => shaped([n, c, h, w], size, { alpha })),
  oracle: {
    op: 'lrn',
    attrs: ({ size = 5, alpha = 1e-4, beta = 0.75, k = 1 }) => ({ size, alpha, beta, k }),
    gradients: { x: 'dx' },
  },
})

test('what it refuses', async () => {
  const engine = await testEngine()
  const x = engine.tensor(new Float32Array(16), [1, 4, 4])
  const flat = engine.tensor(new Float32Array(16), [4, 4])
  expect(() => localResponseNorm(flat, { size: 5 })).toThrow(ShapeError)
  expect(() => localResponseNorm(flat, { size: 5 })).toThrow(/at least 3 dimensions, not \[4, 4\]/)
  expect(() => localResponseNorm(x, { size: 0 })).toThrow(/size is a positive integer/)
  expect(() => localResponseNorm(x, { size: 3, beta: Number.NaN })).toThrow(/beta is a number/)
  for (const tensor of [x, flat]) tensor.dispose()
})
