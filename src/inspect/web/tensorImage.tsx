import { useEffect, useMemo, useRef, useState } from 'preact/hooks'
import type { Field } from '../terms.ts'
import {
  draw,
  extentOf,
  type Layout,
  layoutOf,
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
  readonly filter: number
  /** The part that a number was made of, to be framed. */
  readonly field: Field | null
  readonly selected: readonly number[] | null
  readonly onChoose: (at: readonly number[]) => void
}

/**
 * One tensor as an image. The pointer, or the arrow keys, read a number; a click, or Enter, chooses
 * it.
 */
export function TensorImage({
  name,
  title,
  tensorKey,
  filter,
  field,
  selected,
  onChoose,
}: TensorImageProps) {
  const canvas = useRef<HTMLCanvasElement>(null)
  const [place, setPlace] = useState<Place>({ tile: 0, row: 0, column: 0 })
  const [reading, setReading] = useState(false)
  const tensor = valuesOf(tensorKey)
  const layout = tensor && layoutOf(tensor, name, filter)
  const palette: Palette = layout?.color
    ? 'color'
    : /^(d|weight|bias|p$)/.test(name)
      ? 'diverging'
      : 'sequential'
  const extent = useMemo(() => tensor && extentOf(tensor), [tensor])
  useEffect(() => {
    if (canvas.current && tensor && layout)
      draw(canvas.current, tensor, layout, palette, rangeOf(extent, palette), inspection.preprocess)
  }, [tensorKey, filter, name])
  if (!tensor || !layout) return null
  const [width, height] = sizeOf(layout)
  const scale = Math.max(1, Math.min(16, Math.floor(520 / width), Math.floor(420 / height)))
  const here = layout.index(place.tile, place.row, place.column)
  const value = tensor.values[here]
  const at = layout.at(place.tile, place.row, place.column)
  const kept = tensor.values.length < tensor.shape.reduce((a, b) => a * b, 1)
  const onPointerMove = (event: PointerEvent) => {
    const found = placeOf(event, layout)
    setReading(found !== null)
    if (found) setPlace(found)
  }
  const onKeyDown = (event: KeyboardEvent) => {
    const move = {
      ArrowLeft: [0, -1],
      ArrowRight: [0, 1],
      ArrowUp: [-1, 0],
      ArrowDown: [1, 0],
      PageUp: [0, 0, -1],
      PageDown: [0, 0, 1],
    }[event.key]
    if (event.key === 'Enter' || event.key === ' ') {
      event.preventDefault()
      onChoose(at)
    }
    if (!move) return
    event.preventDefault()
    setReading(true)
    setPlace(({ tile, row, column }) => ({
      tile: (tile + (move[2] ?? 0) + layout.tiles) % layout.tiles,
      row: (row + (move[0] ?? 0) + layout.height) % layout.height,
      column: (column + (move[1] ?? 0) + layout.width) % layout.width,
    }))
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
            if (found) onChoose(layout.at(found.tile, found.row, found.column))
          }}
        />
        {field ? <Frames field={field} layout={layout} /> : null}
        {selected ? <Frames field={cell(layout.place(selected))} layout={layout} /> : null}
        {reading ? <Frames field={cell(place)} layout={layout} /> : null}
      </div>
      <p class="readout" aria-live="polite">
        {reading && value !== undefined
          ? `${name}[${at.join(', ')}] = ${colors(tensor.values, here, layout, value)}`
          : palette === 'color'
            ? 'in its own colors'
            : extentText(extent)}
        {kept ? `; the first ${tensor.values.length.toLocaleString('en')} values` : ''}
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
  return [0, 1, 2].map((channel) => number(values[here + channel * plane] ?? Number.NaN)).join(', ')
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
