import { describe, expect, test } from 'vitest'
import * as reference from '../../src/reference/optimizers.ts'
import { expectClose } from '../support/compare.ts'
import {
  loadCase,
  ORACLE_TOLERANCE,
  type OracleCase,
  oracleCases,
  tensorOf,
} from '../support/oracle.ts'

function optimizerOf({ name, attrs }: OracleCase): reference.Optimizer {
  const { lr = 0, momentum, weightDecay, nesterov, betas, eps } = attrs
  if (name === 'adam') return reference.adam({ lr, betas, eps, weightDecay })
  if (name === 'adamw') return reference.adamw({ lr, betas, eps, weightDecay })
  return reference.sgd({ lr, momentum, weightDecay, nesterov })
}

describe('optimizers', () => {
  test.each(oracleCases('optim'))('PyTorch: $name', (one) => {
    const t = loadCase(one)
    const parameter = Float64Array.from(tensorOf(t, 'p0').data)
    const n = parameter.length
    const [grads, params] = [tensorOf(t, 'grads').data, tensorOf(t, 'params').data]
    const optimizer = optimizerOf(one)
    for (let step = 0; step * n < grads.length; step++) {
      optimizer.step(parameter, grads.subarray(step * n, (step + 1) * n))
      const expected = params.subarray(step * n, (step + 1) * n)
      expectClose(parameter, expected, [n], {
        relative: ORACLE_TOLERANCE.operator,
        name: `step ${step + 1}`,
      })
    }
  })

  test('a rate given to one step holds for that step', () => {
    const parameter = Float64Array.of(1)
    const optimizer = reference.sgd({ lr: 0.5 })
    optimizer.step(parameter, [1], 0.25)
    optimizer.step(parameter, [1])
    expect(parameter[0]).toBe(0.25)
  })

  test('Adam decays through the gradient, AdamW beside it', () => {
    const [a, w] = [Float64Array.of(2), Float64Array.of(2)]
    reference.adam({ lr: 0.1, weightDecay: 0.5 }).step(a, [0])
    reference.adamw({ lr: 0.1, weightDecay: 0.5 }).step(w, [0])
    // the gradient is the decay, and Adam takes a step of lr whatever its size
    expect(a[0]).toBeCloseTo(1.9, 7)
    expect(w[0]).toBeCloseTo(1.9, 12) // 2 * (1 - 0.1 * 0.5)
  })
})
