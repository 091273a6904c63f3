import fc from 'fast-check'
import { expect, test } from 'vitest'
import { adaptiveAvgPool2d } from '../../src/autograd/functions.ts'
import { ShapeError } from '../../src/base/errors.ts'
import {
  adaptiveAvgPool2dBackward,
  adaptiveAvgPool2d as reference,
} from '../../src/reference/adaptiveAvgPool2d.ts'
import { sumTolerance } from '../support/compare.ts'
import { testEngine } from '../support/engine.ts'
import { given, type OpCase, testOp } from '../support/testOp.ts'

type Size = readonly [number, number]
const shaped = (x: number[], size: Size): OpCase<'x', Size> => ({ shapes: { x }, attrs: size })
const extent = (max: number) => fc.integer({ min: 1, max })

testOp<'x', Size>('adaptiveAvgPool2d', {
  inputs: ['x'],
  run: ({ x }, size) => adaptiveAvgPool2d(x, size),
  forward: ({ x }, size) => reference(given(x), [...size]),
  backward: ({ x }, dy, size) => ({ x: adaptiveAvgPool2dBackward(given(x), dy, [...size]) }),
  // No window holds more than a plane, and no element lies in more windows than there are.
  tolerance: ({ x }, [oh, ow]) => {
    const [, , h = 1, w = 1] = given(x).shape
    return { relative: sumTolerance(Math.max(h * w, oh * ow)), absolute: 1e-6 }
  },
  cases: {
    'the same size': shaped([2, 3, 6, 6], [6, 6]),
    'windows that overlap': shaped([2, 3, 13, 11], [6, 4]),
    'more outputs than inputs': shaped([1, 2, 3, 4], [6, 7]),
    'one output': shaped([3, 2, 7, 9], [1, 1]),
    'one pixel': shaped([1, 1, 1, 1], [3, 2]),
    'more planes than a grid is wide': shaped([65_538, 1, 2, 1], [1, 1]),
  },
  generated: fc
    .tuple(extent(3), extent(3), extent(13), extent(13), extent(9), extent(9))
    .map(([n, c, h, w, oh, ow]) => shaped([n, c, h, w], [oh, ow])),
  oracle: {
    op: 'adaptiveavgpool2d',
    attrs: ({ output = 1 }) => [output, output],
    gradients: { x: 'dx' },
  },
})

test('what it refuses', async () => {
  const engine = await testEngine()
  const x = engine.tensor(new Float32Array(16), [1, 1, 4, 4])
  const flat = engine.tensor(new Float32Array(16), [4, 4])
  expect(() => adaptiveAvgPool2d(flat, 2)).toThrow(ShapeError)
  expect(() => adaptiveAvgPool2d(flat, 2)).toThrow(/x is \[N, C, H, W\], not \[4, 4\]/)
  expect(() => adaptiveAvgPool2d(x, [2, 0])).toThrow(/size is a positive integer, not 2,0/)
  for (const tensor of [x, flat]) tensor.dispose()
})
