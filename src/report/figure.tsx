import * as Plot from '@observablehq/plot'
import { parseHTML } from 'linkedom'
import type { VNode } from 'preact'
import { axisText, type Drawing } from './sections/charts.ts'
import { type FigureProps, Key } from './sections/figure.tsx'

/** Every chart is drawn twice; the page shows the one that fits. */
const widths = { wide: 600, narrow: 340 } as const

/** A chart with its key, as SVG: there is no browser where the report is written. */
export function Figure({ drawing, label, series = [] }: FigureProps): VNode {
  return (
    <figure>
      <Key series={series} />
      {(['wide', 'narrow'] as const).map((size) => (
        <div
          key={size}
          class={size}
          role="img"
          aria-label={label}
          dangerouslySetInnerHTML={{ __html: svgOf(drawing, widths[size]) }}
        />
      ))}
    </figure>
  )
}

/** Plot draws on any document. */
export function svgOf(drawing: Drawing, width: number): string {
  const { document } = parseHTML('<!doctype html><html><body></body></html>')
  const svg = Plot.plot({
    ...drawing(width),
    width,
    document: document as unknown as Document,
    style: axisText,
  })
  // The figure's label names the chart, and a table beside it holds its numbers.
  svg.setAttribute('aria-hidden', 'true')
  return svg.outerHTML
}
