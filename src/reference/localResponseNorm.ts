import { add, at, dims4, type NdArray, zeros } from './ndarray.ts'

export interface LocalResponseNormOptions {
  readonly size: number
  readonly alpha?: number
  readonly beta?: number
  readonly k?: number
}

/**
 * Visits every pair (channel ci, channel cj in its window), as flat positions of the same pixel.
 */
function walk(x: NdArray, size: number, visit: (i: number, j: number) => void): void {
  const [n, c, h, w] = dims4(x)
  const left = Math.floor(size / 2)
  const right = Math.floor((size - 1) / 2)
  for (let ni = 0; ni < n; ni++) {
    for (let ci = 0; ci < c; ci++) {
      for (let cj = Math.max(0, ci - left); cj <= Math.min(c - 1, ci + right); cj++) {
        for (let pixel = 0; pixel < h * w; pixel++)
          visit((ni * c + ci) * h * w + pixel, (ni * c + cj) * h * w + pixel)
      }
    }
  }
}

/**
 * d[c] = k + alpha / size * sum over j in the window of c of x[j]^2; the window is c -
 * floor(size/2) .. c + floor((size-1)/2), zero outside x
 */
function denominators(
  x: NdArray,
  { size, alpha = 1e-4, k = 1 }: LocalResponseNormOptions,
): Float64Array {
  const d = new Float64Array(x.data.length).fill(k)
  walk(x, size, (i, j) => add(d, i, (alpha / size) * at(x.data, j) ** 2))
  return d
}

/**
 * y[c] = x[c] * d[c]^-beta   (torch.nn.functional.local_response_norm: alpha is divided by the
 * window's size)
 */
export function localResponseNorm(x: NdArray, options: LocalResponseNormOptions): NdArray {
  const { beta = 0.75 } = options
  const d = denominators(x, options)
  return { shape: [...x.shape], data: x.data.map((value, i) => value * at(d, i) ** -beta) }
}

/**
 * dx[j] = dy[j] * d[j]^-beta - 2 * alpha * beta / size * x[j] * sum over the c whose window holds j
 * of dy[c] * x[c] * d[c]^(-beta - 1)
 */
export function localResponseNormBackward(
  x: NdArray,
  dy: NdArray,
  options: LocalResponseNormOptions,
): NdArray {
  const { size, alpha = 1e-4, beta = 0.75 } = options
  const d = denominators(x, options)
  const dx = zeros(x.shape)
  for (let i = 0; i < dx.data.length; i++) dx.data[i] = at(dy.data, i) * at(d, i) ** -beta
  walk(x, size, (i, j) => {
    add(
      dx.data,
      j,
      ((-2 * alpha * beta) / size) *
        at(x.data, j) *
        at(dy.data, i) *
        at(x.data, i) *
        at(d, i) ** (-beta - 1),
    )
  })
  return dx
}
