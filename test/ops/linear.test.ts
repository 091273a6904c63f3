import { describe, expect, test } from 'vitest'
import { linear } from '../../src/autograd/functions.ts'
import { ShapeError } from '../../src/base/errors.ts'
import { testEngine } from '../support/engine.ts'

describe('what linear refuses', () => {
  test.each<[number[], number[], number[] | null, RegExp]>([
    [[2, 3, 4], [5, 4], null, /x is \[N, in\], not \[2, 3, 4\]/],
    [[2, 4], [5, 4, 1], null, /weight is \[out, in\]/],
    [[2, 3], [5, 4], null, /x \[2, 3\] has 3 features, but weight \[5, 4\] takes 4/],
    [[2, 4], [5, 4], [4], /bias is \[5\], not \[4\]/],
  ])('x %j, weight %j, bias %j', async (x, weight, bias, message) => {
    const engine = await testEngine()
    const make = (shape: number[]) =>
      engine.tensor(new Float32Array(shape.reduce((a, b) => a * b, 1)), shape)
    const [a, b, c] = [make(x), make(weight), bias ? make(bias) : null]
    expect(() => linear(a, b, c)).toThrow(ShapeError)
    expect(() => linear(a, b, c)).toThrow(message)
    for (const tensor of [a, b, c]) tensor?.dispose()
  })
})
