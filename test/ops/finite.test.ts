import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { allFinite } from '../../src/ops/finite.ts'
import { testEngine } from '../support/engine.ts'

const engine = await testEngine()

describe('allFinite', () => {
  test('finds NaN and infinity anywhere, in tensors of any length', async () => {
    const length = fc.oneof(
      fc.integer({ min: 1, max: 9 }),
      fc.integer({ min: 250, max: 260 }),
      fc.constant(5000),
    )
    const special = fc.constantFrom(
      Number.NaN,
      Number.POSITIVE_INFINITY,
      Number.NEGATIVE_INFINITY,
      3.4028234663852886e38,
      1e-45,
      -0,
      1,
    )
    const tensor = fc.record({ length, value: special, at: fc.nat() })
    await fc.assert(
      fc.asyncProperty(fc.array(tensor, { minLength: 1, maxLength: 5 }), async (wanted) => {
        const tensors = wanted.map(({ length, value, at }) =>
          engine.tensor(new Float32Array(length).fill(value, at % length, (at % length) + 1), [
            length,
          ]),
        )
        const answers = await allFinite(engine, tensors)
        for (const tensor of tensors) tensor.dispose()
        expect(answers).toEqual(wanted.map(({ value }) => Number.isFinite(value)))
      }),
      { numRuns: 30 },
    )
  })

  test('every thread takes several vectors of a large tensor', async () => {
    const data = new Float32Array(4 * 65_536 * 2 + 7)
    const sound = engine.tensor(data, [data.length])
    data[data.length - 1] = Number.NaN
    const broken = engine.tensor(data, [data.length])
    expect(await allFinite(engine, [broken, sound])).toEqual([false, true])
    sound.dispose()
    broken.dispose()
  })

  test('what lies in a buffer past its tensor does not count', async () => {
    engine.tensor(new Float32Array(64).fill(Number.NaN), [64]).dispose()
    const x = engine.tensor(Float32Array.of(1, 2, 3, 4, 5), [5])
    expect(await allFinite(engine, [x])).toEqual([true])
    x.dispose()
  })

  test('of nothing, nothing; and memory is given back', async () => {
    const before = engine.memory().buffers
    expect(await allFinite(engine, [])).toEqual([])
    const x = engine.tensor(Float32Array.of(1), [])
    const submits = engine.gpu.submits
    expect(await allFinite(engine, [x, x])).toEqual([true, true])
    expect(engine.gpu.submits).toBe(submits + 1)
    x.dispose()
    expect(engine.memory().buffers).toBe(before)
  })
})
