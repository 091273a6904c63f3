import { describe, expect, test } from 'vitest'
import { add, batchNorm } from '../../src/autograd/functions.ts'
import { ShapeError } from '../../src/base/errors.ts'
import type { Tensor } from '../../src/tensor/tensor.ts'
import { expectClose } from '../support/compare.ts'
import { testEngine } from '../support/engine.ts'
import { loadCase, ORACLE_TOLERANCE, oracleCases, tensorOf } from '../support/oracle.ts'

const engine = await testEngine()
const names = ['weight', 'bias', 'mean', 'variance'] as const

/** A weight of 1 and a bias of 0, and statistics that change nothing. */
function plainTensors(channels: number, requiresGrad = false) {
  const filled = (value: number, requiresGrad = false) =>
    engine.tensor(new Float32Array(channels).fill(value), [channels], { requiresGrad })
  return {
    weight: filled(1, requiresGrad),
    bias: filled(0, requiresGrad),
    mean: filled(0),
    variance: filled(1),
  }
}
const dispose = (...tensors: readonly (Tensor | Readonly<Record<string, Tensor>>)[]) => {
  for (const one of tensors.flatMap((some) => ('shape' in some ? [some] : Object.values(some))))
    (one as Tensor).dispose()
}

describe('running statistics', () => {
  test.each(oracleCases('batchnorm').filter(({ attrs }) => attrs.training))(
    'move as PyTorch’s: $name',
    async (one) => {
      const tensors = loadCase(one)
      const of = (name: string) => {
        const { data, shape } = tensorOf(tensors, name)
        return engine.tensor(data, shape)
      }
      const [x, weight, bias, mean, variance] = ['x', ...names].map(of)
      if (!x || !weight || !bias || !mean || !variance) throw new Error('a tensor is missing')
      const { momentum, epsilon } = one.attrs
      const y = batchNorm(
        x,
        { weight, bias, mean, variance },
        { training: true, momentum, epsilon },
      )
      for (const [name, tensor] of Object.entries({ mean, variance })) {
        const { data, shape } = tensorOf(tensors, `${name}_after`)
        expectClose(await tensor.data(), data, shape, { relative: ORACLE_TOLERANCE.operator, name })
      }
      dispose(x, weight, bias, mean, variance, y)
    },
  )

  test('are left alone outside training, to the last bit', async () => {
    const tensors = plainTensors(3)
    const x = engine.tensor(
      Float32Array.from({ length: 24 }, (_, i) => i),
      [2, 3, 4],
    )
    const before = await engine.read(names.map((name) => tensors[name]))
    const y = batchNorm(x, tensors)
    expect(await engine.read(names.map((name) => tensors[name]))).toEqual(before)
    dispose(x, y, tensors)
  })
})

test('the same batch gives the same bits, statistics included', async () => {
  const values = Float32Array.from({ length: 2 * 3 * 61 * 37 }, (_, i) => Math.sin(i) * 3 + 1)
  const results: Float32Array[][] = []
  for (let pass = 0; pass < 2; pass++) {
    const tensors = plainTensors(3, true)
    const x = engine.tensor(values, [2, 3, 61, 37], { requiresGrad: true })
    const y = batchNorm(x, tensors, { training: true })
    const dy = engine.tensor(values, y.shape)
    const kept = await y.data()
    y.backward(dy)
    const gradients = [x, tensors.weight, tensors.bias].flatMap(({ grad }) => grad ?? [])
    const rest = await engine.read([...gradients, tensors.mean, tensors.variance])
    results.push([kept, ...rest])
    dispose(x, y, dy, tensors)
  }
  expect(results[0]).toHaveLength(6)
  expect(results[1]).toEqual(results[0])
})

test('equal values are normalized to the bias, exactly', async () => {
  const tensors = plainTensors(2)
  const x = engine.tensor(new Float32Array(2 * 2 * 9).fill(12_345.678), [2, 2, 3, 3])
  const y = batchNorm(x, tensors, { training: true })
  expect([...(await y.data())].every((value) => value === 0)).toBe(true)
  dispose(x, y, tensors)
})

test('keeps no more memory than its gradients need, and gives all back', async () => {
  const before = engine.memory()
  const tensors = plainTensors(4, true)
  const x = engine.tensor(new Float32Array(64).fill(1), [4, 4, 4], { requiresGrad: true })
  // What forward kept is shared by the gradients, and an abandoned graph releases it too.
  const y = add(batchNorm(x, tensors, { training: true, relu: true }), x, { relu: true })
  dispose(y, x, tensors)
  expect(engine.memory()).toMatchObject({ liveBytes: before.liveBytes, buffers: before.buffers })
})

test('what it refuses', () => {
  const tensors = plainTensors(4)
  const x = engine.tensor(new Float32Array(16), [1, 4, 4])
  const flat = engine.tensor(new Float32Array(4), [4])
  const one = engine.tensor(new Float32Array(4), [1, 4, 1])
  expect(() => batchNorm(flat, tensors)).toThrow(ShapeError)
  expect(() => batchNorm(flat, tensors)).toThrow(/at least 2 dimensions, not \[4\]/)
  expect(() => batchNorm(one, tensors, { training: true })).toThrow(
    /needs more than one value, and x is \[1, 4, 1\]: use a larger batch/,
  )
  expect(() => batchNorm(x, tensors, { momentum: 2 })).toThrow(/momentum lies between 0 and 1/)
  expect(() => batchNorm(x, tensors, { epsilon: -1 })).toThrow(/epsilon is a number of 0 or more/)
  const narrow = plainTensors(3)
  expect(() => batchNorm(x, { ...tensors, bias: narrow.bias })).toThrow(/bias is \[4\], not \[3\]/)
  dispose(x, flat, one, tensors, narrow)
})
