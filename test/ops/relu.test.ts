import fc from 'fast-check'
import { expect, test } from 'vitest'
import { relu } from '../../src/autograd/functions.ts'
import { relu as reference, reluBackward } from '../../src/reference/relu.ts'
import { exact } from '../support/compare.ts'
import { testEngine } from '../support/engine.ts'
import { given, testOp } from '../support/testOp.ts'

testOp<'x', object>('relu', {
  inputs: ['x'],
  run: ({ x }) => relu(x),
  forward: ({ x }) => reference(given(x)),
  backward: ({ x }, dy) => ({ x: reluBackward(given(x), dy) }),
  tolerance: () => exact,
  cases: {
    signs: { shapes: { x: [5] }, attrs: {}, values: { x: [-1, 0, 2, -0, 2e-38] } },
    'infinities pass': {
      shapes: { x: [2] },
      attrs: {},
      values: { x: [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY] },
    },
    'partial workgroup': { shapes: { x: [257] }, attrs: {} },
    'four dimensions': { shapes: { x: [2, 3, 5, 7] }, attrs: {} },
  },
  generated: fc
    .array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 4 })
    .map((x) => ({ shapes: { x }, attrs: {} })),
  oracle: { op: 'relu', attrs: () => ({}), gradients: { x: 'dx' } },
})

test('NaN stays NaN, so that a diverging network is seen', async () => {
  const engine = await testEngine()
  const x = engine.tensor(Float32Array.of(Number.NaN, 1), [2])
  const y = relu(x)
  expect([...(await y.data())]).toEqual([Number.NaN, 1])
  for (const tensor of [x, y]) tensor.dispose()
})

test('millions of elements', async () => {
  const engine = await testEngine()
  const n = 65_535 * 64 + 1
  const x = engine.tensor(
    Float32Array.from({ length: n }, (_, i) => (i % 2 ? i : -i)),
    [n],
  )
  const y = relu(x)
  const data = await y.data()
  let wrong = 0
  for (let i = 0; i < n; i++) if (data[i] !== (i % 2 ? Math.fround(i) : 0)) wrong++
  expect(wrong).toBe(0)
  for (const tensor of [x, y]) tensor.dispose()
})
