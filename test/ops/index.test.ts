import { describe, expect, test } from 'vitest'
import { adaptiveAvgPool2d } from '../../src/ops/adaptiveAvgPool2d.ts'
import { add } from '../../src/ops/add.ts'
import { batchNorm } from '../../src/ops/batchNorm.ts'
import { concat } from '../../src/ops/concat.ts'
import { conv2d } from '../../src/ops/conv2d.ts'
import { dropout } from '../../src/ops/dropout.ts'
import { hardswish } from '../../src/ops/hardswish.ts'
import { linear } from '../../src/ops/linear.ts'
import { localResponseNorm } from '../../src/ops/localResponseNorm.ts'
import { maxPool2d } from '../../src/ops/maxPool2d.ts'
import { relu } from '../../src/ops/relu.ts'
import { relu6 } from '../../src/ops/relu6.ts'
import { sigmoid } from '../../src/ops/sigmoid.ts'
import { silu } from '../../src/ops/silu.ts'
import { softmax } from '../../src/ops/softmax.ts'

describe('what an operator costs', () => {
  test('what joins two tensors reads both', () => {
    expect(add.cost({ a: [3, 5], b: [3, 5] }, {}).bytes).toBe(12 * 15)
    expect(concat.cost({ a: [3, 5], b: [3, 2], c: null, d: null }, {}).bytes).toBe(8 * 21)
  })

  test('batch normalization reads x once more in training, for its statistics', () => {
    const shapes = { x: [2, 3, 4], weight: [3], bias: [3], mean: [3], variance: [3] }
    const attrs = { momentum: 0.1, epsilon: 1e-5 }
    expect(batchNorm.cost(shapes, { ...attrs, training: false }).bytes).toBe(8 * 24)
    expect(batchNorm.cost(shapes, { ...attrs, training: true }).bytes).toBe(12 * 24)
  })

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
    for (const op of [relu, relu6, sigmoid, silu, hardswish, softmax])
      expect(op.cost({ x: [3, 5] }, {}).bytes).toBe(8 * 15)
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
