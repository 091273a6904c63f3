import { pointwise } from './pointwise.ts'

/** y = min(max(x, 0), 6) (Krizhevsky 2010; Sandler et al. 2018, arXiv:1801.04381). */
export const relu6 = pointwise({ name: 'relu6', kernel: 'relu6/relu6', from: 'y', flops: 2 })
