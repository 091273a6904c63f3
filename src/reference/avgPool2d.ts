import { type AvgPool2dAttrs, avgPool2d as op } from '../ops/avgPool2d.ts'
import type { Pair } from '../tensor/ndbuffer.ts'
import { sumTolerance } from './agreement.ts'
import { explainWindow } from './explanation.ts'
import { add, at, four, type NdArray, zeros } from './ndarray.ts'
import { between } from './random.ts'
import type { Arrays, Case, Specification } from './specification.ts'

/** One axis: for every window its elements inside x, and how many it counts. */
function windows(
  extent: number,
  axis: 0 | 1,
  { kernel, stride, padding, ceilMode = false, countIncludePad = true }: AvgPool2dAttrs,
): { from: number; to: number; count: number }[] {
  const [size, step, before] = [kernel[axis], stride[axis], padding[axis]]
  const found: { from: number; to: number; count: number }[] = []
  for (let start = -before; ; start += step) {
    const fits = ceilMode
      ? start + size - step < extent + before && start < extent
      : start + size <= extent + before
    if (!fits) return found
    const end = Math.min(start + size, extent + before)
    const [from, to] = [Math.max(start, 0), Math.min(end, extent)]
    found.push({ from, to, count: countIncludePad ? end - start : to - from })
  }
}

/** Visits every pair of an output and an element of its window, with what its sum is divided by. */
function walk(
  x: NdArray,
  attrs: AvgPool2dAttrs,
  visit: (y: number, x: number, count: number) => void,
): void {
  const [n, c, h, w] = four(x.shape)
  const [rows, columns] = [windows(h, 0, attrs), windows(w, 1, attrs)]
  for (let plane = 0; plane < n * c; plane++)
    for (const [i, row] of rows.entries())
      for (const [j, column] of columns.entries())
        for (let iy = row.from; iy < row.to; iy++)
          for (let ix = column.from; ix < column.to; ix++)
            visit(
              (plane * rows.length + i) * columns.length + j,
              (plane * h + iy) * w + ix,
              row.count * column.count,
            )
}

/** y = Σ of the window's elements / how many it counts   (torch.nn.functional.avg_pool2d) */
function avgPool2d(x: NdArray, attrs: AvgPool2dAttrs): NdArray {
  const [n, c, h, w] = four(x.shape)
  const y = zeros([n, c, windows(h, 0, attrs).length, windows(w, 1, attrs).length])
  walk(x, attrs, (yi, xi, count) => add(y.data, yi, at(x.data, xi) / count))
  return y
}

/** dx = Σ dy / count over the windows that hold the element */
function avgPool2dBackward(x: NdArray, dy: NdArray, attrs: AvgPool2dAttrs): NdArray {
  const dx = zeros(x.shape)
  walk(x, attrs, (yi, xi, count) => add(dx.data, xi, at(dy.data, yi) / count))
  return dx
}

function shaped(
  x: readonly number[],
  kernel: Pair,
  stride: Pair = kernel,
  padding: Pair = [0, 0],
  more: Pick<AvgPool2dAttrs, 'ceilMode' | 'countIncludePad'> = {},
): Case<Arrays<'x'>, AvgPool2dAttrs> {
  return { shapes: { x }, attrs: { kernel, stride, padding, ...more } }
}
const inside = { countIncludePad: false } as const
const up = { ceilMode: true } as const

export const specification: Specification<Arrays<'x'>, AvgPool2dAttrs> = {
  op,
  kernels: ['fast'],
  forward: ({ x }, attrs) => avgPool2d(x, attrs),
  backward: ({ x }, dy, attrs) => ({ x: avgPool2dBackward(x, dy, attrs) }),
  tolerance: {
    reason: 'A sum over a window, and one division; in a gradient a sum over windows.',
    of: (_, { kernel: [kh, kw] }) => ({ relative: sumTolerance(kh * kw), absolute: 1e-7 }),
  },
  edges: {
    'windows that overlap': { ...shaped([2, 3, 7, 8], [3, 2], [2, 1]), differences: true },
    'as DenseNet': shaped([2, 3, 8, 8], [2, 2]),
    'as Inception': shaped([2, 3, 8, 7], [3, 3], [1, 1], [1, 1]),
    'padding that does not count': shaped([2, 3, 8, 7], [3, 3], [1, 1], [1, 1], inside),
    'padding, strides': shaped([1, 2, 9, 7], [3, 3], [2, 2], [1, 1]),
    'padding that does not count, strides': shaped([1, 2, 9, 7], [3, 4], [2, 3], [1, 2], inside),
    'one pixel': shaped([1, 1, 1, 1], [1, 1]),
    'a window as large as the image': shaped([2, 2, 7, 7], [7, 7]),
    'a window as large as the padded image': shaped([1, 2, 2, 3], [4, 5], [1, 1], [1, 1], inside),
    'windows apart': shaped([1, 2, 11, 11], [2, 2], [3, 3]),
    'a last window past the edge': shaped([2, 3, 8, 9], [3, 3], [2, 2], [0, 0], up),
    'a last window past the edge, padded': shaped([2, 3, 8, 9], [3, 3], [2, 2], [1, 1], up),
    'a last window past the edge, padding that does not count': shaped(
      [2, 3, 8, 9],
      [3, 3],
      [2, 2],
      [1, 1],
      { ...up, ...inside },
    ),
    'more planes than a grid is wide': shaped([65_538, 1, 2, 1], [1, 1]),
    'NaN and infinity': {
      ...shaped([1, 1, 2, 4], [2, 2]),
      values: { x: [Number.NaN, 1, 1, Number.POSITIVE_INFINITY, 0, 0, 0, 0] },
    },
    'numbers of ten thousand': { ...shaped([2, 2, 5, 5], [3, 3], [2, 2], [1, 1]), scale: 1e4 },
  },
  draw(random) {
    const kernel: Pair = [between(random, 1, 4), between(random, 1, 4)]
    const padding: Pair = [
      random.below(Math.floor(kernel[0] / 2) + 1),
      random.below(Math.floor(kernel[1] / 2) + 1),
    ]
    const extent = (axis: 0 | 1) =>
      Math.max(1, kernel[axis] - 2 * padding[axis]) + between(random, 0, 9)
    return shaped(
      [between(random, 1, 3), between(random, 1, 4), extent(0), extent(1)],
      kernel,
      [between(random, 1, 4), between(random, 1, 4)],
      padding,
      { ceilMode: random.below(2) === 1, countIncludePad: random.below(2) === 1 },
    )
  },
  large: shaped([4, 64, 56, 56], [3, 3], [2, 2], [1, 1]),
  explain(call, position) {
    const { stride, padding, kernel } = call.attrs
    const [, , i, j] = four(position)
    const [, , height, width] = four(call.tensors.x?.shape ?? [])
    const span = (axis: 0 | 1, index: number, extent: number): [number, number] => {
      const start = index * stride[axis] - padding[axis]
      const end = Math.min(start + kernel[axis], extent + padding[axis])
      return call.attrs.countIncludePad === false
        ? [Math.max(start, 0), Math.min(end, extent)]
        : [start, end]
    }
    return explainWindow('mean', call, position, span(0, i, height), span(1, j, width))
  },
}
