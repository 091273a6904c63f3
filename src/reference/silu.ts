import { silu as op } from '../ops/silu.ts'
import { pointwise } from './pointwise.ts'
import { logistic, ofPowers } from './sigmoid.ts'

export const specification = pointwise({
  op,
  value: (x) => x * logistic(x),
  gradient: (x, dy) => dy * logistic(x) * (1 + x * logistic(-x)),
  rule: () => 'x / (1 + e^−x)',
  attrs: {},
  borders: [1, -1, 88, -88],
  tolerance: ofPowers,
})
