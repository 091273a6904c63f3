import {
  add,
  addScaled,
  at,
  dims4,
  dot,
  type NdArray,
  type Pair,
  pairOf,
  zeros,
} from './ndarray.ts'

export interface Conv2dOptions {
  readonly stride?: Pair
  readonly padding?: Pair
  readonly groups?: number
}

/**
 * `count` products of one output: x[xStart + i] * weight[weightStart + i] belong to y[y]; all are
 * flat positions.
 */
type Visit = (y: number, xStart: number, weightStart: number, count: number) => void

function outputShape(
  x: NdArray,
  weight: NdArray,
  { stride = 1, padding = 0, groups = 1 }: Conv2dOptions,
): number[] {
  const [n, c, h, w] = dims4(x)
  const [o, perGroup, kh, kw] = dims4(weight)
  if (perGroup * groups !== c || o % groups !== 0)
    throw new RangeError(`weight [${weight.shape}] does not fit x [${x.shape}] in ${groups} groups`)
  const [[sy, sx], [py, px]] = [pairOf(stride), pairOf(padding)]
  return [n, o, Math.floor((h + 2 * py - kh) / sy) + 1, Math.floor((w + 2 * px - kw) / sx) + 1]
}

/**
 * Walks every product of the convolution, one row of a filter at a time (torch.nn.Conv2d, which is
 * a cross-correlation):
 *
 *     y[n, o, oy, ox] = bias[o] + sum over ci, ky, kx of x[n, g * C/G + ci, oy * stride - padding + ky, ox * stride - padding + kx] * weight[o, ci, ky, kx]
 *     g = floor(o / (O/G)); what lies outside x is 0
 */
function walk(x: NdArray, weight: NdArray, options: Conv2dOptions, visit: Visit): void {
  const { stride = 1, padding = 0, groups = 1 } = options
  const [[sy, sx], [py, px]] = [pairOf(stride), pairOf(padding)]
  const [, c, h, w] = dims4(x)
  const [o, perGroup, kh, kw] = dims4(weight)
  const [n = 0, , oh = 0, ow = 0] = outputShape(x, weight, options)
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
 * x: [n, c, h, w], weight: [o, c/groups, kh, kw], bias: [o] or null; the formula stands at `walk`.
 */
export function conv2d(
  x: NdArray,
  weight: NdArray,
  bias: NdArray | null,
  options: Conv2dOptions = {},
): NdArray {
  const y = zeros(outputShape(x, weight, options))
  const [n, o, oh, ow] = dims4(y)
  if (bias) {
    for (let i = 0; i < n * o * oh * ow; i++)
      y.data[i] = at(bias.data, Math.floor(i / (oh * ow)) % o)
  }
  walk(x, weight, options, (yi, xi, wi, count) =>
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
  options: Conv2dOptions = {},
): { dx: NdArray; dweight: NdArray; dbias: NdArray } {
  const [n, o, oh, ow] = dims4(dy)
  const dx = zeros(x.shape)
  const dweight = zeros(weight.shape)
  const dbias = zeros([o])
  walk(x, weight, options, (yi, xi, wi, count) => {
    const g = at(dy.data, yi)
    addScaled(dx.data, xi, g, weight.data, wi, count)
    addScaled(dweight.data, wi, g, x.data, xi, count)
  })
  for (let i = 0; i < n * o * oh * ow; i++)
    add(dbias.data, Math.floor(i / (oh * ow)) % o, at(dy.data, i))
  return { dx, dweight, dbias }
}
