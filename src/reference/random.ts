import { type NdArray, zeros } from './ndarray.ts'

/** A seeded stream of numbers in [0, 1): mulberry32, public domain. For test data only. */
export function uniform(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), state | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}

/** An array of standard normal numbers (Box and Muller), the same for the same seed. */
export function gaussian(shape: readonly number[], seed: number): NdArray {
  const next = uniform(seed)
  const x = zeros(shape)
  for (let i = 0; i < x.data.length; i++)
    x.data[i] = Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next())
  return x
}
