import { useEffect, useMemo, useRef, useState } from 'preact/hooks'
import { at } from '../../base/at.ts'
import { thousands } from '../../base/format.ts'
import type { Field } from '../terms.ts'
import {
  draw,
  extentOf,
  type Layout,
  layoutOf,
  onlyTile,
  type Palette,
  type Place,
  type Range,
  rangeOf,
} from './images.ts'
import { inspection, valuesOf } from './model.ts'
import { number, shapeText } from './text.ts'

interface TensorImageProps {
  readonly name: string
  readonly title: string
  readonly tensorKey: string
  /** Of a weight, the filter to show. Default: the first. */
  readonly filter?: number
  /** The part of the input that a number was computed from, to be framed. */
  readonly field?: Field
  readonly selected?: readonly number[] | null
  readonly onSelect?: (at: readonly number[]) => void
  /** The only channel to show, of an activation. Default: all. */
  readonly channel?: number
  /** Told which number the pointer, or the keyboard, is on. */
  readonly onRead?: (at: readonly number[]) => void
}

/** What an image may take, in CSS pixels; less where its place is narrower. */
const largest = { width: 640, height: 480 } as const

/** One tensor as an image. Pointer or arrow keys read a number; a click, or Enter, selects it. */
export function TensorImage({
  name,
  title,
  tensorKey,
  filter = 0,
  field,
  selected,
  onSelect,
  channel,
  onRead,
}: TensorImageProps) {
  const canvas = useRef<HTMLCanvasElement>(null)
  const [place, setPlace] = useState<Place>({ tile: 0, row: 0, column: 0 })
  const [reading, setReading] = useState(false)
  const tensor = valuesOf(tensorKey)
  const whole = tensor && layoutOf(tensor, name, filter)
  const layout = whole && channel !== undefined ? onlyTile(whole, channel) : whole
  const palette: Palette = layout?.color
    ? 'color'
    : /^(d|weight|bias|p$)/.test(name)
      ? 'diverging'
      : 'sequential'
  const extent = useMemo(() => tensor && extentOf(tensor), [tensor])
  useEffect(() => {
    if (canvas.current && tensor && layout)
      draw(canvas.current, tensor, layout, palette, rangeOf(extent, palette), inspection.preprocess)
  }, [tensorKey, filter, name, channel])
  if (!tensor || !layout) return null
  const [width, height] = sizeOf(layout)
  const most = channel === undefined ? 16 : 64
  const scale = Math.max(
    1,
    Math.min(most, Math.floor(largest.width / width), Math.floor(largest.height / height)),
  )
  const here = layout.index(place.tile, place.row, place.column)
  const value = tensor.values[here]
  const index = layout.at(place.tile, place.row, place.column)
  const kept = tensor.values.length < tensor.shape.reduce((a, b) => a * b, 1)
  const read = (found: Place) => {
    setPlace(found)
    onRead?.(layout.at(found.tile, found.row, found.column))
  }
  const onPointerMove = (event: PointerEvent) => {
    const found = placeOf(event, layout)
    setReading(found !== null)
    if (found) read(found)
  }
  const onKeyDown = (event: KeyboardEvent) => {
    const move = {
      ArrowLeft: { row: 0, column: -1, tile: 0 },
      ArrowRight: { row: 0, column: 1, tile: 0 },
      ArrowUp: { row: -1, column: 0, tile: 0 },
      ArrowDown: { row: 1, column: 0, tile: 0 },
      PageUp: { row: 0, column: 0, tile: -1 },
      PageDown: { row: 0, column: 0, tile: 1 },
    }[event.key]
    if (event.key === 'Enter' || event.key === ' ') {
      event.preventDefault()
      onSelect?.(index)
    }
    if (!move) return
    event.preventDefault()
    setReading(true)
    read({
      tile: (place.tile + move.tile + layout.tiles) % layout.tiles,
      row: (place.row + move.row + layout.height) % layout.height,
      column: (place.column + move.column + layout.width) % layout.width,
    })
  }
  return (
    <figure class="tensor">
      <figcaption>
        {title} <span class="quiet">{shapeText(tensor.shape)}</span>
      </figcaption>
      <div class="canvas" style={{ width: `${scale * width}px`, maxWidth: '100%' }}>
        <canvas
          ref={canvas}
          tabIndex={0}
          role="img"
          aria-label={`${title}, ${shapeText(tensor.shape)}, ${extentText(extent)}`}
          style={{ aspectRatio: `${width} / ${height}` }}
          onPointerMove={onPointerMove}
          onPointerLeave={() => setReading(false)}
          onFocus={() => setReading(true)}
          onBlur={() => setReading(false)}
          onKeyDown={onKeyDown}
          onClick={(event) => {
            const found = placeOf(event, layout)
            if (found) onSelect?.(layout.at(found.tile, found.row, found.column))
          }}
        />
        {field ? <Frames field={field} layout={layout} /> : null}
        {selected ? <Frames field={cell(layout.place(selected))} layout={layout} /> : null}
        {reading ? <Frames field={cell(place)} layout={layout} /> : null}
      </div>
      <p class="readout" aria-live="polite">
        {reading && value !== undefined
          ? `${name}[${index.join(', ')}] = ${colors(tensor.values, here, layout, value)}`
          : palette === 'color'
            ? 'in its own colors'
            : extentText(extent)}
        {kept ? `; the first ${thousands(tensor.values.length)} values` : ''}
      </p>
    </figure>
  )
}

function extentText(extent: Range | null): string {
  if (!extent) return 'no finite value'
  return extent.low === extent.high
    ? number(extent.low)
    : `${number(extent.low)} to ${number(extent.high)}`
}

function colors(values: ArrayLike<number>, here: number, layout: Layout, value: number): string {
  if (!layout.color) return number(value)
  const plane = layout.height * layout.width
  return [0, 1, 2].map((channel) => number(at(values, here + channel * plane))).join(', ')
}

const sizeOf = ({ tiles, height, width, across }: Layout) =>
  [across * (width + 1) - 1, Math.ceil(tiles / across) * (height + 1) - 1] as const

function placeOf(event: MouseEvent, layout: Layout): Place | null {
  const box = (event.currentTarget as HTMLElement).getBoundingClientRect()
  const [width, height] = sizeOf(layout)
  const x = Math.floor(((event.clientX - box.left) / box.width) * width)
  const y = Math.floor(((event.clientY - box.top) / box.height) * height)
  const [column, row] = [x % (layout.width + 1), y % (layout.height + 1)]
  const tile =
    Math.floor(y / (layout.height + 1)) * layout.across + Math.floor(x / (layout.width + 1))
  return column < layout.width && row < layout.height && tile < layout.tiles && tile >= 0
    ? { tile, row, column }
    : null
}

/** One element as a field of its image. */
const cell = ({ tile, row, column }: Place): Field => ({
  channel: tile,
  channels: 1,
  top: row,
  left: column,
  height: 1,
  width: 1,
})

/** Frames a part of every tile that it reaches into. */
function Frames({ field, layout }: { readonly field: Field; readonly layout: Layout }) {
  const [width, height] = sizeOf(layout)
  const first = layout.color && layout.tiles === 1 ? 0 : field.channel
  const count =
    layout.color && layout.tiles === 1
      ? 1
      : first < 0
        ? 0
        : Math.min(field.channels, layout.tiles - first)
  return (
    <>
      {Array.from({ length: Math.max(0, count) }, (_, i) => {
        const tile = first + i
        const left = (tile % layout.across) * (layout.width + 1) + field.left
        const top = Math.floor(tile / layout.across) * (layout.height + 1) + field.top
        const style = {
          left: `${(100 * left) / width}%`,
          top: `${(100 * top) / height}%`,
          width: `${(100 * field.width) / width}%`,
          height: `${(100 * field.height) / height}%`,
        }
        return <span key={tile} class="frame" style={style} />
      })}
    </>
  )
}
