import { add, at, dims4, item, type NdArray, type Pair, pairOf, zeros } from './ndarray.ts'

export interface MaxPool2dOptions {
  readonly kernel: Pair
  /** Defaults to the kernel, as in PyTorch. */
  readonly stride?: Pair
  readonly padding?: Pair
  /**
   * Whether a last window may reach past the edge, as long as it begins within the image or the
   * padding before it.
   */
  readonly ceilMode?: boolean
}

/**
 * For every output, the flat position in x of its maximum: the first one in row order wins ties, a
 * NaN wins over numbers.
 */
export function maxPool2dIndices(
  x: NdArray,
  options: MaxPool2dOptions,
): { shape: number[]; indices: Int32Array } {
  const { kernel, stride = kernel, padding = 0, ceilMode = false } = options
  const [n, c, h, w] = dims4(x)
  const [[kh, kw], [sy, sx], [py, px]] = [pairOf(kernel), pairOf(stride), pairOf(padding)]
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
export function maxPool2d(x: NdArray, options: MaxPool2dOptions): NdArray {
  const { shape, indices } = maxPool2dIndices(x, options)
  return { shape, data: Float64Array.from(indices, (index) => at(x.data, index)) }
}

/** Each dy goes to the position its maximum came from; windows that overlap add up. */
export function maxPool2dBackward(x: NdArray, dy: NdArray, options: MaxPool2dOptions): NdArray {
  const { indices } = maxPool2dIndices(x, options)
  const dx = zeros(x.shape)
  for (let i = 0; i < indices.length; i++) add(dx.data, item(indices, i), at(dy.data, i))
  return dx
}
