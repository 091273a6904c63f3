import { add, at, dims4, type NdArray, zeros } from './ndarray.ts'

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
  [oh, ow]: readonly [number, number],
  visit: (y: number, x: number, count: number) => void,
): void {
  const [n, c, h, w] = dims4(x)
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
export function adaptiveAvgPool2d(x: NdArray, output: readonly [number, number]): NdArray {
  const [n, c] = dims4(x)
  const y = zeros([n, c, ...output])
  walk(x, output, (yi, xi, count) => add(y.data, yi, at(x.data, xi) / count))
  return y
}

/** dx = sum of dy / window size over the outputs whose window holds the input */
export function adaptiveAvgPool2dBackward(
  x: NdArray,
  dy: NdArray,
  output: readonly [number, number],
): NdArray {
  const dx = zeros(x.shape)
  walk(x, output, (yi, xi, count) => add(dx.data, xi, at(dy.data, yi) / count))
  return dx
}
