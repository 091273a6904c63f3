import { maxPool2d as op } from '../ops/maxPool2d.ts'
import type { WindowAttrs } from '../ops/window.ts'
import type { Pair } from '../tensor/ndbuffer.ts'
import { sumTolerance } from './agreement.ts'
import { explainWindow } from './explanation.ts'
import { add, at, four, type NdArray, zeros } from './ndarray.ts'
import { between, levels } from './random.ts'
import type { Arrays, Case, Specification } from './specification.ts'

/**
 * For every output, the flat position in x of its maximum: the first one in row order wins ties, a
 * NaN wins over numbers.
 */
export function maxPool2dIndices(
  x: NdArray,
  { kernel, stride, padding, ceilMode = false }: WindowAttrs,
): { shape: number[]; indices: Int32Array } {
  const [n, c, h, w] = four(x.shape)
  const [[kh, kw], [sy, sx], [py, px]] = [kernel, stride, padding]
  const windows = (extent: number, side: number, step: number, before: number) => {
    let count = 0
    // The last window of ceil mode may begin anywhere before the padding behind; that of floor mode
    // has to end within it.
    const fits = (start: number) =>
      ceilMode
        ? start + side - step < extent + before && start < extent
        : start + side <= extent + before
    while (fits(count * step - before)) count++
    return count
  }
  const [oh, ow] = [windows(h, kh, sy, py), windows(w, kw, sx, px)]
  const indices = new Int32Array(n * c * oh * ow)
  for (let plane = 0; plane < n * c; plane++) {
    for (let oy = 0; oy < oh; oy++) {
      for (let ox = 0; ox < ow; ox++) {
        let best = -1
        for (let ky = 0; ky < kh; ky++) {
          for (let kx = 0; kx < kw; kx++) {
            const iy = oy * sy - py + ky
            const ix = ox * sx - px + kx
            // padding is -infinity: it is never the maximum
            if (iy < 0 || iy >= h || ix < 0 || ix >= w) continue
            const here = (plane * h + iy) * w + ix
            const value = at(x.data, here)
            if (best < 0 || value > at(x.data, best) || Number.isNaN(value)) best = here
          }
        }
        indices[(plane * oh + oy) * ow + ox] = best
      }
    }
  }
  return { shape: [n, c, oh, ow], indices }
}

/**
 * y[n, c, oy, ox] = max over ky, kx of x[n, c, oy * stride - padding + ky, ox * stride - padding +
 * kx]   (torch.nn.functional.max_pool2d)
 */
export function maxPool2d(x: NdArray, attrs: WindowAttrs): NdArray {
  const { shape, indices } = maxPool2dIndices(x, attrs)
  return { shape, data: Float64Array.from(indices, (index) => at(x.data, index)) }
}

/** Each dy goes to the position its maximum came from; windows that overlap add up. */
export function maxPool2dBackward(x: NdArray, dy: NdArray, attrs: WindowAttrs): NdArray {
  const { indices } = maxPool2dIndices(x, attrs)
  const dx = zeros(x.shape)
  for (const [i, index] of indices.entries()) add(dx.data, index, at(dy.data, i))
  return dx
}

function shaped(
  x: readonly number[],
  kernel: Pair,
  stride: Pair = kernel,
  padding: Pair = [0, 0],
  ceilMode = false,
): Case<Arrays<'x'>, WindowAttrs> {
  return { shapes: { x }, attrs: { kernel, stride, padding, ceilMode } }
}

const { NaN: nan, POSITIVE_INFINITY: infinity, NEGATIVE_INFINITY: minus } = Number
/** One window of two rows and two columns that holds these numbers. */
const window = (...x: number[]) => ({ ...shaped([1, 1, 2, 2], [2, 2]), values: { x } })

export const specification: Specification<Arrays<'x'>, WindowAttrs> = {
  op,
  kernels: ['fast'],
  forward: ({ x }, attrs) => maxPool2d(x, attrs),
  backward: ({ x }, dy, attrs) => ({ x: maxPool2dBackward(x, dy, attrs) }),
  tolerance: {
    reason: 'Values are chosen, not computed; a gradient adds up as many as a window holds.',
    of: (_, { kernel: [kh, kw] }) => ({
      relative: Math.min(1e-6, sumTolerance(kh * kw)),
      absolute: 1e-7,
    }),
  },
  edges: {
    'windows that overlap': { ...shaped([2, 3, 7, 8], [3, 2], [2, 1]), differences: true },
    'as AlexNet': shaped([2, 3, 15, 13], [3, 3], [2, 2]),
    padded: shaped([1, 2, 9, 7], [3, 3], [2, 2], [1, 1]),
    'windows side by side': shaped([2, 2, 6, 6], [2, 2]),
    'one pixel': shaped([1, 1, 1, 1], [1, 1]),
    'height and width of their own': shaped([1, 2, 5, 9], [2, 4], [3, 1], [1, 2]),
    'a window as large as the image': shaped([2, 2, 3, 3], [3, 3]),
    'a window as large as the padded image': shaped([1, 2, 2, 3], [4, 5], [1, 1], [1, 1]),
    'windows apart': shaped([1, 2, 11, 11], [2, 2], [3, 3]),
    'a last window past the edge, as in Caffe': shaped([2, 3, 54, 8], [3, 3], [2, 2], [0, 0], true),
    'no last window within the padding': shaped([1, 2, 6, 7], [2, 2], [4, 4], [1, 1], true),
    'many planes': shaped([70, 3, 3, 3], [2, 2], [1, 1]),
    'more planes than a grid is wide': shaped([65_538, 1, 2, 1], [1, 1]),
    'equal numbers: the first wins': {
      ...shaped([1, 1, 4, 4], [2, 2]),
      values: { x: new Float32Array(16).fill(1) },
    },
    'equal numbers in windows that overlap and reach over the edge': {
      ...shaped([3, 2, 9, 7], [3, 3], [2, 2], [1, 1]),
      values: { x: levels([3, 2, 9, 7], 3, 9) },
    },
    'negative numbers, padded': {
      ...shaped([1, 1, 2, 2], [2, 2], [1, 1], [1, 1]),
      values: { x: [-3, -1, -2, -4] },
    },
    'numbers of ten thousand': { ...shaped([2, 2, 5, 5], [3, 3], [2, 2], [1, 1]), scale: 1e4 },
    'NaN, which wins; the last of several': window(1, nan, 5, nan),
    'infinity, the first of two': window(infinity, 3, infinity, minus),
    'minus infinity alone': window(minus, minus, minus, minus),
    'a number above minus infinity': window(minus, minus, -5, minus),
  },
  draw(random) {
    const kernel: Pair = [between(random, 1, 4), between(random, 1, 4)]
    const padding: Pair = [
      random.below(Math.floor(kernel[0] / 2) + 1),
      random.below(Math.floor(kernel[1] / 2) + 1),
    ]
    const extent = (axis: 0 | 1) =>
      Math.max(1, kernel[axis] - 2 * padding[axis]) + between(random, 0, 9)
    const x = [between(random, 1, 3), between(random, 1, 4), extent(0), extent(1)]
    const stride: Pair = [between(random, 1, 4), between(random, 1, 4)]
    const one = shaped(x, kernel, stride, padding, random.below(2) === 1)
    return random.below(3) ? one : { ...one, values: { x: levels(x, 4, random.below(2 ** 20)) } }
  },
  large: shaped([4, 64, 55, 55], [3, 3], [2, 2]),
  explain(call, at) {
    const { kernel, stride, padding } = call.attrs
    const [, , i, j] = four(at)
    const top = i * stride[0] - padding[0]
    const left = j * stride[1] - padding[1]
    return explainWindow('max', call, at, [top, top + kernel[0]], [left, left + kernel[1]])
  },
}
