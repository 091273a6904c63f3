import { describe, expect, test } from 'vitest'
import { conv2d } from '../../src/reference/conv2d.ts'
import { crossEntropy } from '../../src/reference/crossEntropy.ts'
import { maxPool2d, maxPool2dBackward } from '../../src/reference/maxPool2d.ts'
import { ndArray } from '../../src/reference/ndarray.ts'
import { gaussian } from '../../src/reference/random.ts'
import { relu, reluBackward } from '../../src/reference/relu.ts'
import { softmax } from '../../src/reference/softmax.ts'

describe('corners', () => {
  test('relu: no gradient at zero, NaN passes through', () => {
    const x = ndArray([-1, 0, 2, Number.NaN], [4])
    expect([...relu(x).data]).toEqual([0, 0, 2, Number.NaN])
    expect([...reluBackward(ndArray([-1, 0, 2], [3]), ndArray([5, 6, 7], [3])).data]).toEqual([
      0, 0, 7,
    ])
  })

  test('max-pool: the first of equal maxima takes the gradient, padding never does', () => {
    const x = ndArray([-3, -3, -3, -3], [1, 1, 2, 2])
    const options = { kernel: [2, 2], stride: [2, 2], padding: [0, 0] } as const
    expect([...maxPool2dBackward(x, ndArray([1], [1, 1, 1, 1]), options).data]).toEqual([
      1, 0, 0, 0,
    ])
    expect([...maxPool2d(x, { ...options, padding: [1, 1] }).data]).toEqual([-3, -3, -3, -3])
  })

  test('softmax: rows add up to one, large values do not overflow', () => {
    const y = softmax(ndArray([1e4, 0, -1e4, 1000, 1000, 1000], [2, 3]))
    expect([...y.data]).toEqual([
      1,
      0,
      0,
      expect.closeTo(1 / 3, 14),
      expect.closeTo(1 / 3, 14),
      expect.closeTo(1 / 3, 14),
    ])
  })

  test('conv2d: a weight that does not fit is an error', () => {
    const attrs = { stride: [1, 1], padding: [0, 0], groups: 1 } as const
    expect(() => conv2d(gaussian([1, 3, 4, 4], 1), gaussian([2, 2, 3, 3], 2), null, attrs)).toThrow(
      RangeError,
    )
  })

  test('crossEntropy: a target outside the classes is an error', () => {
    expect(() => crossEntropy(gaussian([1, 3], 1), Int32Array.of(3))).toThrow(RangeError)
  })
})
