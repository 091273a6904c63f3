/** A result in small: the maps that answer most, or a vector folded into columns. */
import { at } from '../../../base/at.ts'
import type { Values } from '../../terms.ts'
import type { Layout } from '../images.ts'
import type { Box } from './arrange.ts'

/** How many maps stand side by side in a box. */
const across = (channels: number) =>
  channels <= 3 ? 1 : channels <= 48 ? 2 : channels <= 128 ? 3 : 4

/**
 * The size of a result's drawing in CSS pixels: maps shrink with their resolution, and the more of
 * them there are the more are drawn.
 * @param size height of the network's input
 */
export function drawnSize(shape: readonly number[], size: number): Box {
  const [, channels = 1, height, width] = shape
  if (shape.length === 4 && height && width) {
    const tile = Math.max(14, Math.min(84, Math.round(76 * Math.sqrt(height / size))))
    const count = across(channels)
    const side = count * tile + count - 1
    return { width: Math.round((side * width) / height), height: side }
  }
  const columns = columnsOf(channels)
  const cell = Math.max(1, Math.min(12, Math.floor(84 / Math.ceil(channels / columns))))
  return { width: columns * cell, height: Math.ceil(channels / columns) * cell }
}

/** A vector of up to 42 numbers is one column; a longer one has more, twice as high as wide. */
const columnsOf = (length: number) => (length <= 42 ? 1 : Math.ceil(Math.sqrt(length / 2)))

/** The channels that answer most on average, the strongest first. */
export function strongest({ shape, values }: Values, count: number): number[] {
  const [, channels = 1, height = 1, width = 1] = shape
  const plane = height * width
  const kept = Math.min(channels, Math.floor(values.length / plane))
  const means = Array.from({ length: kept }, (_, channel) => {
    let sum = 0
    for (let i = channel * plane; i < (channel + 1) * plane; i++) sum += Math.abs(at(values, i))
    return { channel, sum: Number.isFinite(sum) ? sum : 0 }
  })
  return means
    .sort((a, b) => b.sum - a.sum)
    .slice(0, count)
    .map(({ channel }) => channel)
}

/** The layout of a result in small. */
export function smallLayout(values: Values): Layout {
  const { shape } = values
  const [, channels = 1, height = 1, width = 1] = shape
  if (shape.length === 4) {
    const plane = height * width
    const shown = strongest(values, across(channels) ** 2).sort((a, b) => a - b)
    const channelOf = (tile: number) => at(shown, tile)
    return {
      tiles: shown.length,
      height,
      width,
      across: across(channels),
      color: false,
      index: (tile, row, column) => channelOf(tile) * plane + row * width + column,
      at: (tile, row, column) => [0, channelOf(tile), row, column],
      place: ([, channel = 0, row = 0, column = 0]) => ({
        tile: shown.indexOf(channel),
        row,
        column,
      }),
    }
  }
  const columns = columnsOf(channels)
  const rows = Math.ceil(channels / columns)
  return {
    tiles: 1,
    height: rows,
    width: columns,
    across: 1,
    color: false,
    index: (_, row, column) => (column * rows + row < channels ? column * rows + row : -1),
    at: (_, row, column) => [0, column * rows + row],
    place: ([, i = 0]) => ({ tile: 0, row: i % rows, column: Math.floor(i / rows) }),
  }
}
