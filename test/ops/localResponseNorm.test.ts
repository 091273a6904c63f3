import { expect, test } from 'vitest'
import { localResponseNorm } from '../../src/autograd/functions.ts'
import { ShapeError } from '../../src/base/errors.ts'
import { testEngine } from '../support/engine.ts'

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
