import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Random } from '../../src/base/random.ts'
import { Parameter } from '../../src/nn/parameter.ts'
import { clipGradNorm, scaleGradients } from '../../src/optim/clip.ts'
import { sameBits } from '../support/bits.ts'
import { expectClose } from '../support/compare.ts'
import { testEngine } from '../support/engine.ts'
import { recipes } from '../support/recipes.ts'

const engine = await testEngine()

function withGradients(gradients: readonly ArrayLike<number>[]): Parameter[] {
  return gradients.map((values, i) => {
    const tensor = engine.tensor(new Float32Array(values.length), [values.length])
    tensor.grad = engine.tensor(Float32Array.from(values), [values.length])
    return new Parameter(`p${i}`, tensor)
  })
}

async function clipped(gradients: readonly ArrayLike<number>[], maxNorm: number) {
  const parameters = withGradients(gradients)
  const norm = engine.tensor(new Float32Array(2), [2])
  const before = engine.memory()
  clipGradNorm(engine.gpu, parameters, maxNorm, norm.buffer)
  expect(engine.memory()).toMatchObject({ liveBytes: before.liveBytes, buffers: before.buffers })
  const [total = Number.NaN, factor = Number.NaN] = await norm.data()
  const after = await Promise.all(parameters.map(({ grad }) => grad?.data() ?? new Float32Array(0)))
  for (const parameter of parameters) parameter.dispose()
  norm.dispose()
  return { total, factor, after }
}

/**
 * The norm is a sum of n squares in float32, a few hundred at a time: its error grows far slower
 * than n units in the last place.
 */
const relative = 1e-5

describe('clipGradNorm', () => {
  test.each(recipes.clips)('as PyTorch: to $maxNorm', async ({ maxNorm, norm, before, after }) => {
    const result = await clipped(before, maxNorm)
    expectClose([result.total], [norm], [1], { relative, name: 'norm' })
    for (const [i, wanted] of after.entries())
      expectClose(result.after[i] ?? [], wanted, [wanted.length], {
        relative,
        name: `gradient ${i}`,
      })
  })

  test('any sizes, against float64', async () => {
    const sizes = fc.array(
      fc.oneof(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 250, max: 2100 })),
      { minLength: 1, maxLength: 5 },
    )
    const property = fc.asyncProperty(
      sizes,
      fc.constantFrom(1e-3, 1, 1e3),
      fc.nat(1e6),
      async (sizes, maxNorm, seed) => {
        const random = new Random(seed)
        const gradients = sizes.map((n) => Float32Array.from({ length: n }, () => random.normal()))
        const norm = Math.sqrt(
          gradients.reduce(
            (sum, g) => sum + g.reduce((squares, value) => squares + value ** 2, 0),
            0,
          ),
        )
        const factor = Math.min(1, maxNorm / (norm + 1e-6))
        const result = await clipped(gradients, maxNorm)
        expectClose([result.total, result.factor], [norm, factor], [2], {
          relative,
          name: 'norm and factor',
        })
        for (const [i, g] of gradients.entries())
          expectClose(
            result.after[i] ?? [],
            Array.from(g, (value) => value * factor),
            [g.length],
            { relative },
          )
      },
    )
    await fc.assert(property, { numRuns: 25, seed: 9, endOnFailure: true })
  })

  test('more vectors than threads, and what is in the padding does not count', async () => {
    const n = 4 * 16_384 * 3 + 5
    const { total, factor } = await clipped([new Float32Array(n).fill(0.5)], 1)
    expectClose([total, factor], [0.5 * Math.sqrt(n), 1 / (0.5 * Math.sqrt(n))], [2], { relative })
  })

  test('a norm within the limit leaves every bit, and a parameter without a gradient does not count', async () => {
    const values = Float32Array.of(1e-40, -0.25, 0.1)
    const result = await clipped([values], 1)
    expect([result.factor, sameBits(result.after[0], values)]).toEqual([1, true])
    const [bare] = withGradients([[1]])
    bare?.dropGrad()
    const norm = engine.tensor(Float32Array.of(7, 7), [2])
    clipGradNorm(engine.gpu, bare ? [bare] : [], 1, norm.buffer)
    expect(await norm.data()).toEqual(Float32Array.of(7, 7))
    norm.dispose()
  })

  test.each([Number.NaN, Number.POSITIVE_INFINITY, 1e25])(
    '%d among the gradients shows in the norm',
    async (value) => {
      const { total, factor } = await clipped([[1, 2], [value]], 1)
      expect([Number.isFinite(total), factor]).toEqual([false, 0])
    },
  )
})

test('scaleGradients multiplies by the number at its place', async () => {
  const parameters = withGradients([[1, 2, 3, 4, 5], [-1]])
  const factor = engine.gpu.upload(Float32Array.of(9, 0.5))
  scaleGradients(engine.gpu, parameters, factor, 1)
  expect(await Promise.all(parameters.map(({ grad }) => grad?.data()))).toEqual([
    Float32Array.of(0.5, 1, 1.5, 2, 2.5),
    Float32Array.of(-0.5),
  ])
  for (const parameter of parameters) parameter.dispose()
  factor.release()
})
