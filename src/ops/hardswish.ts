import { pointwise } from './pointwise.ts'

/** y = x · min(max(x + 3, 0), 6) / 6 (Howard et al. 2019, arXiv:1905.02244). */
export const hardswish = pointwise({
  name: 'hardswish',
  kernel: 'hardswish/hardswish',
  from: 'x',
  flops: 5,
})
