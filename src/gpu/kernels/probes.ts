import { elementKernel, type Kernel, linearGrid } from './kernel.ts'

/** Chains of multiply-adds that each thread of `multiplyAdd` has, as its shader writes them. */
export const chains = 12

/** The most multiply-adds a device can do: constant STEPS in each of the chains. */
export const multiplyAdd = elementKernel<'n'>('probe/multiply_add', (p) => p.n)

/** The most bytes it can move: n vectors of four. */
export const copyVectors: Kernel = {
  name: 'probe/copy',
  constants: { WG: 256, COUNT: 16 },
  grid: ({ n = 0 }, { WG = 256, COUNT = 1 }) => linearGrid(Math.ceil(n / COUNT), WG),
}
