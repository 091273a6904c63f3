import * as Plot from '@observablehq/plot'
import { useLayoutEffect, useRef } from 'preact/hooks'
import { axisText } from '../report/sections/charts.ts'
import { type FigureProps, Key } from '../report/sections/figure.tsx'

/** A chart is at most this wide, in pixels. */
const maxWidth = 640

/** A chart as wide as its place, drawn again when the width or the data changes. */
export function Figure({ drawing, label, series = [] }: FigureProps) {
  const place = useRef<HTMLDivElement>(null)
  useLayoutEffect(() => {
    const element = place.current
    if (!element) return
    let drawn = 0
    const draw = () => {
      const width = Math.min(maxWidth, element.clientWidth)
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
      <Key series={series} />
      <div role="img" aria-label={label} ref={place} />
    </figure>
  )
}
