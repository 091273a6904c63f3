import { type Conv2dAttrs, conv2d as op } from '../ops/conv2d.ts'
import type { Pair } from '../tensor/ndbuffer.ts'
import { weightedTolerance } from './agreement.ts'
import { fieldOf, kept, output, read, shifted, summed, type Term, term } from './explanation.ts'
import { add, addScaled, at, dot, four, type NdArray, zeros } from './ndarray.ts'
import { between } from './random.ts'
import { relu, reluBackward } from './relu.ts'
import type { Arrays, Case, Specification } from './specification.ts'

/**
 * `count` products of one output: x[xStart + i] * weight[weightStart + i] belong to y[y]; all are
 * flat positions.
 */
type Visit = (y: number, xStart: number, weightStart: number, count: number) => void

function outputShape(
  x: NdArray,
  weight: NdArray,
  { stride: [sy, sx], padding: [py, px], groups }: Conv2dAttrs,
): [number, number, number, number] {
  const [n, c, h, w] = four(x.shape)
  const [o, perGroup, kh, kw] = four(weight.shape)
  if (perGroup * groups !== c || o % groups !== 0)
    throw new RangeError(`weight [${weight.shape}] does not fit x [${x.shape}] in ${groups} groups`)
  return [n, o, Math.floor((h + 2 * py - kh) / sy) + 1, Math.floor((w + 2 * px - kw) / sx) + 1]
}

/**
 * Walks every product of the convolution, one row of a filter at a time (torch.nn.Conv2d, which is
 * a cross-correlation):
 *
 *     y[n, o, oy, ox] = bias[o] + sum over ci, ky, kx of
 *         x[n, g * C/G + ci, oy * stride - padding + ky, ox * stride - padding + kx]
 *         * weight[o, ci, ky, kx]
 *     g = floor(o / (O/G)); what lies outside x is 0
 */
function walk(x: NdArray, weight: NdArray, attrs: Conv2dAttrs, visit: Visit): void {
  const [[sy, sx], [py, px], groups] = [attrs.stride, attrs.padding, attrs.groups]
  const [, c, h, w] = four(x.shape)
  const [o, perGroup, kh, kw] = four(weight.shape)
  const [n, , oh, ow] = outputShape(x, weight, attrs)
  for (let ni = 0; ni < n; ni++) {
    for (let oi = 0; oi < o; oi++) {
      const firstChannel = Math.floor(oi / (o / groups)) * perGroup
      for (let oy = 0; oy < oh; oy++) {
        for (let ox = 0; ox < ow; ox++) {
          const y = ((ni * o + oi) * oh + oy) * ow + ox
          for (let ci = 0; ci < perGroup; ci++) {
            for (let ky = 0; ky < kh; ky++) {
              const iy = oy * sy - py + ky
              if (iy < 0 || iy >= h) continue
              const row = ((ni * c + firstChannel + ci) * h + iy) * w
              const kernelRow = ((oi * perGroup + ci) * kh + ky) * kw
              const ix = ox * sx - px
              const first = Math.max(0, -ix)
              const end = Math.min(kw, w - ix)
              if (first < end) visit(y, row + ix + first, kernelRow + first, end - first)
            }
          }
        }
      }
    }
  }
}

/**
 * x: [n, c, h, w], weight: [o, c/groups, kh, kw], bias: [o] or null; `walk` has the formula. The
 * sum alone: `specification` applies the ReLU that the attributes may ask for.
 */
export function conv2d(
  x: NdArray,
  weight: NdArray,
  bias: NdArray | null,
  attrs: Conv2dAttrs,
): NdArray {
  const y = zeros(outputShape(x, weight, attrs))
  const [n, o, oh, ow] = four(y.shape)
  if (bias) {
    for (let i = 0; i < n * o * oh * ow; i++)
      y.data[i] = at(bias.data, Math.floor(i / (oh * ow)) % o)
  }
  walk(x, weight, attrs, (yi, xi, wi, count) =>
    add(y.data, yi, dot(x.data, xi, weight.data, wi, count)),
  )
  return y
}

/**
 * dx += dy * weight, dweight += dy * x over the same products; dbias[o] = sum of dy over n, oy, ox.
 */
export function conv2dBackward(
  x: NdArray,
  weight: NdArray,
  dy: NdArray,
  attrs: Conv2dAttrs,
): { dx: NdArray; dweight: NdArray; dbias: NdArray } {
  const [n, o, oh, ow] = four(dy.shape)
  const dx = zeros(x.shape)
  const dweight = zeros(weight.shape)
  const dbias = zeros([o])
  walk(x, weight, attrs, (yi, xi, wi, count) => {
    const g = at(dy.data, yi)
    addScaled(dx.data, xi, g, weight.data, wi, count)
    addScaled(dweight.data, wi, g, x.data, xi, count)
  })
  for (let i = 0; i < n * o * oh * ow; i++)
    add(dbias.data, Math.floor(i / (oh * ow)) % o, at(dy.data, i))
  return { dx, dweight, dbias }
}

type Inputs = Arrays<'x' | 'weight', 'bias'>

/** x [n, c, h, w] by o filters of kh x kw. */
function shaped(
  [n, c, h, w]: readonly [number, number, number, number],
  [o, kh, kw]: readonly [number, number, number],
  { stride = [1, 1], padding = [0, 0], groups = 1, relu = false }: Partial<Conv2dAttrs> = {},
  bias = true,
): Case<Inputs, Conv2dAttrs> {
  return {
    shapes: { x: [n, c, h, w], weight: [o, c / groups, kh, kw], bias: bias ? [o] : null },
    attrs: { stride, padding, groups, ...(relu ? { relu } : {}) },
  }
}

export const specification: Specification<Inputs, Conv2dAttrs> = {
  op,
  kernels: ['fast', 'plain'],
  checks: ['contract', 'depthwise', 'reduce'],
  forward({ x, weight, bias }, attrs) {
    const sum = conv2d(x, weight, bias, attrs)
    return attrs.relu ? relu(sum) : sum
  },
  backward({ x, weight, bias }, dy, attrs) {
    const dsum = attrs.relu ? reluBackward(conv2d(x, weight, bias, attrs), dy) : dy
    const { dx, dweight, dbias } = conv2dBackward(x, weight, dsum, attrs)
    return { x: dx, weight: dweight, bias: dbias }
  },
  tolerance: {
    reason:
      'The longest of three sums: a filter, the pixels of all images, ' +
      'or the filters that see one pixel.',
    of(shapes, { groups }) {
      const [n, , h, w] = four(shapes.x)
      const [o, depth, kh, kw] = four(shapes.weight)
      return weightedTolerance(Math.max(depth * kh * kw, n * h * w, (o / groups) * kh * kw))
    },
  },
  edges: {
    'two groups, height and width of their own': {
      ...shaped([2, 4, 5, 6], [4, 3, 2], { stride: [2, 1], padding: [1, 1], groups: 2 }),
      differences: true,
    },
    'two groups, stride 2': shaped([3, 4, 9, 8], [6, 3, 3], {
      stride: [2, 2],
      padding: [1, 1],
      groups: 2,
    }),
    'one pixel': shaped([1, 1, 1, 1], [1, 1, 1]),
    'without bias': shaped([2, 3, 6, 6], [4, 3, 3], { padding: [1, 1] }, false),
    'a filter of one pixel': shaped([2, 5, 4, 3], [7, 1, 1]),
    'a filter as large as the image': shaped([2, 3, 5, 7], [4, 5, 7]),
    'a filter as large as the padded image': shaped([2, 3, 4, 2], [5, 6, 6], { padding: [1, 2] }),
    'filter 11, stride 4, as AlexNet': shaped([1, 3, 43, 47], [9, 11, 11], {
      stride: [4, 4],
      padding: [2, 2],
    }),
    'a stride larger than the filter': shaped([2, 2, 10, 11], [3, 2, 2], { stride: [3, 3] }),
    'padding beyond the filter': shaped([1, 2, 3, 4], [3, 2, 2], { padding: [3, 3] }),
    'padding beyond the filter, strides': shaped([2, 2, 4, 3], [3, 2, 3], {
      padding: [4, 3],
      stride: [2, 3],
    }),
    depthwise: shaped([2, 5, 6, 7], [10, 3, 3], { padding: [1, 1], groups: 5 }),
    'depthwise, stride 2, a ReLU': shaped([3, 4, 13, 9], [4, 3, 3], {
      stride: [2, 2],
      padding: [1, 1],
      groups: 4,
      relu: true,
    }),
    'depthwise, filter 5, three filters a channel, without bias': shaped(
      [2, 3, 11, 14],
      [9, 5, 5],
      { padding: [2, 2], groups: 3 },
      false,
    ),
    'depthwise, strides and padding beyond the filter': shaped([2, 2, 5, 9], [2, 2, 3], {
      stride: [3, 2],
      padding: [4, 3],
      groups: 2,
    }),
    'depthwise, a stride larger than the filter': shaped([1, 3, 11, 10], [6, 2, 1], {
      stride: [3, 4],
      groups: 3,
    }),
    'depthwise, maps of one pixel': shaped([2, 6, 1, 1], [6, 3, 3], { padding: [1, 1], groups: 6 }),
    'depthwise, a filter larger than its kernels take': shaped([1, 2, 9, 9], [2, 8, 8], {
      padding: [2, 2],
      groups: 2,
    }),
    'depthwise, many tiles': shaped([2, 3, 37, 41], [3, 3, 3], { padding: [1, 1], groups: 3 }),
    'one filter': shaped([1, 3, 6, 6], [1, 3, 3]),
    '9 filters: rows of 8 and a rest': shaped([1, 2, 5, 5], [9, 1, 1]),
    '16 filters': shaped([1, 2, 5, 5], [16, 3, 3]),
    '33 filters: rows of 32 and a rest': shaped([2, 2, 7, 7], [33, 3, 3], { padding: [1, 1] }),
    '70 filters: rows of 64 and a rest': shaped([1, 2, 9, 4], [70, 2, 2]),
    '128 filters: two panels': shaped([1, 65, 3, 3], [128, 2, 2]),
    'a weight gradient split over images': shaped([17, 2, 6, 6], [3, 3, 3], { padding: [1, 1] }),
    'one column more than a tile': shaped([1, 1, 1, 33], [2, 1, 1]),
    'a ReLU': {
      ...shaped([2, 3, 5, 6], [4, 3, 3], { padding: [1, 1], relu: true }),
      differences: true,
    },
    'a ReLU, stride 2': shaped([6, 2, 7, 5], [17, 3, 3], { stride: [2, 2], relu: true }),
    'a ReLU without bias': shaped([1, 2, 9, 4], [70, 2, 2], { relu: true }, false),
    zeros: {
      ...shaped([2, 2, 4, 4], [3, 3, 3], { padding: [1, 1], relu: true }),
      values: { x: new Float32Array(64), bias: new Float32Array(3) },
    },
    'numbers of ten thousand': { ...shaped([2, 3, 5, 5], [4, 3, 3]), scale: 1e4 },
  },
  draw(random) {
    const groups = between(random, 1, 3)
    const kernel: Pair = [between(random, 1, 4), between(random, 1, 4)]
    const padding: Pair = [between(random, 0, 4), between(random, 0, 4)]
    const extent = (axis: 0 | 1) =>
      Math.max(1, kernel[axis] - 2 * padding[axis]) + between(random, 0, 8)
    return shaped(
      [between(random, 1, 3), groups * between(random, 1, 3), extent(0), extent(1)],
      [groups * between(random, 1, 5), ...kernel],
      {
        stride: [between(random, 1, 4), between(random, 1, 4)],
        padding,
        groups,
        relu: random.below(2) === 1,
      },
      random.below(2) === 1,
    )
  },
  large: shaped([1, 32, 27, 27], [64, 5, 5], { padding: [2, 2] }),
  explain(call, position) {
    const { stride, padding, groups } = call.attrs
    const [x, weight, bias] = [kept(call, 'x'), kept(call, 'weight'), call.tensors.bias]
    const [n, o, i, j] = four(position)
    const [, channels] = four(x.shape)
    const [outChannels, depth, kernelHeight, kernelWidth] = four(weight.shape)
    const first = Math.floor(o / (outChannels / groups)) * (channels / groups)
    const [top, left] = [i * stride[0] - padding[0], j * stride[1] - padding[1]]
    const rows = [top, top + kernelHeight] as const
    const field = fieldOf(x.shape, [first, depth], rows, [left, left + kernelWidth])
    const terms: Term[] = []
    for (let c = 0; c < depth; c++)
      for (let row = field.top; row < field.top + field.height; row++)
        for (let column = field.left; column < field.left + field.width; column++)
          terms.push(term(x, [n, first + c, row, column], weight, [o, c, row - top, column - left]))
    const xAt = `${n}, ${shifted('c', first)}, ${shifted('u', top)}, ${shifted('v', left)}`
    const sum = summed({
      formula:
        `${bias ? `bias[${o}] + ` : ''}Σ over channels c, filter rows u and columns v of ` +
        `weight[${o}, c, u, v] · x[${xAt}]`,
      names: ['x', 'weight'],
      terms,
      outside: depth * kernelHeight * kernelWidth - terms.length,
      bias: bias ? read(bias, [o]) : null,
      field,
    })
    return output(sum, position, call.attrs)
  },
  explainWeightGradient(call, position) {
    const { stride, padding, groups } = call.attrs
    const [x, dy] = [kept(call, 'x'), kept(call, 'dy')]
    const [o, c, u, v] = four(position)
    const [batch, channels, height, width] = four(x.shape)
    const [, outChannels, outHeight, outWidth] = four(dy.shape)
    const channel = Math.floor(o / (outChannels / groups)) * (channels / groups) + c
    const [offsetY, offsetX] = [u - padding[0], v - padding[1]]
    const [rows, columns] = [
      metBy(outHeight, stride[0], offsetY, height),
      metBy(outWidth, stride[1], offsetX, width),
    ]
    const terms: Term[] = []
    for (let n = 0; n < batch; n++)
      for (let i = rows.from; i <= rows.to; i++)
        for (let j = columns.from; j <= columns.to; j++) {
          const [row, column] = [i * stride[0] + offsetY, j * stride[1] + offsetX]
          terms.push(term(x, [n, channel, row, column], dy, [n, o, i, j]))
        }
    const moved = (axis: 0 | 1, name: string) =>
      stride[axis] === 1 ? name : `${stride[axis]} · ${name}`
    const [row, column] = [shifted(moved(0, 'i'), offsetY), shifted(moved(1, 'j'), offsetX)]
    const xAt = `n, ${channel}, ${row}, ${column}`
    return summed({
      formula:
        `dweight[${position.join(', ')}] = Σ over images n, output rows i and columns j of ` +
        `dy[n, ${o}, i, j] · x[${xAt}]`,
      names: ['x', 'dy'],
      terms,
      outside: batch * outHeight * outWidth - terms.length,
      field: terms.length
        ? fieldOf(
            x.shape,
            [channel, 1],
            [rows.from * stride[0] + offsetY, rows.to * stride[0] + offsetY + 1],
            [columns.from * stride[1] + offsetX, columns.to * stride[1] + offsetX + 1],
          )
        : null,
    })
  },
}

/**
 * The outputs, from the first to the last, for which one row of a filter lies inside x: those i
 * with 0 <= i * stride + offset < extent.
 */
function metBy(
  outputs: number,
  stride: number,
  offset: number,
  extent: number,
): { readonly from: number; readonly to: number } {
  return {
    from: Math.max(0, Math.ceil(-offset / stride)),
    to: Math.min(outputs - 1, Math.floor((extent - 1 - offset) / stride)),
  }
}
