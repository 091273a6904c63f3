import { pointwise } from './pointwise.ts'

/** y = 1 / (1 + e^-x). */
export const sigmoid = pointwise({
  name: 'sigmoid',
  kernel: 'sigmoid/sigmoid',
  from: 'y',
  flops: 4,
})
