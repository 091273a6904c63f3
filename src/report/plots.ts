import * as Plot from '@observablehq/plot'
import { parseHTML } from 'linkedom'
import { counted, percent } from '../base/format.ts'
import { axisText, confusionDrawing, type Drawing, lineDrawing, percentTicks } from './charts.ts'

/** A chart in two widths: the page shows the one that fits. */
export interface Chart {
  readonly wide: string
  readonly narrow: string
}

const widths = { wide: 720, narrow: 340 } as const

/** Draws as SVG; Plot works on any document, and the report is made where there is no browser. */
function draw(options: Drawing): Chart {
  const { document } = parseHTML('<!doctype html><html><body></body></html>')
  const at = (width: number) => {
    const svg = Plot.plot({
      ...options(width),
      width,
      document: document as unknown as Document,
      style: axisText,
    })
    // The page names the chart; its parts are in the table beside it.
    svg.setAttribute('aria-hidden', 'true')
    return svg.outerHTML
  }
  return { wide: at(widths.wide), narrow: at(widths.narrow) }
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
    x: {
      label: 'confidence',
      domain: [0, 1],
      tickFormat: percentTicks,
      ticks: width > 500 ? 10 : 5,
    },
    y: { label: 'accuracy', domain: [0, 1], tickFormat: percentTicks, grid: true },
    marks: [
      Plot.rect([...bins], {
        ...{
          x1: 'from',
          x2: 'to',
          y1: 0,
          y2: 'accuracy',
          fill: 'var(--series-1)',
          insetLeft: 1,
          insetRight: 1,
        },
        title: (bin: ReliabilityBin) =>
          `${counted(bin.count, 'image')}: ${percent(bin.confidence)} sure, ${percent(bin.accuracy)} right`,
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
 * Parts of a whole, as one bar for each. Where there is no room for the names beside the bars they
 * stand above them.
 * @param unit of the values
 */
export function barPlot(
  bars: readonly { readonly name: string; readonly value: number; readonly text: string }[],
  unit: string,
): Chart {
  const beside = 16 + 7 * Math.max(...bars.map(({ name }) => name.length))
  const order = bars.map(({ name }) => name)
  return draw((width) => {
    const above = beside > width / 3
    const [row, bar] = [above ? 46 : 30, 26]
    return {
      height: 60 + row * bars.length,
      marginBottom: 40,
      marginLeft: above ? 16 : beside,
      marginRight: 110,
      x: { label: unit, grid: true, ticks: width > 500 ? 8 : 3, zero: true },
      y: { label: null, domain: order, ...(above ? { axis: null } : {}), padding: 0 },
      marks: [
        Plot.barX([...bars], {
          x: 'value',
          y: 'name',
          fill: 'var(--series-1)',
          insetTop: row - bar + 2,
          insetBottom: 2,
        }),
        Plot.text([...bars], {
          x: 'value',
          y: 'name',
          text: 'text',
          textAnchor: 'start',
          dx: 6,
          dy: (row - bar) / 2,
          fill: 'var(--ink)',
        }),
        ...(above
          ? [
              Plot.text([...bars], {
                x: 0,
                y: 'name',
                text: 'name',
                textAnchor: 'start',
                dy: -12,
                fill: 'var(--ink)',
              }),
            ]
          : []),
      ],
    }
  })
}

/** Lines over a common axis, as `lineDrawing` says. */
export function linePlot(...lines: Parameters<typeof lineDrawing>): Chart {
  return draw(lineDrawing(...lines))
}

/** A confusion matrix, as `confusionDrawing` says. */
export function confusionPlot(...matrix: Parameters<typeof confusionDrawing>): Chart {
  return draw(confusionDrawing(...matrix))
}
