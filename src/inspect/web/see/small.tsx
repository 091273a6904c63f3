import { useEffect, useRef } from 'preact/hooks'
import type { Values } from '../../terms.ts'
import { draw, extentOf, layoutOf, rangeOf } from '../images.ts'
import { inspection } from '../model.ts'
import type { Box } from './arrange.ts'
import { smallLayout } from './maps.ts'

/** A result, or the image in its own colors, drawn small. What it is stands beside it. */
export function Small({
  values,
  size,
  image = false,
}: {
  readonly values: Values
  readonly size: Box
  readonly image?: boolean
}) {
  const canvas = useRef<HTMLCanvasElement>(null)
  useEffect(() => {
    if (!canvas.current) return
    const layout = image ? layoutOf(values, 'x', 0) : smallLayout(values)
    const palette = image ? 'color' : 'sequential'
    const range = rangeOf(extentOf(values), palette)
    draw(canvas.current, values, layout, palette, range, inspection.preprocess)
  }, [values, image])
  return (
    <canvas
      class="small"
      ref={canvas}
      style={{ width: `${size.width}px`, height: `${size.height}px` }}
    />
  )
}
