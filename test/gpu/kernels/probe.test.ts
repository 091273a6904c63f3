import { expect, test } from 'vitest'
import { elementKernel, type Kernel, linearGrid } from '../../../src/gpu/kernels/kernel.ts'
import { testEngine } from '../../support/engine.ts'

const multiplyAdd = elementKernel<'n'>('probe/multiply_add', (p) => p.n)
const copy: Kernel = {
  name: 'probe/copy',
  constants: { WG: 64, COUNT: 4 },
  grid: ({ n = 0 }, { WG = 64, COUNT = 1 }) => linearGrid(Math.ceil(n / COUNT), WG),
}

test('multiply_add does all of its multiply-adds', async () => {
  const { gpu } = await testEngine()
  const [n, steps] = [67, 12]
  const y = gpu.allocate(4 * n)
  gpu.run(multiplyAdd, { y }, { n }, { STEPS: steps })
  const [bytes = new ArrayBuffer(0)] = await gpu.read([{ storage: y, bytes: 4 * n }])
  y.release()
  const expected = Array.from({ length: n }, (_, i) => {
    const a = i * 1e-7 + 0.5
    let sum = 0
    for (let chain = 0; chain < 12; chain++) {
      let s = a + chain
      for (let step = 0; step < steps; step++) s = s * a + 0.5
      sum += s
    }
    return sum
  })
  // Each step halves the error so far and adds at most 2^-24 of a value below 12; this sums over
  // twelve chains and as many additions.
  const tolerance = 12 * 3 * 12 * 2 ** -24
  for (const [i, value] of new Float32Array(bytes).entries())
    expect(Math.abs(value - (expected[i] ?? 0))).toBeLessThan(tolerance)
})

test.each([1, 63, 64, 256, 257, 1000])('copy copies %i vectors, and nothing more', async (n) => {
  const { gpu } = await testEngine()
  const given = Float32Array.from({ length: 4 * n + 4 }, (_, i) => i + 1)
  const [x, y] = [gpu.upload(given), gpu.upload(new Float32Array(given.length))]
  gpu.run(copy, { x, y }, { n })
  const [bytes = new ArrayBuffer(0)] = await gpu.read([{ storage: y, bytes: 4 * given.length }])
  for (const storage of [x, y]) storage.release()
  expect(new Float32Array(bytes)).toEqual(given.map((value, i) => (i < 4 * n ? value : 0)))
})
