import { describe, expect, test } from 'vitest'
import { conv2d } from '../../src/autograd/functions.ts'
import { ShapeError } from '../../src/base/errors.ts'
import { testEngine } from '../support/engine.ts'

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
