import { expect, test } from 'vitest'
import { softmax } from '../../src/autograd/functions.ts'
import { ShapeError } from '../../src/base/errors.ts'
import { testEngine } from '../support/engine.ts'

test('a scalar has no last dimension', async () => {
  const engine = await testEngine()
  const x = engine.tensor(Float32Array.of(1), [])
  expect(() => softmax(x)).toThrow(ShapeError)
  expect(() => softmax(x)).toThrow(/softmax: x has at least one dimension, not \[\]/)
  x.dispose()
})
