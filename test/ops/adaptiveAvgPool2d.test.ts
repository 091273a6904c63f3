import { expect, test } from 'vitest'
import { adaptiveAvgPool2d } from '../../src/autograd/functions.ts'
import { ShapeError } from '../../src/base/errors.ts'
import { testEngine } from '../support/engine.ts'

test('what it refuses', async () => {
  const engine = await testEngine()
  const x = engine.tensor(new Float32Array(16), [1, 1, 4, 4])
  const flat = engine.tensor(new Float32Array(16), [4, 4])
  expect(() => adaptiveAvgPool2d(flat, 2)).toThrow(ShapeError)
  expect(() => adaptiveAvgPool2d(flat, 2)).toThrow(/x is \[N, C, H, W\], not \[4, 4\]/)
  expect(() => adaptiveAvgPool2d(x, [2, 0])).toThrow(/size is a positive integer, not 2,0/)
  for (const tensor of [x, flat]) tensor.dispose()
})
