import { expect, test } from 'vitest'
import { markNonFinite } from '../../src/optim/health.ts'
import { testEngine } from '../support/engine.ts'

const engine = await testEngine()

async function marked(values: readonly number[], before = 0): Promise<number | undefined> {
  const loss = engine.tensor(Float32Array.from(values), [values.length])
  const health = engine.tensor(Float32Array.of(before), [1])
  markNonFinite(engine.gpu, loss.buffer, health.buffer)
  const [after] = await health.data()
  loss.dispose()
  health.dispose()
  return after
}

const last = (value: number) => [...new Array<number>(256).fill(1), value]

test.each([
  { name: 'NaN', values: [Number.NaN], after: 1 },
  { name: 'infinity', values: [Number.POSITIVE_INFINITY], after: 1 },
  { name: 'negative infinity, the last of many', values: last(Number.NEGATIVE_INFINITY), after: 1 },
  { name: 'all of many', values: new Array<number>(300).fill(Number.NaN), after: 1 },
  { name: 'the largest float', values: [3.4028234663852886e38], after: 0 },
  { name: 'zeros and the smallest subnormal', values: [0, -0, 1e-45], after: 0 },
  { name: 'finite ones', values: last(-2), after: 0 },
])('$name', async ({ values, after }) => {
  expect(await marked(values)).toBe(after)
})

test('a mark stays', async () => {
  expect(await marked([1], 1)).toBe(1)
  expect(await marked([Number.NaN], 1)).toBe(1)
})
