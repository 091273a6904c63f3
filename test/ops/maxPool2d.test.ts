import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { maxPool2d } from '../../src/autograd/functions.ts'
import { ShapeError } from '../../src/base/errors.ts'
import { maxPool2dBackward, maxPool2d as reference } from '../../src/reference/maxPool2d.ts'
import { sameBits } from '../support/bits.ts'
import { testEngine } from '../support/engine.ts'
import { given, type OpCase, testOp } from '../support/testOp.ts'

interface Attrs {
  readonly kernel: number
  readonly stride: number
  readonly padding: number
  readonly ceilMode: boolean
}

const shaped = (
  x: number[],
  kernel: number,
  stride = kernel,
  padding = 0,
  ceilMode = false,
): OpCase<'x', Attrs> => ({
  shapes: { x },
  attrs: { kernel, stride, padding, ceilMode },
})

testOp<'x', Attrs>('maxPool2d', {
  inputs: ['x'],
  run: ({ x }, attrs) => maxPool2d(x, attrs),
  forward: ({ x }, attrs) => reference(given(x), attrs),
  backward: ({ x }, dy, attrs) => ({ x: maxPool2dBackward(given(x), dy, attrs) }),
  // Values are chosen, not computed; a gradient adds up to kernel² of them.
  tolerance: () => ({ relative: 1e-6 }),
  cases: {
    'as AlexNet': shaped([2, 3, 15, 13], 3, 2),
    'ties: the first wins': {
      ...shaped([1, 1, 4, 4], 2),
      values: { x: new Float32Array(16).fill(1) },
    },
    'all negative, padded': { ...shaped([1, 1, 2, 2], 2, 1, 1), values: { x: [-3, -1, -2, -4] } },
    'a window as large as the image': shaped([2, 2, 3, 3], 3),
    'windows apart': shaped([1, 2, 11, 11], 2, 3),
    'a last window past the edge, as in Caffe': shaped([2, 3, 54, 8], 3, 2, 0, true),
    'padding holds no last window': shaped([1, 2, 6, 7], 2, 4, 1, true),
    'one pixel': shaped([1, 1, 1, 1], 1),
    'many planes': shaped([70, 3, 3, 3], 2, 1),
    'more planes than a grid is wide': shaped([65_538, 1, 2, 1], 1),
  },
  generated: fc
    .record({
      n: fc.integer({ min: 1, max: 3 }),
      c: fc.integer({ min: 1, max: 4 }),
      h: fc.integer({ min: 1, max: 12 }),
      w: fc.integer({ min: 1, max: 12 }),
      kernel: fc.integer({ min: 1, max: 4 }),
      stride: fc.integer({ min: 1, max: 4 }),
      padding: fc.integer({ min: 0, max: 2 }),
      ceilMode: fc.boolean(),
    })
    .filter(
      ({ h, w, kernel, padding }) =>
        2 * padding <= kernel && h + 2 * padding >= kernel && w + 2 * padding >= kernel,
    )
    .map(({ n, c, h, w, kernel, stride, padding, ceilMode }) =>
      shaped([n, c, h, w], kernel, stride, padding, ceilMode),
    ),
  oracle: {
    op: 'maxpool2d',
    attrs: ({ kernel = 1, stride = 1, padding = 0 }) => ({
      kernel,
      stride,
      padding,
      ceilMode: false,
    }),
    gradients: { x: 'dx' },
  },
})

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
