import { describe, expect, test } from 'vitest'
import {
  adaptiveAvgPool2d,
  add,
  avgPool2d,
  batchNorm,
  clamp,
  conv2d,
  crossEntropy,
  dropout,
  hardswish,
  linear,
  localResponseNorm,
  maxPool2d,
  relu,
  relu6,
  sigmoid,
  silu,
  softmax,
} from '../../src/autograd/functions.ts'
import { stripKernel } from '../../src/gpu/kernels/kernel.ts'
import { maxPool2dIndices } from '../../src/reference/maxPool2d.ts'
import { ndArray } from '../../src/reference/ndarray.ts'
import { uniform } from '../../src/reference/random.ts'
import type { Tensor } from '../../src/tensor/tensor.ts'
import { sameBits } from '../support/bits.ts'
import { testEngine } from '../support/engine.ts'

const engine = await testEngine()
const { NaN: nan, POSITIVE_INFINITY: infinity, NEGATIVE_INFINITY: minus } = Number

/** The result, and the gradient for dy = 1, 2, 3, … */
async function both(x: Tensor, y: Tensor): Promise<[number[], number[]]> {
  const dy = engine.tensor(
    Float32Array.from({ length: y.size }, (_, i) => i + 1),
    y.shape,
  )
  const values = [...(await y.data())]
  y.backward(dy)
  const gradient = [...((await x.grad?.data()) ?? [])]
  for (const tensor of [x, y, dy]) tensor.dispose()
  return [values, gradient]
}

const leaf = (values: readonly number[], shape: number[]) =>
  engine.tensor(Float32Array.from(values), shape, { requiresGrad: true })

describe('max-pooling', () => {
  test.each<[string, number[], number[], number[]]>([
    ['NaN, the last of several, as PyTorch', [1, nan, 5, nan], [nan], [0, 0, 0, 1]],
    ['infinity, the first of two', [infinity, 3, infinity, minus], [infinity], [1, 0, 0, 0]],
    [
      'minus infinity where there is nothing else',
      [minus, minus, minus, minus],
      [minus],
      [1, 0, 0, 0],
    ],
    ['a number over minus infinity', [minus, minus, -5, minus], [-5], [0, 0, 1, 0]],
  ])('takes %s', async (_, values, y, dx) => {
    const x = leaf(values, [1, 1, 2, 2])
    expect(await both(x, maxPool2d(x, { kernel: 2 }))).toEqual([y, dx])
  })

  test('takes the first of equals wherever they stand, in windows that overlap and hang over', async () => {
    const shape = [3, 2, 9, 7]
    const next = uniform(9)
    const values = Array.from({ length: 3 * 2 * 9 * 7 }, () => Math.floor(next() * 3))
    const options = { kernel: [3, 3], stride: [2, 2], padding: [1, 1] } as const
    const x = leaf(values, shape)
    const [, gradient] = await both(x, maxPool2d(x, options))
    const wanted = new Array<number>(values.length).fill(0)
    for (const [o, index] of maxPool2dIndices(ndArray(values, shape), options).indices.entries())
      wanted[index] = (wanted[index] ?? 0) + o + 1
    expect(gradient).toEqual(wanted)
  })
})

describe('NaN reaches the result, so that a diverging network is seen', () => {
  const ones = (shape: number[]) =>
    engine.tensor(new Float32Array(shape.reduce((a, b) => a * b, 1)).fill(1), shape)
  const weight = ones([2, 3])
  const filter = ones([2, 3, 1, 1])
  const single = ones([3, 1, 1, 1])
  const statistics = { weight: ones([1]), bias: ones([1]), mean: ones([1]), variance: ones([1]) }

  test.each<[string, number[], (x: Tensor) => Tensor]>([
    ['linear', [1, 3], (x) => linear(x, weight, null)],
    ['conv2d', [1, 3, 1, 1], (x) => conv2d(x, filter, null)],
    ['softmax', [1, 3], softmax],
    ['adaptiveAvgPool2d', [1, 1, 1, 3], (x) => adaptiveAvgPool2d(x, 1)],
    ['avgPool2d', [1, 1, 1, 3], (x) => avgPool2d(x, { kernel: [1, 3] })],
    ['conv2d, depthwise', [1, 3, 1, 1], (x) => conv2d(x, single, null, { groups: 3 })],
    ['batchNorm', [3, 1], (x) => batchNorm(x, statistics)],
    ['batchNorm, a ReLU', [3, 1], (x) => batchNorm(x, statistics, { relu: true })],
    ['add, a ReLU', [1, 3], (x) => add(x, x, { relu: true })],
    ['relu6', [1, 3], relu6],
    ['clamp', [1, 3], (x) => clamp(x, 0, 5)],
    ['sigmoid', [1, 3], sigmoid],
    ['silu', [1, 3], silu],
    ['hardswish', [1, 3], hardswish],
    // The last, since it leaves NaN in the statistics.
    ['batchNorm, in training', [3, 1], (x) => batchNorm(x, statistics, { training: true })],
    ['localResponseNorm', [1, 3, 1], (x) => localResponseNorm(x, { size: 5 })],
    ['crossEntropy', [1, 3], (x) => crossEntropy(x, Int32Array.of(0))],
    [
      'crossEntropy, smoothed',
      [1, 3],
      (x) => crossEntropy(x, Int32Array.of(0), { labelSmoothing: 0.1 }),
    ],
  ])('%s', async (_, shape, run) => {
    for (const place of [0, 1, 2]) {
      const values = [1, 2, 3]
      values[place] = nan
      const x = engine.tensor(Float32Array.from(values), shape)
      const y = run(x)
      expect((await y.data()).some(Number.isNaN), `NaN at ${place}`).toBe(true)
      for (const tensor of [x, y]) tensor.dispose()
    }
  })
})

describe('a ReLU in the launch before it is the ReLU of its own launch to the last bit, gradients too', () => {
  const values = [nan, infinity, minus, -0, 0, -1e-45, 1e-45, 3, -3, 0.5, -2, 1]
  const cases: readonly [string, number[], number[], typeof linear | typeof conv2d][] = [
    ['linear, columns interleaved by four', [3, 4], [4, 4], linear],
    ['linear, tails', [12, 1], [3, 1], linear],
    ['conv2d, images interleaved by four', [4, 1, 1, 3], [2, 1, 1, 1], conv2d],
    ['conv2d, one image', [1, 2, 2, 3], [5, 2, 1, 1], conv2d],
  ]
  for (const kernels of ['auto', 'plain'] as const)
    test.each(cases)(`%s, ${kernels}`, async (_, shape, filter, operator) => {
      const own = await testEngine(kernels)
      const results: Float32Array[][] = []
      for (const together of [false, true]) {
        const size = filter.reduce((a, b) => a * b, 1)
        const tensors = [
          own.tensor(Float32Array.from(values), shape, { requiresGrad: true }),
          own.tensor(
            Float32Array.from({ length: size }, (_, i) => ((i % 3) + 1) / 2),
            filter,
            { requiresGrad: true },
          ),
          own.tensor(new Float32Array(filter[0] ?? 1).fill(-0), [filter[0] ?? 1], {
            requiresGrad: true,
          }),
        ] as const
        const y = together ? operator(...tensors, { relu: true }) : relu(operator(...tensors))
        const dy = own.tensor(new Float32Array(y.size).fill(1.5), y.shape)
        const before = await y.data()
        y.backward(dy)
        results.push([before, ...(await own.read(tensors.flatMap(({ grad }) => grad ?? [])))])
        for (const tensor of [...tensors, y, dy]) tensor.dispose()
      }
      const [[first = new Float32Array(0)] = []] = results
      expect([...first].some(Number.isNaN)).toBe(true)
      expect([...first].some((value) => value < 0)).toBe(false)
      for (const [i, one] of (results[0] ?? []).entries())
        expect(sameBits(one, results[1]?.[i])).toBe(true)
    })
})

test('a row whose classes are all ruled out has no finite loss', async () => {
  const x = leaf([minus, minus, 0, minus], [2, 2])
  const [losses] = await both(x, crossEntropy(x, Int32Array.of(0, 0), { reduction: 'none' }))
  expect(losses.map(Number.isFinite)).toEqual([false, true])
})

describe('a row of logits that holds NaN or infinity has neither a finite loss nor a finite gradient', () => {
  test.each([nan, infinity])('%d', async (value) => {
    for (const labelSmoothing of [0, 0.1])
      for (const place of [0, 1, 2]) {
        const values = [1, 2, 3, 1, 2, 3]
        values[place] = value
        const x = leaf(values, [2, 3])
        const [losses, gradient] = await both(
          x,
          crossEntropy(x, Int32Array.of(0, 0), { labelSmoothing, reduction: 'none' }),
        )
        expect(losses.map(Number.isFinite)).toEqual([false, true])
        expect(gradient.map(Number.isFinite)).toEqual([false, false, false, true, true, true])
      }
  })
})

describe('dropout', () => {
  const p = 0.4
  const masked = async (shape: number[], seed: number) => {
    const x = engine.tensor(new Float32Array(720).fill(1), shape)
    const y = dropout(x, p, { seed })
    const data = await y.data()
    for (const tensor of [x, y]) tensor.dispose()
    return data
  }

  test('drops the same elements in every shape of the same size', async () => {
    const mask = await masked([720], 3)
    for (const shape of [
      [1, 720],
      [9, 80],
      [2, 3, 4, 30],
    ])
      expect(await masked(shape, 3)).toEqual(mask)
  })

  test('drops the same elements in workgroups of every size', async () => {
    const mask = await masked([720], 5)
    const x = engine.tensor(new Float32Array(720).fill(1), [720])
    for (const size of [1, 3, 32, 256]) {
      const y = engine.tensor(new Float32Array(720), [720])
      const kernel = stripKernel('dropout/apply', { workgroup: size })
      engine.gpu.run(
        kernel,
        { x: x.buffer.storage, y: y.buffer.storage },
        { n: 180, key_low: 5, key_high: 0, p, scale: 1 / (1 - p) },
      )
      expect(sameBits(await y.data(), mask)).toBe(true)
      y.dispose()
    }
    x.dispose()
  })

  test('seeds that differ only past 2^32 differ', async () => {
    expect(await masked([720], 2 ** 32 + 5)).not.toEqual(await masked([720], 5))
  })

  test('with p = 1 everything is 0, also what is not finite, and so is its gradient', async () => {
    const x = leaf([1, infinity, nan, -2, 3], [5])
    expect(await both(x, dropout(x, 1))).toEqual([
      [0, 0, 0, 0, 0],
      [0, 0, 0, 0, 0],
    ])
  })
})

describe('logits of minus infinity are classes that are ruled out', () => {
  test('softmax gives them nothing', async () => {
    const x = leaf([0, minus, 0, minus], [1, 4])
    const [y, dx] = await both(x, softmax(x))
    expect(y).toEqual([0.5, 0, 0.5, 0])
    expect(dx).toEqual([-0.5, 0, 0.5, 0])
  })

  test('crossEntropy leaves the others their loss', async () => {
    const x = leaf([0, minus, 0, minus], [1, 4])
    const [loss, dx] = await both(x, crossEntropy(x, Int32Array.of(0)))
    expect(loss[0]).toBeCloseTo(Math.LN2, 6)
    expect(dx.map((value) => Math.round(value * 1e6) / 1e6 + 0)).toEqual([-0.5, 0, 0.5, 0])
  })
})
