import { at, item, type NdArray, zeros } from './ndarray.ts'

/** RGB bytes, row by row: data[(y * width + x) * 3 + channel]. */
export interface RgbImage {
  readonly data: Uint8Array | Float32Array
  readonly width: number
  readonly height: number
}

/**
 * The weights of one output of torch's antialiased bilinear filter (F.interpolate with
 * mode='bilinear', antialias=True, align_corners=False; the same filter as Pillow's). With scale =
 * in / out and stretch = max(scale, 1), which is also the support:
 *
 *     center = scale * (o + 0.5)
 *     first = max(trunc(center - stretch + 0.5), 0)
 *     end = min(trunc(center + stretch + 0.5), in)
 *     w[i] = max(0, 1 - |i - center + 0.5| / stretch), divided by their sum
 */
export function antialiasWeights(
  o: number,
  input: number,
  output: number,
): { first: number; weights: number[] } {
  const scale = input / output
  const stretch = Math.max(scale, 1)
  const center = scale * (o + 0.5)
  const first = Math.max(Math.trunc(center - stretch + 0.5), 0)
  const end = Math.min(Math.trunc(center + stretch + 0.5), input)
  const raw = Array.from({ length: end - first }, (_, i) =>
    Math.max(0, 1 - Math.abs(first + i - center + 0.5) / stretch),
  )
  const sum = raw.reduce((a, b) => a + b, 0)
  return { first, weights: raw.map((w) => w / sum) }
}

/**
 * Width and height after the shorter side became `resize`; the longer one is rounded down, as
 * torchvision does.
 */
export function resizedExtent(
  width: number,
  height: number,
  resize: number,
): { width: number; height: number } {
  if (height <= width) return { width: Math.trunc((resize * width) / height), height: resize }
  return { width: resize, height: Math.trunc((resize * height) / width) }
}

/** Python's round: halves go to the even neighbor. */
export function roundHalfEven(value: number): number {
  const below = Math.floor(value)
  const rest = value - below
  if (rest !== 0.5) return Math.round(value)
  return below % 2 === 0 ? below : below + 1
}

/**
 * Resizes the shorter side to `resize` and cuts the middle `size` x `size` out, from round((n -
 * size) / 2) on each axis. Gives [3, size, size] in 0..1: y[c, oy, ox] = sum over iy, ix of wy[iy]
 * * wx[ix] * image[iy, ix, c] / 255.
 */
export function resizeCrop(
  image: RgbImage,
  { resize, size }: { readonly resize: number; readonly size: number },
): NdArray {
  const resized = resizedExtent(image.width, image.height, resize)
  if (size > resized.width || size > resized.height)
    throw new RangeError(`cannot cut ${size} out of ${resized.width} x ${resized.height}`)
  const top = roundHalfEven((resized.height - size) / 2)
  const left = roundHalfEven((resized.width - size) / 2)
  const columns = Array.from({ length: size }, (_, x) =>
    antialiasWeights(left + x, image.width, resized.width),
  )
  const y = zeros([3, size, size])
  for (let oy = 0; oy < size; oy++) {
    const vertical = antialiasWeights(top + oy, image.height, resized.height)
    columns.forEach((horizontal, ox) => {
      for (let c = 0; c < 3; c++) {
        let sum = 0
        vertical.weights.forEach((wy, dy) => {
          horizontal.weights.forEach((wx, dx) => {
            sum +=
              wy *
              wx *
              item(
                image.data,
                ((vertical.first + dy) * image.width + horizontal.first + dx) * 3 + c,
              )
          })
        })
        y.data[(c * size + oy) * size + ox] = sum / 255
      }
    })
  }
  return y
}

export interface CropFlipNormalizeOptions {
  readonly top: number
  readonly left: number
  readonly size: number
  readonly flip: boolean
  /** Per output channel: for 'bgr' the first is blue's. */
  readonly mean: readonly [number, number, number]
  readonly std: readonly [number, number, number]
  readonly scale: number
  readonly order: 'rgb' | 'bgr'
}

/**
 * x: [3, h, w] in RGB; gives [3, size, size]:
 *
 *     column = left + (flip ? size - 1 - ox : ox)
 *     y[c, oy, ox] = (x[order(c), top + oy, column] * scale - mean[c]) / std[c]
 *     order(c) = c for 'rgb', 2 - c for 'bgr'
 */
export function cropFlipNormalize(x: NdArray, options: CropFlipNormalizeOptions): NdArray {
  const { top, left, size, flip, mean, std, scale, order } = options
  const [h, w] = [item(x.shape, 1), item(x.shape, 2)]
  if (top < 0 || left < 0 || top + size > h || left + size > w)
    throw new RangeError(`crop of ${size} at ${top}, ${left} outside ${h} x ${w}`)
  const y = zeros([3, size, size])
  for (let c = 0; c < 3; c++) {
    const channel = order === 'bgr' ? 2 - c : c
    for (let oy = 0; oy < size; oy++) {
      for (let ox = 0; ox < size; ox++) {
        const value = at(x.data, (channel * h + top + oy) * w + left + (flip ? size - 1 - ox : ox))
        y.data[(c * size + oy) * size + ox] = (value * scale - item(mean, c)) / item(std, c)
      }
    }
  }
  return y
}
