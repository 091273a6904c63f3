/** Tensors as images: which values make a tile, and what color each has. */
import * as Plot from '@observablehq/plot'
import { at } from '../../base/at.ts'
import type { Preprocess } from '../../nn/preprocess.ts'
import type { Values } from '../terms.ts'

/** How a tensor becomes an image: tiles of one plane each, or one tile of rows. */
export interface Layout {
  readonly tiles: number
  readonly height: number
  readonly width: number
  /** Tiles in a row of the image. */
  readonly across: number
  /** The flat index of a pixel of a tile; −1 where there is no element. */
  index(tile: number, row: number, column: number): number
  /** Coordinates of that element in the tensor. */
  at(tile: number, row: number, column: number): readonly number[]
  /** The place of an element, also in a tile that is not shown. */
  place(at: readonly number[]): Place
  /** Whether a tile shows three channels as red, green and blue. */
  readonly color: boolean
}

export interface Place {
  readonly tile: number
  readonly row: number
  readonly column: number
}

export type Palette = 'sequential' | 'diverging' | 'color'

/** The most tiles one image shows. */
const mostTiles = 512
/** A vector is broken into lines of 64 numbers, and so are the rows of a matrix of few rows. */
const [lineLength, fewRows] = [64, 32]

/**
 * Lays a tensor out.
 * @param filter which output filter of a convolution's weight is shown, where its tiles are input
 * channels
 */
export function layoutOf({ shape, values }: Values, name: string, filter: number): Layout {
  // Dimensions that the shape does not have are 1. An address may name fewer coordinates than the
  // tensor has: those it leaves out are 0.
  const [a = 1, b = 1, height = 1, width = 1] = shape
  const plane = height * width
  const kept = Math.floor(values.length / plane)
  if (shape.length === 4 && /^d?weight$/.test(name) && b === 3) {
    // The first convolution's filters are drawn in color, one a tile; of their gradients, each
    // channel is a tile.
    const channels = name === 'weight' ? 1 : 3
    const tiles = Math.min(channels * a, Math.floor((channels * kept) / 3), mostTiles)
    return {
      ...grid(tiles, height, width, channels === 1),
      index: (tile, row, column) => (3 / channels) * tile * plane + row * width + column,
      at: (tile, row, column) => [Math.floor(tile / channels), tile % channels, row, column],
      place: ([o = 0, c = 0, row = 0, column = 0]) => ({
        tile: channels * o + (channels === 3 ? c : 0),
        row,
        column,
      }),
    }
  }
  if (shape.length === 4) {
    const first = /^d?weight$/.test(name) ? filter : 0
    const color = name === 'x' && b === 3
    return {
      ...grid(color ? 1 : Math.min(b, mostTiles), height, width, color),
      index: (tile, row, column) => (first * b + tile) * plane + row * width + column,
      at: (tile, row, column) => [first, tile, row, column],
      place: ([n = 0, c = 0, row = 0, column = 0]) => ({
        tile: n !== first ? -1 : color ? 0 : c,
        row,
        column,
      }),
    }
  }
  if (shape.length === 2 && a > 1 && a <= fewRows && b > lineLength)
    // A few long rows, as in a layer of few classes: each becomes a tile of several lines.
    return {
      ...grid(
        Math.min(a, Math.floor(values.length / b)),
        Math.ceil(b / lineLength),
        lineLength,
        false,
      ),
      index: (tile, row, column) =>
        row * lineLength + column < b ? tile * b + row * lineLength + column : -1,
      at: (tile, row, column) => [tile, row * lineLength + column],
      place: ([tile = 0, place = 0]) => ({
        tile,
        row: Math.floor(place / lineLength),
        column: place % lineLength,
      }),
    }
  if (shape.length === 2 && a > 1)
    return {
      ...grid(1, Math.min(a, Math.floor(values.length / b), 256), Math.min(b, 1024), false),
      index: (_, row, column) => row * b + column,
      at: (_, row, column) => [row, column],
      place: ([row = 0, column = 0]) => ({ tile: 0, row, column }),
    }
  // A row of numbers, wrapped into lines.
  const length = shape.at(-1) ?? 1
  const line = Math.min(lineLength, length)
  return {
    ...grid(1, Math.ceil(length / line), line, false),
    index: (_, row, column) => (row * line + column < length ? row * line + column : -1),
    at: (_, row, column) => [...shape.slice(0, -1).map(() => 0), row * line + column],
    place: (at) => ({
      tile: 0,
      row: Math.floor((at.at(-1) ?? 0) / line),
      column: (at.at(-1) ?? 0) % line,
    }),
  }
}

/** One tile of a layout alone. */
export function onlyTile(layout: Layout, tile: number): Layout {
  return {
    ...layout,
    tiles: 1,
    across: 1,
    index: (_, row, column) => layout.index(tile, row, column),
    at: (_, row, column) => layout.at(tile, row, column),
    place: (at) => {
      const found = layout.place(at)
      return { ...found, tile: found.tile === tile ? 0 : -1 }
    },
  }
}

/** As close to a rectangle of 3 : 2 as tiles of this shape allow. */
function grid(tiles: number, height: number, width: number, color: boolean) {
  return {
    tiles,
    height,
    width,
    color,
    across: Math.max(1, Math.min(tiles, Math.ceil(Math.sqrt((1.5 * tiles * height) / width)))),
  }
}

const steps = 256
const tables = new Map<string, Uint8ClampedArray>()

/** The colors of a scheme, as bytes of red, green and blue. */
function table(scheme: 'viridis' | 'rdbu'): Uint8ClampedArray {
  const known = tables.get(scheme)
  if (known) return known
  const { apply } = Plot.scale({ color: { scheme, domain: [0, 1], type: 'linear' } }) as {
    apply(value: number): string
  }
  const colors = new Uint8ClampedArray(3 * steps)
  for (let i = 0; i < steps; i++) {
    const text = apply(scheme === 'rdbu' ? 1 - i / (steps - 1) : i / (steps - 1))
    const hex = /^#(..)(..)(..)/.exec(text)
    const parts = hex
      ? hex.slice(1).map((part) => Number.parseInt(part, 16))
      : [...text.matchAll(/\d+/g)].map(([part]) => Number(part))
    colors.set(parts.slice(0, 3), 3 * i)
  }
  tables.set(scheme, colors)
  return colors
}

export interface Range {
  readonly low: number
  readonly high: number
}

/** The least and the greatest of the finite values; null where there are none. */
export function extentOf({ values }: Values): Range | null {
  let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]
  for (let i = 0; i < values.length; i++) {
    const value = at(values, i)
    if (!Number.isFinite(value)) continue
    low = Math.min(low, value)
    high = Math.max(high, value)
  }
  return low > high ? null : { low, high }
}

/** The values at both ends of a palette: the extent, for a diverging palette around zero. */
export function rangeOf(extent: Range | null, palette: Palette): Range {
  if (!extent) return { low: 0, high: 1 }
  const { low, high } = extent
  if (palette !== 'diverging') return { low, high: high > low ? high : low + 1 }
  const size = Math.max(Math.abs(low), Math.abs(high)) || 1
  return { low: -size, high: size }
}

/** Draws a layout, one canvas pixel a value, with a pixel between tiles. */
export function draw(
  canvas: HTMLCanvasElement,
  tensor: Values,
  layout: Layout,
  palette: Palette,
  range: Range,
  preprocess: Preprocess,
): void {
  const { tiles, height, width, across } = layout
  const down = Math.ceil(tiles / across)
  canvas.width = across * (width + 1) - 1
  canvas.height = down * (height + 1) - 1
  const context = canvas.getContext('2d')
  if (!context) return
  const image = context.createImageData(canvas.width, canvas.height)
  const colors = palette === 'color' ? null : table(palette === 'diverging' ? 'rdbu' : 'viridis')
  const plane = height * width
  for (let tile = 0; tile < tiles; tile++)
    for (let row = 0; row < height; row++)
      for (let column = 0; column < width; column++) {
        const index = layout.index(tile, row, column)
        const value = tensor.values[index]
        if (index < 0 || value === undefined) continue
        const x = (tile % across) * (width + 1) + column
        const y = Math.floor(tile / across) * (height + 1) + row
        const pixel = 4 * (y * canvas.width + x)
        if (colors) {
          const place =
            3 * Math.round(((value - range.low) / (range.high - range.low)) * (steps - 1))
          image.data.set(colors.subarray(place, place + 3), pixel)
        } else
          for (let c = 0; c < 3; c++) {
            const channel = at(tensor.values, index + c * plane)
            image.data[pixel + (preprocess.order === 'bgr' ? 2 - c : c)] =
              255 * unit(channel, c, range, preprocess, layout)
          }
        image.data[pixel + 3] = 255
      }
  context.putImageData(image, 0, 0)
}

/** A channel as 0..1: an image without its normalization, a filter between its own extremes. */
function unit(
  value: number,
  channel: number,
  range: Range,
  { mean, std, scale }: Preprocess,
  layout: Layout,
): number {
  if (layout.tiles > 1) return (value - range.low) / (range.high - range.low)
  return (value * at(std, channel) + at(mean, channel)) / scale
}
