import { type ClampAttrs, clamp as op } from '../ops/clamp.ts'
import { pointwise } from './pointwise.ts'
import { between } from './random.ts'

export const specification = pointwise<ClampAttrs>({
  op,
  value: (x, { low, high }) => Math.min(Math.max(x, low), high),
  gradient: (x, dy, { low, high }) => (x >= low && x <= high ? dy : 0),
  rule: ({ low, high }) => `min(max(x, ${low}), ${high})`,
  attrs: { low: -0.5, high: 1 },
  drawAttrs(random) {
    const low = between(random, -4, 2)
    return { low, high: low + random.below(4) }
  },
  borders: [-0.5, 1, -0.500001, 1.000001],
})
