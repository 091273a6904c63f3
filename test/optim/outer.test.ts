import { expect, test } from 'vitest'
import { WeightsError } from '../../src/base/errors.ts'
import type { StateDict } from '../../src/base/stateDict.ts'
import { OuterStep } from '../../src/optim/outer.ts'

const arrays = (values: readonly number[]): StateDict => {
  return { w: { shape: [values.length], data: Float32Array.from(values) } }
}
const values = (state: StateDict) => Array.from(state.w?.data ?? [])

/** `torch.optim.SGD([p], lr=0.7, momentum=0.9, nesterov=True)` of PyTorch 2.13, in float64. */
const rounds = [
  {
    trained: [
      [0.9, -1.5, 0.5],
      [1.1, -1.75, 0.25],
    ],
    weights: [1, -1.50125, 0.33375],
    momentum: [0, -0.375, 0.125],
  },
  {
    trained: [
      [0.5, -1.25, 0.75],
      [0.75, -1.5, 0],
    ],
    weights: [0.50125, -1.1207125, 0.3177375],
    momentum: [0.375, -0.46375, 0.07125],
  },
]

test('an outer step is SGD with Nesterov momentum, as PyTorch computes it', () => {
  let [weights, momentum]: [StateDict, StateDict | null] = [arrays([1, -2, 0.5]), null]
  for (const round of rounds) {
    const step = new OuterStep(weights)
    for (const trained of round.trained) step.add(arrays(trained))
    ;({ weights, momentum } = step.finish({ lr: 0.7, momentum: 0.9 }, momentum))
    // Both are rounded to float32 after each step: by 2⁻²⁵ of numbers below 2, in two steps.
    for (const [i, value] of values(weights).entries())
      expect(Math.abs(value - (round.weights[i] ?? Number.NaN))).toBeLessThan(2 ** -22)
    for (const [i, value] of values(momentum).entries())
      expect(Math.abs(value - (round.momentum[i] ?? Number.NaN))).toBeLessThan(2 ** -22)
  }
})

test('arrays of another network are refused, and a step without a result', () => {
  const step = new OuterStep(arrays([1, 2]))
  expect(() => step.finish({ lr: 1, momentum: 0 }, null)).toThrow(RangeError)
  expect(() => step.add(arrays([1, 2, 3]))).toThrow(WeightsError)
  expect(() => step.add({})).toThrow(WeightsError)
  step.add(arrays([1, 3]))
  expect(() => step.finish({ lr: 1, momentum: 0.9 }, arrays([0]))).toThrow(WeightsError)
})
