import * as Plot from '@observablehq/plot'
import { counted, percent } from '../../base/format.ts'
import { widthOf } from '../../base/textWidth.ts'
import type { Bin } from '../statistics.ts'
import { boldWidth, namesAtEnds } from './endNames.ts'

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
  const fitted = fittedTo(
    series.flatMap(({ points }) => points.map((point) => point.y)),
    share,
  )
  // At most one tick an epoch.
  const span = places.length ? Math.ceil(Math.max(...places) - Math.min(...places)) : 0
  const [first, last] = [Math.min(...places), Math.max(...places)]
  const [low, high] = fitted
  const marginRight = 14 + boldWidth * longestName(series)
  /** About where a point is drawn, and the height of what is drawn. */
  const pixelsOf = (width: number) => {
    const { height, marginTop, marginBottom } = lineFrame(width)
    const [across, down] = [width - marginLeft - marginRight, height - marginTop - marginBottom]
    const pixel = (point: Series['points'][number]) => ({
      x: ((point.x - first) / (last - first || 1)) * across,
      y: ((high - point.y) / (high - low)) * down,
    })
    return [pixel, down] as const
  }
  return (width) => ({
    ...lineFrame(width),
    marginLeft,
    marginRight: isWide(width) ? marginRight : 16,
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
      domain: fitted,
      ...(share ? { tickFormat: percentTicks } : {}),
    },
    marks: [
      ...series.flatMap(({ name, color, points, dashed }) => {
        const line = { x: 'x', y: 'y', stroke: color }
        const data = [...points]
        // Where dots are too many to see, they are still there for the pointer.
        const seen = points.length <= 40 ? { r: 2.5 } : { r: 5, opacity: 0 }
        return [
          Plot.line(data, {
            ...line,
            strokeWidth: 2,
            ...(dashed ? { strokeDasharray: '5 4' } : {}),
          }),
          Plot.dot(data, { ...line, ...seen, fill: color, title: titleOf(name) }),
        ]
      }),
      ...(isWide(width) ? namesAtEnds(series, ...pixelsOf(width)) : []),
    ],
  })
}

/** Room for the axis of a chart of lines. */
const marginLeft = 52

/** Height and vertical margins of a chart of lines. */
const lineFrame = (width: number) => ({
  height: isWide(width) ? 300 : 240,
  marginTop: 20,
  marginBottom: 40,
})

function longestName(series: readonly Series[]): number {
  return Math.max(0, ...series.map(({ name }) => widthOf(name)))
}

/** A range that the values fill: from 0 only where they come near it, and shares end at 1. */
function fittedTo(values: readonly number[], share: boolean): readonly [number, number] {
  const [low, high] = [Math.min(...values), Math.max(...values)]
  if (!(low <= high)) return [0, 1]
  const room = 0.08 * (high - low) || 0.1 * Math.abs(high) || 0.1
  return [
    low < 0.3 * high || low - room < 0 ? Math.min(0, low) : low - room,
    share ? Math.min(1, high + room) : high + room,
  ]
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
