import { describe, expect, test } from 'vitest'
import { maxPool2d } from '../../src/autograd/functions.ts'
import { ShapeError } from '../../src/base/errors.ts'
import { sameBits } from '../support/bits.ts'
import { testEngine } from '../support/engine.ts'

test('NaN wins over numbers, as in PyTorch', async () => {
  const engine = await testEngine()
  const x = engine.tensor(Float32Array.of(1, Number.NaN, 5, 2), [1, 1, 2, 2])
  const y = maxPool2d(x, { kernel: 2 })
  expect([...(await y.data())]).toEqual([Number.NaN])
  for (const tensor of [x, y]) tensor.dispose()
})

test('one plane of more workgroups than a grid is wide', async () => {
  const engine = await testEngine()
  const n = 65_535 * 64 + 65
  const values = Float32Array.from({ length: n }, (_, i) => i % 1000)
  const x = engine.tensor(values, [1, 1, n, 1], { requiresGrad: true })
  const y = maxPool2d(x, { kernel: 1 })
  const dy = engine.tensor(values, [1, 1, n, 1])
  expect(sameBits(await y.data(), values)).toBe(true)
  y.backward(dy)
  expect(sameBits(await x.grad?.data(), values)).toBe(true)
  for (const tensor of [x, y, dy]) tensor.dispose()
})

describe('what maxPool2d refuses', () => {
  test.each<[number[], object, RegExp]>([
    [[3, 4, 4], { kernel: 2 }, /x is \[N, C, H, W\]/],
    [[1, 1, 4, 4], { kernel: 0 }, /kernel is a positive integer/],
    [[1, 1, 4, 4], { kernel: 2, stride: 0.5 }, /stride is a positive integer/],
    [[1, 1, 4, 4], { kernel: 2, padding: 2 }, /between 0 and half the kernel/],
    [[1, 1, 4, 4], { kernel: 5 }, /does not fit into x \[1, 1, 4, 4\]/],
    [[1, 1, 4, 4], { kernel: 2, dilation: 2 }, /no option dilation/],
  ])('x %j, %j', async (shape, options, message) => {
    const engine = await testEngine()
    const x = engine.tensor(new Float32Array(shape.reduce((a, b) => a * b, 1)), shape)
    expect(() => maxPool2d(x, options as { kernel: number })).toThrow(ShapeError)
    expect(() => maxPool2d(x, options as { kernel: number })).toThrow(message)
    x.dispose()
  })
})
