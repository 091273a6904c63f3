import { philox4x32 } from '../base/random.ts'
import { at, type NdArray } from './ndarray.ts'

export interface DropoutOptions {
  /** A non-negative safe integer: its lower 32 bits and the rest are the key. */
  readonly seed: number
  /** Tells several uses of one seed apart. */
  readonly stream?: number
}

/**
 * Which of `n` elements stay: with i the flat index,
 *
 *     word = philox4x32(counter [floor(i / 4), stream, 0, 0], key [seed mod 2^32, floor(seed / 2^32)])[i mod 4]
 *     u = floor(word / 2^8) * 2^-24, in [0, 1) and exact in float32
 *     kept where u >= p, with p rounded to float32 as a kernel receives it
 */
export function dropoutMask(n: number, p: number, { seed, stream = 0 }: DropoutOptions): boolean[] {
  const threshold = Math.fround(p)
  const key: [number, number] = [seed >>> 0, Math.floor(seed / 2 ** 32)]
  const kept: boolean[] = []
  for (let block = 0; block * 4 < n; block++) {
    for (const word of philox4x32([block, stream, 0, 0], key))
      kept.push((word >>> 8) * 2 ** -24 >= threshold)
  }
  return kept.slice(0, n)
}

/**
 * y[i] = x[i] / (1 - p) where kept, else 0   (inverted dropout, as torch.nn.functional.dropout in
 * training)
 */
export function dropout(x: NdArray, p: number, options: DropoutOptions): NdArray {
  const kept = dropoutMask(x.data.length, p, options)
  return {
    shape: [...x.shape],
    data: Float64Array.from(kept, (keep, i) => (keep ? at(x.data, i) / (1 - p) : 0)),
  }
}

/** dx is dropout of dy with the same mask */
export function dropoutBackward(dy: NdArray, p: number, options: DropoutOptions): NdArray {
  return dropout(dy, p, options)
}
