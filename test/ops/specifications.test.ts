/**
 * Every operator of the table, with its fast and its plain kernels: result and gradients against
 * float64 and against PyTorch. What is particular to one operator is in its own test file.
 */
import { describe, expect, test } from 'vitest'
import { Random } from '../../src/base/random.ts'
import { compute, findings, inputsOf } from '../../src/check/operator.ts'
import { describeCase } from '../../src/check/subject.ts'
import { specifications } from '../../src/reference/index.ts'
import { gaussian, rounded } from '../../src/reference/random.ts'
import type { AnyCase, AnySpecification } from '../../src/reference/specification.ts'
import type { Engine } from '../../src/tensor/tensor.ts'
import { expectClose } from '../support/compare.ts'
import { testEngine } from '../support/engine.ts'
import { ORACLE_TOLERANCE, operatorCases } from '../support/oracle.ts'

const drawn = 25

async function checkCase(
  engine: Engine,
  spec: AnySpecification,
  one: AnyCase,
  seed: number,
): Promise<void> {
  const before = engine.memory()
  for (const { what, against, actual, expected, shape, tolerance } of await findings(
    engine,
    spec,
    one,
    seed,
  )) {
    const name = `${what} of ${describeCase(one.shapes, one.attrs)}, against ${against}`
    expectClose(actual, expected, shape, { ...tolerance, name })
  }
  const { liveBytes, buffers } = before
  expect(engine.memory(), 'all memory is given back').toMatchObject({ liveBytes, buffers })
}

for (const [name, spec] of Object.entries(specifications)) {
  test(`${name} is in the table under its operator's name, and says what it may be off by`, () => {
    expect(name).toBe(spec.op.name)
    expect(spec.tolerance.reason).toMatch(/^\w.+\.$/)
  })

  describe.each(spec.kernels)(`${name}, %s kernels`, (kernels) => {
    const engineOf = () => testEngine(kernels === 'plain' ? 'plain' : 'auto')

    test.each(Object.entries(spec.edges))('%s', async (_, one) => {
      await checkCase(await engineOf(), spec, one, 1)
    })

    test('any shape', async () => {
      const random = new Random(7)
      for (let i = 0; i < drawn; i++)
        await checkCase(await engineOf(), spec, spec.draw(random), random.below(1e6))
    })

    test('a large case', async () => {
      await checkCase(await engineOf(), spec, spec.large, 1)
    })

    const cases = operatorCases(name, spec.op.inputs)
    test.skipIf(cases.length === 0).each(cases)('as PyTorch: $name', async (one) => {
      const { y, gradients } = await compute(await engineOf(), spec, one.inputs, one.attrs, one.dy)
      const limit = { relative: ORACLE_TOLERANCE.operator }
      expectClose(y, one.y.data, one.y.shape, { ...limit, name: 'y' })
      for (const [input, { data, shape }] of Object.entries(one.gradients))
        expectClose(gradients[input] ?? [], data, shape, { ...limit, name: `d${input}` })
    })

    test('computes the gradients that are asked for', async () => {
      const engine = await engineOf()
      const [one] = Object.values(spec.edges)
      if (!one) throw new Error('there is no case')
      const inputs = inputsOf(spec, one, 3)
      const dy = rounded(gaussian(spec.forward(inputs, one.attrs).shape, 5))
      const all = await compute(engine, spec, inputs, one.attrs, dy)
      for (let subset = 0; subset < 2 ** spec.op.inputs.length; subset++) {
        const wanted = spec.op.inputs.filter((key, i) => inputs[key] && (subset >> i) & 1)
        const some = await compute(engine, spec, inputs, one.attrs, dy, wanted)
        expect(Object.keys(some.gradients).sort()).toEqual([...wanted].sort())
        for (const key of wanted) expect(some.gradients[key]).toEqual(all.gradients[key])
      }
    })
  })
}
