import { expect, test } from 'vitest'
import { add, avgPool2d, clamp, concat } from '../../src/autograd/functions.ts'
import { ShapeError } from '../../src/base/errors.ts'
import { testEngine } from '../support/engine.ts'

const engine = await testEngine()
const counting = (shape: readonly number[], from = 0, requiresGrad = false) =>
  engine.tensor(
    Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => from + i),
    shape,
    { requiresGrad },
  )

test('a sum of two leaves gives each a gradient of its own', async () => {
  const [a, b] = [counting([4], 0, true), counting([4], 1, true)]
  const [y, dy] = [add(a, b), counting([4], 5)]
  y.backward(dy)
  expect(await a.grad?.data()).toEqual(await dy.data())
  expect(a.grad?.buffer.storage).not.toBe(b.grad?.buffer.storage)
  for (const tensor of [a, b, y, dy]) tensor.dispose()
})

test('a tensor that is added to itself gets both gradients', async () => {
  const [x, dy] = [counting([5], 0, true), counting([5], 1)]
  const y = add(x, x)
  y.backward(dy)
  expect([...((await x.grad?.data()) ?? [])]).toEqual([2, 4, 6, 8, 10])
  for (const tensor of [x, y, dy]) tensor.dispose()
})

test('seven tensors are joined in their order, and each gets its part of the gradient', async () => {
  const parts = Array.from({ length: 7 }, (_, i) => counting([2, 1, 3], 10 * i, true))
  const y = concat(parts)
  expect(y.shape).toEqual([2, 7, 3])
  const image = (n: number) =>
    parts.flatMap((_, i) => [0, 1, 2].map((pixel) => 10 * i + 3 * n + pixel))
  expect([...(await y.data())]).toEqual([...image(0), ...image(1)])
  const dy = counting(y.shape)
  y.backward(dy)
  expect([...((await parts[6]?.grad?.data()) ?? [])]).toEqual([18, 19, 20, 39, 40, 41])
  for (const tensor of [...parts, y, dy]) tensor.dispose()
})

test('what they refuse', () => {
  const [a, b] = [counting([2, 3, 4]), counting([2, 3, 5])]
  expect(() => add(a, b)).toThrow(ShapeError)
  expect(() => add(a, b)).toThrow('a and b have one shape, not [2, 3, 4] and [2, 3, 5]')
  expect(() => concat([a, b])).toThrow(
    /differ in their channels only, .* \[2, 3, 4\] and \[2, 3, 5\]/,
  )
  expect(() => concat([])).toThrow(/the first of its tensors is left out/)
  expect(() => clamp(a, 1, 0)).toThrow(/low is at most high, and these are 1 and 0/)
  expect(() => clamp(a, Number.NaN, 0)).toThrow(ShapeError)
  const image = counting([1, 1, 4, 4])
  expect(() => avgPool2d(image, { kernel: 2, padding: 2 })).toThrow(/between 0 and half the kernel/)
  expect(() => avgPool2d(image, { kernel: 5 })).toThrow(/does not fit into x \[1, 1, 4, 4\]/)
  for (const tensor of [a, b, image]) tensor.dispose()
})
