import * as Plot from '@observablehq/plot'
import { percent } from '../base/format.ts'
import { shortened, widthOf } from '../base/textWidth.ts'
import type { EpochResult } from '../train/events.ts'

/** One line of a chart. */
export interface Series {
  readonly name: string
  /** A CSS color; the page's --series-1 … --series-4 follow light and dark. */
  readonly color: string
  readonly points: readonly { readonly x: number; readonly y: number }[]
  readonly dashed?: boolean
}

/** What every epoch came to, on the images held out and on those trained on. */
export function epochSeries(
  epochs: readonly EpochResult[],
  what: 'Loss' | 'Accuracy',
): readonly Series[] {
  const points = (part: 'train' | 'val') =>
    epochs.map((epoch) => ({ x: epoch.epoch, y: epoch[`${part}${what}`] }))
  return [
    { name: 'held out', color: 'var(--series-1)', points: points('val') },
    { name: 'trained on', color: 'var(--series-2)', points: points('train'), dashed: true },
  ]
}

/** A chart for a width in pixels: what Plot draws wherever it is given a document. */
export type Drawing = (width: number) => Plot.PlotOptions

/** How every chart's axes are written. */
export const axisText = {
  fontSize: '12px',
  background: 'transparent',
  color: 'var(--ink)',
} as const

/** 0.25 as '25 %', 0.005 as '0.5 %': two ticks of an axis have two texts. */
export const percentTicks = (value: number) => `${Number((100 * value).toFixed(2))} %`

/**
 * Lines over a common axis.
 * @param options.share whether y is a share, told in percent
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
  const told = (name: string) => (point: Series['points'][number]) =>
    `${name}, ${x} ${Number(point.x.toFixed(1))}: ${share ? percent(point.y) : point.y.toFixed(3)}`
  // No marks between two epochs.
  const span = places.length ? Math.ceil(Math.max(...places) - Math.min(...places)) : 0
  return (width) => ({
    height: width > 500 ? 300 : 240,
    marginLeft: 52,
    marginRight: 16,
    marginBottom: 40,
    x: {
      ...{ label: x, grid: false, nice: true, zero: fromZero },
      // A single epoch is no range, from which a format could be told.
      ...(span
        ? { ticks: Math.min(width > 500 ? 8 : 4, span) }
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
          ? [Plot.dot(data, { ...line, fill: color, r: 2.5, title: told(name) })]
          : []),
      ]
    }),
  })
}

/**
 * Counts by true class (rows) and predicted class (columns), each shaded by its share of the row.
 */
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
  const longest = Math.max(...names.map(widthOf))
  return (width) => {
    const margin = Math.min(width / 3, 20 + 7 * longest)
    const size = Math.min(44, (width - margin - 20) / names.length)
    const named = (index: number) => shortened(names[index] ?? '', Math.floor((margin - 16) / 7))
    const marks: Plot.Markish[] = [
      Plot.cell(cells, {
        ...{
          x: 'predicted',
          y: 'actual',
          inset: 0.5,
          fill: 'var(--series-1)',
          fillOpacity: 'share',
        },
        title: (cell: (typeof cells)[number]) =>
          `${names[cell.actual]}, taken for ${names[cell.predicted]}: ${cell.count}`,
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
  }
}
