import { hardswish as op } from '../ops/hardswish.ts'
import { pointwise } from './pointwise.ts'

export const specification = pointwise({
  op,
  value: (x) => x * (Math.min(Math.max(x + 3, 0), 6) / 6),
  gradient: (x, dy) => (x <= -3 ? 0 : x >= 3 ? dy : dy * (x / 3 + 0.5)),
  rule: () => 'x · min(max(x + 3, 0), 6) / 6',
  attrs: {},
  borders: [3, -3, 2.999999, -2.999999],
  tolerance: {
    reason: 'A few products and sums, each rounded to float32; x + 3 and x / 3 + 1/2 may cancel.',
    of: { relative: 1e-6, absolute: 5e-7 },
  },
})
