import * as Plot from '@observablehq/plot'
import { useLayoutEffect, useRef } from 'preact/hooks'
import { axisText, type Drawing, type Series } from '../report/charts.ts'

interface ChartProps {
  readonly drawing: Drawing
  /** What it shows, in a sentence: what a screen reader says in its place. */
  readonly label: string
  readonly series?: readonly Series[]
}

/** Pixels beyond which a chart gains nothing. */
const widest = 640

/** A chart as wide as its place, drawn again when that or its data changes. */
export function ChartView({ drawing, label, series = [] }: ChartProps) {
  const place = useRef<HTMLDivElement>(null)
  useLayoutEffect(() => {
    const element = place.current
    if (!element) return
    let drawn = 0
    const draw = () => {
      const width = Math.min(widest, element.clientWidth)
      if (width === drawn || width === 0) return
      drawn = width
      const svg = Plot.plot({ ...drawing(width), width, style: axisText })
      svg.setAttribute('aria-hidden', 'true')
      element.replaceChildren(svg)
    }
    const observer = new ResizeObserver(draw)
    observer.observe(element)
    draw()
    return () => observer.disconnect()
  }, [drawing])
  return (
    <figure class="chart">
      {series.length > 1 && (
        <ul class="key" aria-hidden="true">
          {series.map(({ name, color, dashed }) => (
            <li key={name}>
              <i class={dashed ? 'dashed' : undefined} style={{ borderColor: color }} />
              {name}
            </li>
          ))}
        </ul>
      )}
      <div role="img" aria-label={label} ref={place} />
    </figure>
  )
}
