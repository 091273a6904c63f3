import { describe, expect, test } from 'vitest'
import { adaptiveAvgPool2d } from '../../src/ops/adaptiveAvgPool2d.ts'
import { conv2d } from '../../src/ops/conv2d.ts'
import { dropout } from '../../src/ops/dropout.ts'
import { linear } from '../../src/ops/linear.ts'
import { localResponseNorm } from '../../src/ops/localResponseNorm.ts'
import { maxPool2d } from '../../src/ops/maxPool2d.ts'
import { relu } from '../../src/ops/relu.ts'
import { softmax } from '../../src/ops/softmax.ts'

describe('what an operator costs', () => {
  // AlexNet's second convolution as Krizhevsky et al. have it: 27 · 27 · 256 outputs of 5 · 5 · 48
  // multiply-adds.
  test('a convolution counts two for each multiply-add, and moves its operands once', () => {
    const shapes = { x: [1, 96, 27, 27], weight: [256, 48, 5, 5], bias: [256] }
    expect(conv2d.cost(shapes, { stride: [1, 1], padding: [2, 2], groups: 2 })).toEqual({
      flops: 2 * 27 * 27 * 256 * 5 * 5 * 48,
      bytes: 4 * (96 * 27 * 27 + 256 * 48 * 5 * 5 + 256 * 27 * 27),
    })
  })

  test('a product likewise', () => {
    expect(linear.cost({ x: [8, 9216], weight: [4096, 9216], bias: null }, {})).toEqual({
      flops: 2 * 8 * 9216 * 4096,
      bytes: 4 * (8 * 9216 + 4096 * 9216 + 8 * 4096),
    })
  })

  test('what touches each element once reads it and writes it', () => {
    for (const op of [relu, softmax]) expect(op.cost({ x: [3, 5] }, {}).bytes).toBe(8 * 15)
    expect(dropout.cost({ x: [3, 5] }, { p: 0.5, seed: 0 }).bytes).toBe(8 * 15)
    expect(
      localResponseNorm.cost({ x: [1, 3, 5] }, { size: 5, alpha: 1, beta: 1, k: 1 }).bytes,
    ).toBe(8 * 15)
  })

  test('a pool reads its input and writes its smaller output', () => {
    const pool = { kernel: [3, 3], stride: [2, 2], padding: [0, 0] } as const
    expect(maxPool2d.cost({ x: [1, 2, 7, 7] }, pool)).toEqual({
      flops: 2 * 9 * 9,
      bytes: 4 * (2 * 49 + 2 * 9),
    })
    expect(adaptiveAvgPool2d.cost({ x: [1, 2, 6, 6] }, { size: [3, 3] })).toEqual({
      flops: 72,
      bytes: 4 * (72 + 18),
    })
  })
})
