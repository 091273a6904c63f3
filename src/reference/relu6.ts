import { relu6 as op } from '../ops/relu6.ts'
import { pointwise } from './pointwise.ts'

export const specification = pointwise({
  op,
  value: (x) => Math.min(Math.max(x, 0), 6),
  gradient: (x, dy) => (x <= 0 || x >= 6 ? 0 : dy),
  rule: () => 'min(max(x, 0), 6)',
  attrs: {},
  borders: [6, 5.999999, 6.000001, 2e-38],
})
