import { describe, expect, test } from 'vitest'
import { cosine, linear, oneCycle } from '../../src/optim/schedules.ts'
import { expectClose } from '../support/compare.ts'
import { recipes } from '../support/recipes.ts'

/** Both in float64; the order of a few operations differs. */
const relative = 1e-12

describe('as PyTorch', () => {
  test.each(recipes.schedules.filter(({ kind }) => kind === 'one-cycle'))(
    'OneCycleLR: $steps steps, $options',
    (one) => {
      const {
        pct_start,
        div_factor,
        final_div_factor,
        base_momentum = 0.85,
        max_momentum = 0.95,
      } = one.options
      const options = {
        ...(pct_start === undefined ? {} : { riseShare: pct_start }),
        ...(div_factor === undefined ? {} : { startDivisor: div_factor }),
        ...(final_div_factor === undefined ? {} : { endDivisor: final_div_factor }),
        momentum: [base_momentum, max_momentum] as const,
      }
      const actual = one.rates.map((_, step) => oneCycle(step, one.steps, options))
      expectClose(
        actual.map(({ share }) => one.lr * share),
        one.rates,
        [one.steps],
        { relative, name: 'rates' },
      )
      expectClose(
        actual.map(({ momentum }) => momentum),
        one.momenta ?? [],
        [one.steps],
        { relative, name: 'momenta' },
      )
    },
  )

  test.each(recipes.schedules.filter(({ kind }) => kind === 'cosine'))(
    'CosineAnnealingLR: $steps steps, $options',
    (one) => {
      const { minimum = 0, warmup = 0, warmupStart } = one.options
      const options = {
        floor: minimum / one.lr,
        warmup,
        ...(warmupStart === undefined ? {} : { warmupStart }),
      }
      const actual = one.rates.map((_, step) => one.lr * cosine(step, one.steps, options))
      // PyTorch multiplies its way from rate to rate, which gathers rounding.
      expectClose(actual, one.rates, [one.steps], {
        relative: 1e-9,
        absolute: 1e-12,
        name: 'rates',
      })
    },
  )
})

test('a cycle of one step, and a rise of one step, stay finite', () => {
  expect(oneCycle(0, 1).share).toBeGreaterThan(0)
  expect(oneCycle(0, 4, { riseShare: 0.25 }).share).toBe(1)
  expect([0, 1, 2, 3].map((step) => linear(step, 2, 0.5))).toEqual([0.5, 0.75, 1, 1])
  expect(cosine(3, 3, { warmup: 3 })).toBe(1)
})
