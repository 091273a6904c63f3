import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { conv2d } from '../../src/autograd/functions.ts'
import { ShapeError } from '../../src/base/errors.ts'
import { conv2dBackward, conv2d as reference } from '../../src/reference/conv2d.ts'
import { sumTolerance } from '../support/compare.ts'
import { testEngine } from '../support/engine.ts'
import { given, type OpCase, testOp } from '../support/testOp.ts'

interface Attrs {
  readonly stride: number
  readonly padding: number
  readonly groups: number
}

type Case = OpCase<'x' | 'weight' | 'bias', Attrs>

/** x [n, c, h, w] by o filters of kh x kw. */
function shaped(
  [n, c, h, w]: readonly number[],
  [o, kh, kw]: readonly number[],
  attrs: Partial<Attrs> = {},
  bias = true,
): Case {
  const { stride = 1, padding = 0, groups = 1 } = attrs
  return {
    shapes: {
      x: [n ?? 1, c ?? 1, h ?? 1, w ?? 1],
      weight: [o ?? 1, (c ?? 1) / groups, kh ?? 1, kw ?? 1],
      bias: bias ? [o ?? 1] : null,
    },
    attrs: { stride, padding, groups },
  }
}

testOp<'x' | 'weight' | 'bias', Attrs>('conv2d', {
  inputs: ['x', 'weight', 'bias'],
  kernels: ['auto', 'plain'],
  run: ({ x, weight, bias }, attrs, { bias: hasBias }) =>
    conv2d(x, weight, hasBias ? bias : null, attrs),
  forward: ({ x, weight, bias }, attrs) => reference(given(x), given(weight), bias, attrs),
  backward: ({ x, weight }, dy, attrs) => {
    const { dx, dweight, dbias } = conv2dBackward(given(x), given(weight), dy, attrs)
    return { x: dx, weight: dweight, bias: dbias }
  },
  // The longest of the three sums: a filter, the images' pixels, or the filters that see one input
  // pixel.
  tolerance: ({ x, weight }, { groups }) => {
    const [n = 1, , h = 1, w = 1] = given(x).shape
    const [o = 1, ...filter] = given(weight).shape
    const terms = Math.max(
      filter.reduce((a, b) => a * b, 1),
      n * h * w,
      (o / groups) * (filter[1] ?? 1) * (filter[2] ?? 1),
    )
    // A sum that cancels leaves the rounding of its terms, whose size is about 1 each: sqrt(terms)
    // of them together.
    return { relative: sumTolerance(terms), absolute: sumTolerance(terms) * Math.sqrt(terms) }
  },
  cases: {
    'two groups, stride 2': shaped([3, 4, 9, 8], [6, 3, 3], { stride: 2, padding: 1, groups: 2 }),
    'without bias': shaped([2, 3, 6, 6], [4, 3, 3], { padding: 1 }, false),
    'one pixel': shaped([1, 1, 1, 1], [1, 1, 1]),
    'filter as large as the image': shaped([2, 3, 5, 7], [4, 5, 7]),
    'stride 3, filter 2: pixels between the filters': shaped([2, 2, 10, 11], [3, 2, 2], {
      stride: 3,
    }),
    'stride 4, filter 11, as conv1': shaped([1, 3, 43, 47], [9, 11, 11], { stride: 4, padding: 2 }),
    'padding beyond the filter': shaped([1, 2, 3, 4], [3, 2, 2], { padding: 3 }),
    'padding beyond the filter, stride 2': shaped([2, 2, 4, 3], [3, 2, 3], {
      padding: 4,
      stride: 2,
    }),
    depthwise: shaped([2, 5, 6, 7], [10, 3, 3], { padding: 1, groups: 5 }),
    'rows below every tile': shaped([1, 3, 6, 6], [1, 3, 3]),
    'rows of 8 and a rest': shaped([1, 2, 5, 5], [9, 1, 1]),
    'rows of 16': shaped([1, 2, 5, 5], [16, 3, 3]),
    'rows of 32 and a rest': shaped([2, 2, 7, 7], [33, 3, 3], { padding: 1 }),
    'rows of 64 and a rest': shaped([1, 2, 9, 4], [70, 2, 2]),
    'rows of 128, two panels': shaped([1, 65, 3, 3], [128, 2, 2]),
    'a weight gradient split over images': shaped([17, 2, 6, 6], [3, 3, 3], { padding: 1 }),
    'columns one more than a tile': shaped([1, 1, 1, 33], [2, 1, 1]),
  },
  generated: fc
    .record({
      n: fc.integer({ min: 1, max: 3 }),
      cg: fc.integer({ min: 1, max: 3 }),
      og: fc.integer({ min: 1, max: 5 }),
      groups: fc.integer({ min: 1, max: 3 }),
      h: fc.integer({ min: 1, max: 9 }),
      w: fc.integer({ min: 1, max: 9 }),
      kh: fc.integer({ min: 1, max: 4 }),
      kw: fc.integer({ min: 1, max: 4 }),
      stride: fc.integer({ min: 1, max: 4 }),
      padding: fc.integer({ min: 0, max: 4 }),
      bias: fc.boolean(),
    })
    .filter(({ h, w, kh, kw, padding }) => h + 2 * padding >= kh && w + 2 * padding >= kw)
    .map(({ n, cg, og, groups, h, w, kh, kw, stride, padding, bias }) =>
      shaped([n, cg * groups, h, w], [og * groups, kh, kw], { stride, padding, groups }, bias),
    ),
  oracle: {
    op: 'conv2d',
    attrs: ({ stride = 1, padding = 0, groups = 1 }) => ({ stride, padding, groups }),
    gradients: { x: 'dx', weight: 'dweight', bias: 'dbias' },
  },
})

describe('what conv2d refuses', () => {
  test.each<[number[], number[], number[] | null, object, RegExp]>([
    [[3, 4, 4], [2, 3, 3, 3], null, {}, /x is \[N, C, H, W\], not \[3, 4, 4\]/],
    [[1, 3, 4, 4], [2, 3, 3], null, {}, /weight is \[O, C \/ groups, KH, KW\]/],
    [[1, 3, 4, 4], [2, 4, 3, 3], null, {}, /3 channels, but weight \[2, 4, 3, 3\] takes 4/],
    [
      [1, 4, 4, 4],
      [3, 2, 3, 3],
      null,
      { groups: 2 },
      /3 output channels do not divide into 2 groups/,
    ],
    [[1, 3, 4, 4], [2, 3, 3, 3], [3], {}, /bias is \[2\], not \[3\]/],
    [[1, 3, 4, 4], [2, 3, 5, 5], null, {}, /5x5 filter does not fit/],
    [[1, 3, 4, 4], [2, 3, 3, 3], null, { stride: 0 }, /stride is a positive integer/],
    [[1, 3, 4, 4], [2, 3, 3, 3], null, { padding: -1 }, /padding is an integer of 0 or more/],
    [[1, 3, 4, 4], [2, 3, 3, 3], null, { padding: 'same' }, /padding is an integer/],
    [[1, 3, 4, 4], [2, 3, 3, 3], null, { groups: 1.5 }, /groups is a positive integer/],
    [[1, 3, 4, 4], [2, 3, 3, 3], null, { dilation: 2 }, /no option dilation/],
  ])('x %j, weight %j, bias %j, %j', async (x, weight, bias, options, message) => {
    const engine = await testEngine()
    const make = (shape: number[]) =>
      engine.tensor(new Float32Array(shape.reduce((a, b) => a * b, 1)), shape)
    const tensors = [make(x), make(weight), ...(bias ? [make(bias)] : [])]
    const before = engine.memory()
    const act = () =>
      conv2d(tensors[0] as never, tensors[1] as never, (tensors[2] ?? null) as never, options)
    expect(act).toThrow(ShapeError)
    expect(act).toThrow(message)
    expect(engine.memory()).toEqual(before)
    for (const tensor of tensors) tensor.dispose()
  })
})
