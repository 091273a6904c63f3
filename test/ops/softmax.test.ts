import fc from 'fast-check'
import { expect, test } from 'vitest'
import { softmax } from '../../src/autograd/functions.ts'
import { ShapeError } from '../../src/base/errors.ts'
import { softmax as reference, softmaxBackward } from '../../src/reference/softmax.ts'
import { testEngine } from '../support/engine.ts'
import { given, testOp } from '../support/testOp.ts'

testOp<'x', object>('softmax', {
  inputs: ['x'],
  run: ({ x }) => softmax(x),
  forward: ({ x }) => reference(given(x)),
  backward: ({ x }, dy) => ({ x: softmaxBackward(given(x), dy) }),
  // exp and a division, a few units in the last place each; the gradient subtracts numbers of the
  // size of dy.
  tolerance: () => ({ relative: 2e-6, absolute: 5e-7 }),
  cases: {
    rows: { shapes: { x: [5, 7] }, attrs: {} },
    'one class': { shapes: { x: [3, 1] }, attrs: {} },
    'one dimension': { shapes: { x: [9] }, attrs: {} },
    'three dimensions': { shapes: { x: [2, 3, 4] }, attrs: {} },
    'large logits do not overflow': {
      shapes: { x: [2, 3] },
      attrs: {},
      values: { x: [1e4, 1e4 - 1, -1e4, 3e38, 3e38, -3e38] },
    },
    'a thousand classes': { shapes: { x: [3, 1000] }, attrs: {} },
    'more rows than a workgroup': { shapes: { x: [130, 3] }, attrs: {} },
  },
  generated: fc
    .tuple(fc.integer({ min: 1, max: 70 }), fc.integer({ min: 1, max: 20 }))
    .map((x) => ({ shapes: { x }, attrs: {} })),
  oracle: { op: 'softmax', attrs: () => ({}), gradients: { x: 'dx' } },
})

test('a scalar has no last dimension', async () => {
  const engine = await testEngine()
  const x = engine.tensor(Float32Array.of(1), [])
  expect(() => softmax(x)).toThrow(ShapeError)
  expect(() => softmax(x)).toThrow(/softmax: x has at least one dimension, not \[\]/)
  x.dispose()
})
