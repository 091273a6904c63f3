import * as Plot from '@observablehq/plot'
import { parseHTML } from 'linkedom'

/** One line of a chart. */
export interface Series {
  readonly name: string
  /** A CSS colour; the page's --series-1 … --series-4 follow light and dark. */
  readonly colour: string
  readonly points: readonly { readonly x: number; readonly y: number }[]
  readonly dashed?: boolean
}

/** A chart in two widths: the page shows the one that fits. */
export interface Chart {
  readonly wide: string
  readonly narrow: string
}

const widths = { wide: 720, narrow: 340 } as const
const axisText = { fontSize: '12px', background: 'transparent', color: 'var(--ink)' } as const

/** Draws as SVG; Plot works on any document, and the report is made where there is no browser. */
function draw(options: (width: number) => Plot.PlotOptions): Chart {
  const { document } = parseHTML('<!doctype html><html><body></body></html>')
  const at = (width: number) => {
    const svg = Plot.plot({ ...options(width), width, document: document as unknown as Document, style: axisText })
    // The page names the chart; its parts are in the table beside it.
    svg.setAttribute('aria-hidden', 'true')
    return svg.outerHTML
  }
  return { wide: at(widths.wide), narrow: at(widths.narrow) }
}

const percentTicks = (value: number) => `${Math.round(100 * value)} %`

/**
 * Lines over a common axis.
 * @param options.share whether y is a share, told in percent
 */
export function linePlot(series: readonly Series[], options: { readonly x: string; readonly y: string; readonly share: boolean }): Chart {
  const { x, y, share } = options
  return draw((width) => ({
    height: width > 500 ? 300 : 240,
    marginLeft: 52,
    marginRight: 16,
    marginBottom: 40,
    x: { label: x, grid: false, nice: true, ticks: width > 500 ? 8 : 4 },
    y: { label: y, grid: true, nice: true, zero: true, ...(share ? { tickFormat: percentTicks } : {}) },
    marks: series.flatMap(({ name, colour, points, dashed }) => {
      const line = { x: 'x', y: 'y', stroke: colour }
      const data = [...points]
      return [
        Plot.line(data, { ...line, strokeWidth: 2, ...(dashed ? { strokeDasharray: '5 4' } : {}) }),
        ...(points.length <= 40
          ? [Plot.dot(data, { ...line, fill: colour, r: 2.5, title: (p: { x: number; y: number }) => `${name}: ${p.y} at ${p.x}` })]
          : []),
      ]
    }),
  }))
}

/** One bin of a reliability diagram. */
export interface ReliabilityBin {
  /** Mean probability of the predicted class. */
  readonly confidence: number
  readonly accuracy: number
  readonly count: number
  readonly from: number
  readonly to: number
}

/** Accuracy against confidence, with the diagonal on which a calibrated network lies. */
export function reliabilityPlot(bins: readonly ReliabilityBin[]): Chart {
  return draw((width) => ({
    height: width > 500 ? 340 : 300,
    marginLeft: 52,
    marginBottom: 40,
    x: { label: 'confidence', domain: [0, 1], tickFormat: percentTicks, ticks: width > 500 ? 10 : 5 },
    y: { label: 'accuracy', domain: [0, 1], tickFormat: percentTicks, grid: true },
    marks: [
      Plot.rect([...bins], {
        ...{ x1: 'from', x2: 'to', y1: 0, y2: 'accuracy', fill: 'var(--series-1)', insetLeft: 1, insetRight: 1 },
        title: (bin: ReliabilityBin) => `${bin.count} pictures: ${percentTicks(bin.confidence)} sure, ${percentTicks(bin.accuracy)} right`,
      }),
      Plot.line(
        [
          [0, 0],
          [1, 1],
        ],
        { stroke: 'var(--ink)', strokeDasharray: '4 4' },
      ),
      Plot.dot([...bins], { x: 'confidence', y: 'accuracy', fill: 'var(--series-2)', r: 4 }),
    ],
  }))
}

/**
 * Parts of a whole, as one bar for each.
 * @param unit of the values
 */
export function barPlot(bars: readonly { readonly name: string; readonly value: number; readonly text: string }[], unit: string): Chart {
  const longest = Math.max(...bars.map(({ name }) => name.length))
  const order = bars.map(({ name }) => name)
  return draw((width) => ({
    height: 60 + 30 * bars.length,
    marginBottom: 40,
    marginLeft: Math.min(width / 2, 16 + 7 * longest),
    marginRight: 110,
    x: { label: unit, grid: true, ticks: width > 500 ? 8 : 3, zero: true },
    y: { label: null, domain: order },
    marks: [
      Plot.barX([...bars], { x: 'value', y: 'name', fill: 'var(--series-1)', inset: 2 }),
      Plot.text([...bars], { x: 'value', y: 'name', text: 'text', textAnchor: 'start', dx: 6, fill: 'var(--ink)' }),
    ],
  }))
}

/** Counts by true class (rows) and predicted class (columns), each shaded by its share of the row. */
export function confusionPlot(names: readonly string[], counts: readonly (readonly number[])[]): Chart {
  const cells = counts.flatMap((row, actual) => {
    const total = row.reduce((a, b) => a + b, 0)
    return row.map((count, predicted) => ({ actual, predicted, count, share: total ? count / total : 0 }))
  })
  const longest = Math.max(...names.map((name) => name.length))
  return draw((width) => {
    const margin = Math.min(width / 3, 20 + 7 * longest)
    const size = Math.min(44, (width - margin - 20) / names.length)
    const short = (limit: number) => (index: number) => {
      const name = names[index] ?? ''
      return name.length > limit ? `${name.slice(0, limit - 1)}…` : name
    }
    const named = short(Math.floor((margin - 16) / 7))
    const marks: Plot.Markish[] = [
      Plot.cell(cells, {
        ...{ x: 'predicted', y: 'actual', inset: 0.5, fill: 'var(--series-1)', fillOpacity: 'share' },
        title: (cell: (typeof cells)[number]) => `${names[cell.actual]}, taken for ${names[cell.predicted]}: ${cell.count}`,
      }),
    ]
    const shown = cells.filter(({ count }) => count > 0)
    if (size >= 16)
      marks.push(
        Plot.text(
          shown.filter(({ share }) => share <= 0.5),
          { x: 'predicted', y: 'actual', text: 'count', fill: 'var(--ink)' },
        ),
        Plot.text(
          shown.filter(({ share }) => share > 0.5),
          { x: 'predicted', y: 'actual', text: 'count', fill: 'var(--on-series)' },
        ),
      )
    const indices = names.map((_, i) => i)
    return {
      height: 4 + margin + size * names.length,
      marginLeft: margin,
      marginTop: 4,
      marginRight: Math.max(4, width - margin - size * names.length),
      marginBottom: margin,
      opacity: { domain: [0, 1], range: [0.04, 1] },
      x: { domain: indices, label: null, tickFormat: named, tickRotate: -60 },
      y: { domain: indices, label: null, tickFormat: named },
      marks,
    }
  })
}
