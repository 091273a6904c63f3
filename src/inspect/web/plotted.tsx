import type * as Plot from '@observablehq/plot'
import { useEffect, useRef, useState } from 'preact/hooks'

type Chart = ReturnType<typeof Plot.plot>

interface PlottedProps {
  /** What the chart shows, for those who do not see it. */
  readonly label: string
  /** Makes the chart in a width; a new function draws it again. */
  readonly draw: (width: number) => Chart
  readonly widest?: number
  /** Told what the pointer is nearest to when it is clicked. */
  readonly onChoose?: (nearest: unknown) => void
}

/** A chart by Observable Plot, as wide as its place. */
export function Plotted({ label, draw, widest = 1100, onChoose }: PlottedProps) {
  const host = useRef<HTMLDivElement>(null)
  const [width, setWidth] = useState(0)
  useEffect(() => {
    const element = host.current
    if (!element) return
    const update = () => setWidth(Math.max(240, Math.min(widest, element.clientWidth)))
    const observer = new ResizeObserver(update)
    observer.observe(element)
    update()
    return () => observer.disconnect()
  }, [widest])
  useEffect(() => {
    if (!host.current || width === 0) return
    const chart = draw(width)
    chart.setAttribute('role', 'group')
    chart.setAttribute('aria-label', label)
    // Plot names its groups by aria-label, which needs a role.
    for (const group of Array.from(chart.querySelectorAll('g[aria-label]')))
      group.setAttribute('role', 'group')
    if (onChoose) chart.addEventListener('click', () => onChoose(chart.value))
    host.current.replaceChildren(chart)
  }, [width, draw, label])
  return <div class="chart" ref={host} />
}
