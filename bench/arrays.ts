import { at } from '../src/base/at.ts'
import { Random } from '../src/index.ts'

/** Numbers in row-major order. */
export interface NdArray {
  readonly shape: readonly number[]
  readonly data: Float32Array
}

/**
 * How many values are drawn before they repeat: a prime, so that no row or channel of an array
 * equals another.
 */
const period = 65_537

/** Uniform in -0.5..0.5, from a seed. */
export function randomArray(shape: readonly number[], seed: number): NdArray {
  const random = new Random(seed)
  const data = new Float32Array(sizeOf(shape))
  for (let i = 0; i < Math.min(period, data.length); i++) data[i] = random.uniform() - 0.5
  for (let filled = period; filled < data.length; filled *= 2) data.copyWithin(filled, 0, filled)
  return { shape, data }
}

export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, extent) => product * extent, 1)
}

/**
 * The array with its axes in another order: axis i of the result is axis `axes[i]` of x, as
 * numpy.transpose.
 */
export function permute({ shape, data }: NdArray, axes: readonly number[]): NdArray {
  const strides = shape.map((_, axis) => sizeOf(shape.slice(axis + 1)))
  const outShape = axes.map((axis) => at(shape, axis))
  const steps = axes.map((axis) => at(strides, axis))
  const out = new Float32Array(data.length)
  const index = axes.map(() => 0)
  let from = 0
  for (let to = 0; to < out.length; to++) {
    out[to] = data[from] ?? Number.NaN // at() would take time here
    for (let axis = axes.length - 1; axis >= 0; axis--) {
      const extent = at(outShape, axis)
      const step = at(steps, axis)
      const next = at(index, axis) + 1
      from += step
      if (next < extent) {
        index[axis] = next
        break
      }
      index[axis] = 0
      from -= step * extent
    }
  }
  return { shape: outShape, data: out }
}

/** Up to `count` indices of an array of `size` elements: the first, the last, and random ones. */
export function sampleIndices(size: number, count = 48): number[] {
  const random = new Random(size)
  const picked = new Set([0, size - 1])
  while (picked.size < Math.min(count, size)) picked.add(random.below(size))
  return [...picked]
}
