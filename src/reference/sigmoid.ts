import { sigmoid as op } from '../ops/sigmoid.ts'
import { pointwise } from './pointwise.ts'

/** 1 / (1 + e^-x), without a power that overflows. */
export function logistic(x: number): number {
  const power = Math.exp(-Math.abs(x))
  return (x >= 0 ? 1 : power) / (1 + power)
}

/** What exp may be off by, and the cancellation of 1 − s. */
export const ofPowers = {
  reason:
    'WGSL lets exp(x) be off by 3 + 2·|x| units in the last place, and 1 − s is a small ' +
    'difference.',
  of: { relative: 3e-6, absolute: 1e-6 },
}

export const specification = pointwise({
  op,
  value: logistic,
  gradient: (x, dy) => dy * logistic(x) * logistic(-x),
  rule: () => '1 / (1 + e^−x)',
  attrs: {},
  borders: [1, -1, 88, -88, 104, -104],
  tolerance: ofPowers,
})
