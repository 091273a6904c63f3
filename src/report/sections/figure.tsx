import type { VNode } from 'preact'
import type { Drawing, Series } from './charts.ts'

export interface FigureProps {
  readonly drawing: Drawing
  /** What the chart shows, in a sentence: a screen reader says it in place of the chart. */
  readonly label: string
  /** The lines of the chart, for its key. */
  readonly series?: readonly Series[]
}

/**
 * How a page shows a chart: the report as SVG in two widths, the web page at the width of its
 * place.
 */
export type FigureView = (props: FigureProps) => VNode

/** Names the lines of a chart where there are several. */
export function Key({ series }: { readonly series: readonly Series[] }): VNode | null {
  if (series.length < 2) return null
  return (
    <ul class="key" aria-hidden="true">
      {series.map(({ name, color, dashed }) => (
        <li key={name}>
          <i class={dashed ? 'dashed' : undefined} style={{ borderColor: color }} />
          {name}
        </li>
      ))}
    </ul>
  )
}
