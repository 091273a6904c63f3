import { expect, test } from 'vitest'
import { relu } from '../../src/autograd/functions.ts'
import { testEngine } from '../support/engine.ts'

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
