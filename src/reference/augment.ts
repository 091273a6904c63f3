import { at, item, type NdArray, ndArray, zeros } from './ndarray.ts'
import {
  antialiasWeights,
  type CropFlipNormalizeOptions,
  cropFlipNormalize,
  type RgbImage,
} from './resizeCrop.ts'

interface Rect {
  readonly top: number
  readonly left: number
  readonly height: number
  readonly width: number
}

/**
 * A window of `size` x `size` from (top, left) on of a part of an image that has been resized,
 * flipped or not: [3, size, size] in 0..1.
 */
export function view(
  image: RgbImage,
  part: Rect,
  resized: { readonly height: number; readonly width: number },
  window: {
    readonly top: number
    readonly left: number
    readonly size: number
    readonly flip: boolean
  },
): NdArray {
  const { top, left, size, flip } = window
  const y = zeros([3, size, size])
  for (let row = 0; row < size; row++) {
    const down = antialiasWeights(top + row, part.height, resized.height)
    for (let col = 0; col < size; col++) {
      const across = antialiasWeights(
        left + (flip ? size - 1 - col : col),
        part.width,
        resized.width,
      )
      for (let c = 0; c < 3; c++) {
        let sum = 0
        for (const [i, wy] of down.weights.entries()) {
          const line = (part.top + down.first + i) * image.width + part.left + across.first
          for (const [j, wx] of across.weights.entries())
            sum += wy * wx * item(image.data, 3 * (line + j) + c)
        }
        y.data[(c * size + row) * size + col] = sum / 255
      }
    }
  }
  return y
}

/** x [3, n, n] turned counter-clockwise about its middle, bilinear, with `fill` outside. */
export function turn(x: NdArray, degrees: number, fill: readonly number[]): NdArray {
  const n = item(x.shape, 1)
  const angle = (degrees * Math.PI) / 180
  const middle = (n - 1) / 2
  const y = zeros(x.shape)
  for (let c = 0; c < 3; c++) {
    const value = (row: number, col: number) =>
      row < 0 || col < 0 || row >= n || col >= n
        ? item(fill, c)
        : at(x.data, (c * n + row) * n + col)
    for (let row = 0; row < n; row++)
      for (let col = 0; col < n; col++) {
        const [dx, dy] = [col - middle, row - middle]
        const px = Math.cos(angle) * dx - Math.sin(angle) * dy + middle
        const py = Math.sin(angle) * dx + Math.cos(angle) * dy + middle
        const [left, top] = [Math.floor(px), Math.floor(py)]
        const [across, down] = [px - left, py - top]
        const upper = value(top, left) * (1 - across) + value(top, left + 1) * across
        const lower = value(top + 1, left) * (1 - across) + value(top + 1, left + 1) * across
        y.data[(c * n + row) * n + col] = upper * (1 - down) + lower * down
      }
  }
  return y
}

type Rgb = [number, number, number]

const clamp = (value: number) => Math.min(Math.max(value, 0), 1)
const grayOf = ([r, g, b]: Rgb) => 0.2989 * r + 0.587 * g + 0.114 * b

/** By way of HSV: hue in turns, saturation, value. */
function movedHue([r, g, b]: Rgb, shift: number): Rgb {
  const [value, least] = [Math.max(r, g, b), Math.min(r, g, b)]
  const chroma = value - least
  if (chroma === 0) return [r, g, b]
  const sixths =
    value === r ? (g - b) / chroma : value === g ? 2 + (b - r) / chroma : 4 + (r - g) / chroma
  const hue = (((sixths / 6 + shift) % 1) + 1) % 1
  const sector = Math.floor(6 * hue)
  const fraction = 6 * hue - sector
  const saturation = chroma / value
  const [p, q, t] = [
    value * (1 - saturation),
    value * (1 - saturation * fraction),
    value * (1 - saturation * (1 - fraction)),
  ]
  const sectors: Rgb[] = [
    [value, t, p],
    [q, value, p],
    [p, value, t],
    [p, q, value],
    [t, p, value],
    [value, p, q],
  ]
  return sectors[sector % 6] as Rgb
}

/** A change of the colors of x [3, n, n], as torchvision's adjust_… functions make it. */
function changeColors(
  x: NdArray,
  kind: 'brightness' | 'contrast' | 'saturation' | 'hue',
  amount: number,
): NdArray {
  const plane = x.data.length / 3
  const pixels = Array.from(
    { length: plane },
    (_, i): Rgb => [at(x.data, i), at(x.data, plane + i), at(x.data, 2 * plane + i)],
  )
  const mean = pixels.reduce((sum, rgb) => sum + grayOf(rgb), 0) / plane
  const blend = (rgb: Rgb, other: number) =>
    rgb.map((value) => clamp(amount * value + (1 - amount) * other)) as Rgb
  const changed = pixels.map((rgb) => {
    if (kind === 'brightness') return blend(rgb, 0)
    if (kind === 'contrast') return blend(rgb, mean)
    return kind === 'saturation' ? blend(rgb, grayOf(rgb)) : movedHue(rgb, amount)
  })
  const y = zeros(x.shape)
  for (const [i, rgb] of changed.entries())
    for (const [c, value] of rgb.entries()) y.data[c * plane + i] = value
  return y
}

/** y [3, n, n] with a rectangle of it set to 0. */
export function erase(y: NdArray, { top, left, height, width }: Rect): NdArray {
  const n = item(y.shape, 1)
  const data = Float64Array.from(y.data, (value, i) => {
    const [row, col] = [Math.floor(i / n) % n, i % n]
    return row >= top && row < top + height && col >= left && col < left + width ? 0 : value
  })
  return ndArray(data, y.shape)
}

type Kind = Parameters<typeof changeColors>[1]

/**
 * What one image undergoes: its view, a turn in degrees, changes of its colors in order, a part of
 * the result set to 0.
 */
export interface Augmented {
  readonly view: {
    readonly part: Rect
    readonly resized: { readonly height: number; readonly width: number }
    readonly top: number
    readonly left: number
    readonly flip: boolean
  }
  readonly rotation: number
  readonly colors: readonly { readonly kind: Kind; readonly amount: number }[]
  readonly erased: Rect | null
}

/** All of it in its order, normalized: [3, size, size]. */
export function augment(
  image: RgbImage,
  { view: seen, rotation, colors, erased }: Augmented,
  preprocess: Omit<CropFlipNormalizeOptions, 'top' | 'left' | 'flip'>,
): Float64Array {
  const { size, mean, scale, order } = preprocess
  let x = view(image, seen.part, seen.resized, {
    top: seen.top,
    left: seen.left,
    size,
    flip: seen.flip,
  })
  const fill = mean.map((value) => value / scale)
  if (rotation !== 0) x = turn(x, rotation, order === 'bgr' ? fill.reverse() : fill)
  for (const { kind, amount } of colors) x = changeColors(x, kind, amount)
  const y = cropFlipNormalize(x, { ...preprocess, top: 0, left: 0, flip: false })
  return (erased ? erase(y, erased) : y).data
}
