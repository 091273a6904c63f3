import { Random } from '../base/random.ts'
import type { RgbImage } from '../host/host.ts'
import { type NdArray, ndArray, sizeOf, zeros } from './ndarray.ts'

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

/** An integer from `low` to `high`, both included. */
export function between(random: Random, low: number, high: number): number {
  return low + random.below(high - low + 1)
}

/** Extents from 1 to `longest`. */
export function extents(random: Random, dimensions: number, longest: number): number[] {
  return Array.from({ length: dimensions }, () => between(random, 1, longest))
}

/** Whole numbers from 0 up to, not including, `levels`: with few levels many values are equal. */
export function levels(shape: readonly number[], levels: number, seed: number): number[] {
  const next = uniform(seed)
  return Array.from({ length: sizeOf(shape) }, () => Math.floor(levels * next()))
}

/** The values as float32 has them, so that the reference starts from the same numbers. */
export function rounded({ shape, data }: NdArray): NdArray {
  return ndArray(Float32Array.from(data), shape)
}

/** An image of random pixels, the same for the same seed (1 by default). */
export function randomImage(width: number, height: number, seed = 1): RgbImage {
  const random = new Random(seed)
  const data = Uint8Array.from({ length: 3 * width * height }, () => random.below(256))
  return { data, width, height }
}
