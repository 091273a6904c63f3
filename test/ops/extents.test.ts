import { describe, expect, test } from 'vitest'
import {
  adaptiveAvgPool2d,
  conv2d,
  linear,
  localResponseNorm,
} from '../../src/autograd/functions.ts'
import { addInto } from '../../src/ops/add.ts'
import type { Engine, Tensor } from '../../src/tensor/tensor.ts'
import { testEngine } from '../support/engine.ts'

/**
 * Runs forward and backward with dy = y's own values; returns the first element at which y or dx is
 * not as told, or null.
 */
async function firstWrong(
  engine: Engine,
  shape: number[],
  run: (x: Tensor) => Tensor,
  wanted: (x: number) => number,
  wantedDx: (x: number) => number,
): Promise<string | null> {
  const n = shape.reduce((a, b) => a * b, 1)
  const values = new Float32Array(n)
  for (let i = 0; i < n; i++) values[i] = (i % 251) - 125
  const x = engine.tensor(values, shape, { requiresGrad: true })
  const y = run(x)
  const dy = engine.tensor(values, y.shape)
  const result = await y.data()
  y.backward(dy)
  const gradient = (await x.grad?.data()) ?? new Float32Array(0)
  for (const tensor of [x, y, dy]) tensor.dispose()
  for (let i = 0; i < n; i++) {
    const value = values[i] ?? 0
    if (result[i] !== wanted(value)) return `y[${i}] is ${result[i]}, not ${wanted(value)}`
    if (gradient[i] !== wantedDx(value)) return `dx[${i}] is ${gradient[i]}, not ${wantedDx(value)}`
  }
  return null
}

const same = (x: number) => x

describe('a grid has 65,535 workgroups in a dimension, a tensor more', () => {
  test.each<
    [string, number[], (x: Tensor) => Tensor, (x: number) => number, (x: number) => number]
  >([
    [
      'adaptiveAvgPool2d, a large plane',
      [1, 1, 2048, 2049],
      (x) => adaptiveAvgPool2d(x, [2048, 2049]),
      same,
      same,
    ],
    [
      'localResponseNorm, a large plane',
      [1, 1, 2048, 2049],
      (x) => localResponseNorm(x, { size: 1, alpha: 0 }),
      same,
      same,
    ],
  ])('%s', async (_, shape, run, wanted, wantedDx) => {
    expect(await firstWrong(await testEngine(), shape, run, wanted, wantedDx)).toBe(null)
  })

  // Panels of 8 rows are the grid's dimension for the tiles, workgroups of 256 elements for the
  // plain kernels.
  test.each([
    ['auto', 65_535 * 8 + 1],
    ['plain', 65_535 * 256 + 1],
  ] as const)('linear and conv2d, %s kernels', async (kernels, rows) => {
    const engine = await testEngine(kernels)
    const double = (x: number) => 2 * x
    const one = engine.tensor(Float32Array.of(2), [1, 1])
    const filter = engine.tensor(Float32Array.of(2), [1, 1, 1, 1])
    expect(await firstWrong(engine, [rows, 1], (x) => linear(x, one, null), double, double)).toBe(
      null,
    )
    expect(
      await firstWrong(engine, [1, 1, 4096, 4097], (x) => conv2d(x, filter, null), double, double),
    ).toBe(null)
    for (const tensor of [one, filter]) tensor.dispose()
  })

  test('the sum of two gradients', async () => {
    const engine = await testEngine()
    const n = 65_535 * 256 + 1
    const ones = engine.tensor(new Float32Array(n).fill(1), [n])
    const y = engine.tensor(new Float32Array(n), [n])
    addInto(engine.gpu, ones.buffer, ones.buffer, y.buffer)
    expect((await y.data()).every((value) => value === 2)).toBe(true)
    for (const tensor of [ones, y]) tensor.dispose()
  })
})
