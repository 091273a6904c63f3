import * as Plot from '@observablehq/plot'
import { at } from '../../base/at.ts'
import { counted, percent } from '../../base/format.ts'
import { shortened, widthOf } from '../../base/textWidth.ts'
import type { Bin } from '../statistics.ts'

/** One line of a chart. */
export interface Series {
  readonly name: string
  /** A CSS color; the page's --series-1 … --series-4 follow light and dark. */
  readonly color: string
  readonly points: readonly { readonly x: number; readonly y: number }[]
  readonly dashed?: boolean
}

/** What Plot draws for a width in pixels. */
export type Drawing = (width: number) => Plot.PlotOptions

/** The text of every chart's axes. */
export const axisText = {
  fontSize: '12px',
  background: 'transparent',
  color: 'var(--ink)',
} as const

/** Wide enough for more ticks and a taller chart. */
const isWide = (width: number) => width > 500

/** The pixels of a letter in a chart, about. */
const letterWidth = 7

/** 0.25 as '25 %', 0.005 as '0.5 %': no two ticks of an axis have the same text. */
const percentTicks = (value: number) => `${Number((100 * value).toFixed(2))} %`

/**
 * Lines over a common axis.
 * @param options.share whether y is a share, written in percent
 * @param options.fromZero whether x begins at 0, where nothing is measured yet
 */
export function lineDrawing(
  series: readonly Series[],
  options: {
    readonly x: string
    readonly y: string
    readonly share: boolean
    readonly fromZero?: boolean
  },
): Drawing {
  const { x, y, share, fromZero = false } = options
  const places = [
    ...(fromZero ? [0] : []),
    ...series.flatMap(({ points }) => points.map((point) => point.x)),
  ]
  const titleOf = (name: string) => (point: Series['points'][number]) =>
    `${name}, ${x} ${Number(point.x.toFixed(1))}: ${share ? percent(point.y) : point.y.toFixed(3)}`
  // At most one tick an epoch.
  const span = places.length ? Math.ceil(Math.max(...places) - Math.min(...places)) : 0
  return (width) => ({
    height: isWide(width) ? 300 : 240,
    marginLeft: 52,
    marginRight: 16,
    marginBottom: 40,
    x: {
      label: x,
      grid: false,
      nice: true,
      zero: fromZero,
      // Plot cannot derive a number format from a single epoch.
      ...(span
        ? { ticks: Math.min(isWide(width) ? 8 : 4, span) }
        : { ticks: places.slice(0, 1), tickFormat: String }),
    },
    y: {
      label: y,
      grid: true,
      nice: true,
      zero: true,
      ...(share ? { tickFormat: percentTicks } : {}),
    },
    marks: series.flatMap(({ name, color, points, dashed }) => {
      const line = { x: 'x', y: 'y', stroke: color }
      const data = [...points]
      return [
        Plot.line(data, { ...line, strokeWidth: 2, ...(dashed ? { strokeDasharray: '5 4' } : {}) }),
        ...(points.length <= 40
          ? [Plot.dot(data, { ...line, fill: color, r: 2.5, title: titleOf(name) })]
          : []),
      ]
    }),
  })
}

/** Image counts by true class (rows) and predicted class (columns), shaded by share of the row. */
export function confusionDrawing(
  names: readonly string[],
  counts: readonly (readonly number[])[],
): Drawing {
  const cells = counts.flatMap((row, actual) => {
    const total = row.reduce((a, b) => a + b, 0)
    return row.map((count, predicted) => ({
      actual,
      predicted,
      count,
      share: total ? count / total : 0,
    }))
  })
  const shown = cells.filter(({ count }) => count > 0)
  const longest = Math.max(...names.map(widthOf))
  const cell = { x: 'predicted', y: 'actual' }
  const text = { ...cell, text: 'count' }
  return (width) => {
    const margin = Math.min(width / 3, 20 + letterWidth * longest)
    const size = Math.min(44, (width - margin - 20) / names.length)
    const axis = {
      domain: names.map((_, i) => i),
      label: null,
      tickFormat: (index: number) =>
        shortened(at(names, index), Math.floor((margin - 16) / letterWidth)),
    }
    return {
      height: 4 + margin + size * names.length,
      marginLeft: margin,
      marginTop: 4,
      marginRight: Math.max(4, width - margin - size * names.length),
      marginBottom: margin,
      opacity: { domain: [0, 1], range: [0.04, 1] },
      x: { ...axis, tickRotate: -60 },
      y: axis,
      marks: [
        Plot.cell(cells, {
          ...cell,
          inset: 0.5,
          fill: 'var(--series-1)',
          fillOpacity: 'share',
          title: ({ actual, predicted, count }: (typeof cells)[number]) =>
            `${names[actual]}, taken for ${names[predicted]}: ${count}`,
        }),
        ...(size >= 16
          ? [
              Plot.text(
                shown.filter(({ share }) => share <= 0.5),
                { ...text, fill: 'var(--ink)' },
              ),
              Plot.text(
                shown.filter(({ share }) => share > 0.5),
                { ...text, fill: 'var(--on-series)' },
              ),
            ]
          : []),
      ],
    }
  }
}

/** Accuracy against confidence, with the diagonal that a calibrated network follows. */
export function reliabilityDrawing(bins: readonly Bin[]): Drawing {
  return (width) => ({
    height: isWide(width) ? 340 : 300,
    marginLeft: 52,
    marginBottom: 40,
    x: {
      label: 'confidence',
      domain: [0, 1],
      tickFormat: percentTicks,
      ticks: isWide(width) ? 10 : 5,
    },
    y: { label: 'accuracy', domain: [0, 1], tickFormat: percentTicks, grid: true },
    marks: [
      Plot.rect([...bins], {
        x1: 'from',
        x2: 'to',
        y1: 0,
        y2: 'accuracy',
        fill: 'var(--series-1)',
        insetLeft: 1,
        insetRight: 1,
        title: ({ count, confidence, accuracy }: Bin) =>
          `${counted(count, 'image')}: ${percent(confidence)} sure, ${percent(accuracy)} right`,
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
  })
}

/** A bar of a bar chart, with the text at its end. */
export interface Bar {
  readonly name: string
  readonly value: number
  readonly text: string
}

/**
 * Horizontal bars. Their names stand on the left, or above the bars where the chart is too narrow.
 * @param unit of the values
 */
export function barDrawing(bars: readonly Bar[], unit: string): Drawing {
  const besideWidth = 16 + letterWidth * Math.max(...bars.map(({ name }) => name.length))
  return (width) => {
    const above = besideWidth > width / 3
    const [rowHeight, barHeight] = [above ? 46 : 30, 26]
    const text = { y: 'name', textAnchor: 'start', fill: 'var(--ink)' } as const
    return {
      height: 60 + rowHeight * bars.length,
      marginBottom: 40,
      marginLeft: above ? 16 : besideWidth,
      marginRight: 110,
      x: { label: unit, grid: true, ticks: isWide(width) ? 8 : 3, zero: true },
      y: {
        label: null,
        domain: bars.map(({ name }) => name),
        padding: 0,
        ...(above ? { axis: null } : {}),
      },
      marks: [
        Plot.barX([...bars], {
          x: 'value',
          y: 'name',
          fill: 'var(--series-1)',
          insetTop: rowHeight - barHeight + 2,
          insetBottom: 2,
        }),
        Plot.text([...bars], {
          ...text,
          x: 'value',
          text: 'text',
          dx: 6,
          dy: (rowHeight - barHeight) / 2,
        }),
        ...(above ? [Plot.text([...bars], { ...text, x: 0, text: 'name', dy: -12 })] : []),
      ],
    }
  }
}
