import { adaptiveAvgPool2d as op } from '../ops/adaptiveAvgPool2d.ts'
import type { Pair } from '../tensor/ndbuffer.ts'
import { sumTolerance } from './agreement.ts'
import { explainWindow, kept } from './explanation.ts'
import { add, at, four, type NdArray, zeros } from './ndarray.ts'
import { between, extents } from './random.ts'
import type { Arrays, Case, Specification } from './specification.ts'

interface Attrs {
  readonly size: Pair
}

/**
 * PyTorch's windows: output o of `out` covers floor(o * in / out) up to, not including, ceil((o +
 * 1) * in / out); they may overlap.
 */
function adaptiveWindow(o: number, input: number, output: number): [number, number] {
  return [Math.floor((o * input) / output), Math.ceil(((o + 1) * input) / output)]
}

/** Visits every pair of an output and an input in its window, with the size of that window. */
function walk(
  x: NdArray,
  [oh, ow]: Pair,
  visit: (y: number, x: number, count: number) => void,
): void {
  const [n, c, h, w] = four(x.shape)
  for (let plane = 0; plane < n * c; plane++) {
    for (let oy = 0; oy < oh; oy++) {
      const [top, bottom] = adaptiveWindow(oy, h, oh)
      for (let ox = 0; ox < ow; ox++) {
        const [left, right] = adaptiveWindow(ox, w, ow)
        const count = (bottom - top) * (right - left)
        for (let iy = top; iy < bottom; iy++) {
          for (let ix = left; ix < right; ix++)
            visit((plane * oh + oy) * ow + ox, (plane * h + iy) * w + ix, count)
        }
      }
    }
  }
}

/** y = mean of x over the output's window   (torch.nn.functional.adaptive_avg_pool2d) */
export function adaptiveAvgPool2d(x: NdArray, output: Pair): NdArray {
  const [n, c] = four(x.shape)
  const y = zeros([n, c, ...output])
  walk(x, output, (yi, xi, count) => add(y.data, yi, at(x.data, xi) / count))
  return y
}

/** dx = sum of dy / window size over the outputs whose window holds the input */
export function adaptiveAvgPool2dBackward(x: NdArray, dy: NdArray, output: Pair): NdArray {
  const dx = zeros(x.shape)
  walk(x, output, (yi, xi, count) => add(dx.data, xi, at(dy.data, yi) / count))
  return dx
}

const shaped = (x: readonly number[], size: Pair): Case<Arrays<'x'>, Attrs> => ({
  shapes: { x },
  attrs: { size },
})

export const specification: Specification<Arrays<'x'>, Attrs> = {
  op,
  kernels: ['fast'],
  forward: ({ x }, { size }) => adaptiveAvgPool2d(x, size),
  backward: ({ x }, dy, { size }) => ({ x: adaptiveAvgPool2dBackward(x, dy, size) }),
  tolerance: {
    reason:
      'Sums: no window holds more than a plane, ' +
      'and no element lies in more windows than there are.',
    of({ x }, { size: [height, width] }) {
      const [, , h, w] = four(x)
      return { relative: sumTolerance(Math.max(h * w, height * width)), absolute: 1e-6 }
    },
  },
  edges: {
    'windows that overlap': { ...shaped([2, 3, 7, 5], [3, 2]), differences: true },
    'the same size': shaped([2, 3, 6, 6], [6, 6]),
    'a larger image': shaped([2, 3, 13, 11], [6, 4]),
    'more outputs than inputs': shaped([1, 2, 3, 4], [6, 7]),
    'one output': shaped([3, 2, 7, 9], [1, 1]),
    'one pixel': shaped([1, 1, 1, 1], [1, 1]),
    'one pixel, many outputs': shaped([1, 1, 1, 1], [3, 2]),
    'more planes than a grid is wide': shaped([65_538, 1, 2, 1], [1, 1]),
    'equal numbers': {
      ...shaped([1, 2, 5, 7], [2, 3]),
      values: { x: new Float32Array(70).fill(-3) },
    },
    'numbers of ten thousand': { ...shaped([1, 2, 7, 7], [3, 3]), scale: 1e4 },
  },
  draw: (random) =>
    shaped(
      [...extents(random, 2, 3), ...extents(random, 2, 13)],
      [between(random, 1, 9), between(random, 1, 9)],
    ),
  large: shaped([4, 256, 27, 27], [6, 6]),
  explain(call, at) {
    const { size } = call.attrs
    const [, , height, width] = four(kept(call, 'x').shape)
    const [, , i, j] = four(at)
    const rows = adaptiveWindow(i, height, size[0])
    return explainWindow('mean', call, at, rows, adaptiveWindow(j, width, size[1]))
  },
}
