import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Random } from '../../src/base/random.ts'
import { mixRows } from '../../src/ops/mix.ts'
import { sizeOf } from '../../src/tensor/ndbuffer.ts'
import { expectClose } from '../support/compare.ts'
import { testEngine } from '../support/engine.ts'

const engine = await testEngine()

async function mixed(
  data: Float32Array,
  shape: readonly number[],
  partners: Int32Array,
  shares: Float32Array,
): Promise<Float32Array> {
  const [x, y] = [
    engine.tensor(data, shape),
    engine.tensor(new Float32Array(data.length).fill(Number.NaN), shape),
  ]
  const uploads = [engine.gpu.upload(partners), engine.gpu.upload(shares)] as const
  mixRows(engine.gpu, x.buffer, uploads[0], uploads[1], y.buffer)
  const values = await y.data()
  for (const tensor of [x, y]) tensor.dispose()
  for (const storage of uploads) storage.release()
  return values
}

test('any shape, against float64', async () => {
  const shape = fc.tuple(
    fc.integer({ min: 1, max: 9 }),
    fc.integer({ min: 1, max: 3 }),
    fc.integer({ min: 1, max: 130 }),
  )
  const property = fc.asyncProperty(shape, fc.nat(1e6), async (shape, seed) => {
    const [random, rows, width] = [new Random(seed), shape[0], shape[1] * shape[2]]
    const data = Float32Array.from({ length: sizeOf(shape) }, () => random.normal())
    const partners = Int32Array.from({ length: rows }, () => random.below(rows))
    const shares = Float32Array.from({ length: rows }, () =>
      random.below(4) === 0 ? random.below(2) : random.uniform(),
    )
    const wanted = Float64Array.from(data, (value, i) => {
      const row = Math.floor(i / width)
      const share = shares[row] ?? 0
      return share * value + (1 - share) * (data[(partners[row] ?? 0) * width + (i % width)] ?? 0)
    })
    // A difference of two normal values and a product, each rounded once: a few units in the last
    // place of values up to 7.
    expectClose(await mixed(data, shape, partners, shares), wanted, shape, {
      relative: 1e-6,
      absolute: 2e-6,
    })
  })
  await fc.assert(property, { numRuns: 30, seed: 3, endOnFailure: true })
})

test('a share of 0 gives the partner to the bit, and a row whose partner is itself stays', async () => {
  const data = Float32Array.of(1.1, -2.3, 3.7, 1e20)
  expect(await mixed(data, [2, 2], Int32Array.of(1, 1), Float32Array.of(0, 0.3))).toEqual(
    Float32Array.of(3.7, 1e20, 3.7, 1e20).map(Math.fround),
  )
})
