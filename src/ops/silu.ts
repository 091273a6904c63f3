import { pointwise } from './pointwise.ts'

/** y = x / (1 + e^-x) (Elfwing et al. 2017, arXiv:1702.03118). */
export const silu = pointwise({ name: 'silu', kernel: 'silu/silu', from: 'x', flops: 5 })
