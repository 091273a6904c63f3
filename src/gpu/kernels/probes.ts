import { elementKernel, type Kernel, linearGrid, type Numbers } from './kernel.ts'

/** Chains of multiply-adds in each thread of `multiplyAdd`, as its shader writes them. */
export const chains = 12

/** Measures the most multiply-adds a device can do: constant STEPS in each of the chains. */
export const multiplyAdd = elementKernel<'n'>('probe/multiply_add', (p) => p.n)

/** Measures the most bytes a device can move: n vectors of four, COUNT of them per thread. */
export const copyVectors: Kernel = {
  name: 'probe/copy',
  constants: { WG: 256, COUNT: 16 },
  grid: ({ n }: Numbers<'n'>, { WG, COUNT }: Numbers<'WG' | 'COUNT'>) =>
    linearGrid(Math.ceil(n / COUNT), WG),
}
