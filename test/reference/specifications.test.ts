/** The float64 references themselves: against PyTorch, and gradients by finite differences. */
import { describe, expect, test } from 'vitest'
import { inputsOf } from '../../src/check/operator.ts'
import { gradcheck } from '../../src/reference/gradcheck.ts'
import { specifications } from '../../src/reference/index.ts'
import { sizeOf } from '../../src/reference/ndarray.ts'
import { gaussian } from '../../src/reference/random.ts'
import type { AnyCase } from '../../src/reference/specification.ts'
import { exact, expectClose } from '../support/compare.ts'
import { ORACLE_TOLERANCE, operatorCases } from '../support/oracle.ts'

/** Finite differences are for small cases, and for drawn numbers: they have no ties, no zeros. */
const isSmooth = ({ shapes, values, scale, differences }: AnyCase) =>
  (differences || (!values && !scale)) &&
  Object.values(shapes).every((shape) => sizeOf(shape ?? []) <= 200)

describe.each(Object.entries(specifications))('%s', (name, spec) => {
  const cases = operatorCases(name, spec.op.inputs)
  test.skipIf(cases.length === 0).each(cases)('PyTorch: $name', ({ inputs, attrs, ...one }) => {
    const shapes = Object.fromEntries(
      Object.entries(inputs).map(([input, array]) => [input, array?.shape ?? null]),
    )
    const limit =
      spec.tolerance.of(shapes, attrs).relative === 0
        ? exact
        : { relative: ORACLE_TOLERANCE.operator }
    const y = spec.forward(inputs, attrs)
    expect(y.shape).toEqual(one.y.shape)
    expectClose(y.data, one.y.data, one.y.shape, { ...limit, name: 'y' })
    const gradients = spec.backward(inputs, one.dy, attrs)
    for (const [input, { data, shape }] of Object.entries(one.gradients))
      expectClose(gradients[input]?.data ?? [], data, shape, { ...limit, name: `d${input}` })
  })

  test.each(Object.entries(spec.edges).filter(([, one]) => isSmooth(one)))(
    'finite differences: %s',
    (_, one) => {
      const inputs = inputsOf(spec, one, 1)
      const forward = (changed: object) => spec.forward({ ...inputs, ...changed }, one.attrs)
      const dy = gaussian(forward({}).shape, 2)
      for (const [input, gradient] of Object.entries(spec.backward(inputs, dy, one.attrs))) {
        const x = inputs[input]
        if (x) gradcheck(`d${input}`, (v) => forward({ [input]: v }), x, dy, gradient)
      }
    },
  )
})
