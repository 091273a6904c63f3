import { describe, expect, test } from 'vitest'
import { dropout } from '../../src/autograd/functions.ts'
import { ShapeError } from '../../src/base/errors.ts'
import { testEngine } from '../support/engine.ts'

describe('dropout', () => {
  test('drops the share it is asked to, other elements for another seed, the same for the same', async () => {
    const engine = await testEngine()
    const n = 100_000
    const x = engine.tensor(new Float32Array(n).fill(1), [n])
    const masks = await Promise.all(
      [5, 5, 6].map(async (seed) => {
        const y = dropout(x, 0.3, { seed })
        const data = await y.data()
        y.dispose()
        return data
      }),
    )
    const kept = masks.map((mask) => mask.reduce((count, value) => count + Number(value > 0), 0))
    // The count is binomial: five standard deviations, sqrt(n · p · (1 - p)) each.
    for (const count of kept)
      expect(Math.abs(count - 0.7 * n)).toBeLessThan(5 * Math.sqrt(n * 0.3 * 0.7))
    expect(masks[1]).toEqual(masks[0])
    expect(masks[2]).not.toEqual(masks[0])
    x.dispose()
  })

  test('outside training, and with p = 0, x passes as it is', async () => {
    const engine = await testEngine()
    const before = engine.memory()
    const x = engine.tensor(Float32Array.of(1, 2), [2], { requiresGrad: true })
    const dy = engine.tensor(Float32Array.of(3, 4), [2])
    for (const [p, options] of [
      [0.5, { training: false }],
      [0, {}],
    ] as const) {
      const y = dropout(x, p, options)
      expect(y.buffer.storage).toBe(x.buffer.storage)
      y.backward(dy)
      y.dispose()
    }
    expect([...(await x.data())], 'disposing of the result spares x').toEqual([1, 2])
    expect([...((await x.grad?.data()) ?? [])]).toEqual([6, 8])
    for (const tensor of [x, dy]) tensor.dispose()
    expect(engine.memory()).toMatchObject({ liveBytes: before.liveBytes, buffers: before.buffers })
  })

  test.each<[number, object, RegExp]>([
    [1.5, {}, /p is a probability/],
    [Number.NaN, {}, /p is a probability/],
    [0.5, { seed: -1 }, /seed is an integer of 0 or more/],
    [-1, { training: false }, /p is a probability/],
    [0.5, { inplace: true }, /no option inplace/],
  ])('p %d, %j is refused', async (p, options, message) => {
    const engine = await testEngine()
    const x = engine.tensor(Float32Array.of(1), [1])
    expect(() => dropout(x, p, options)).toThrow(ShapeError)
    expect(() => dropout(x, p, options)).toThrow(message)
    x.dispose()
  })
})
