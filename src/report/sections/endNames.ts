import * as Plot from '@observablehq/plot'
import { widthOf } from '../../base/textWidth.ts'

/** The pixels of a bold letter in a chart, about. */
export const boldWidth = 8

/** Keeps a name readable where a line passes behind it. */
const halo = { stroke: 'var(--ground)', strokeWidth: 4 } as const

const lineHeight = 14
/** Between the end of a line and its name. */
const distance = 8

/** How far a name may move from its line's end, the nearest first. */
const moves = [0, 1, -1, 2, -2, 3, -3].map((lines) => lines * lineHeight)

interface Point {
  readonly x: number
  readonly y: number
}

/** A line with its name. */
interface Line {
  readonly name: string
  readonly color: string
  readonly points: readonly Point[]
}

/** A name's place in pixels: where it begins and ends, and its middle. */
interface Place {
  readonly from: number
  readonly to: number
  readonly y: number
}

/**
 * Each line's name at its end, where neither another name nor another line is in its way.
 * @param pixel a point's place in pixels
 * @param height of the lines' area, in pixels
 */
export function namesAtEnds(
  series: readonly Line[],
  pixel: (point: Point) => Point,
  height: number,
): Plot.Markish[] {
  const taken: Place[] = []
  const named = series.flatMap(({ name, color, points }) => {
    const end = points.at(-1)
    return end ? [{ name, color, end, points, at: pixel(end) }] : []
  })
  return named
    .sort((a, b) => a.at.y - b.at.y)
    .map(({ name, color, end, points, at: { x, y } }) => {
      const others = series.filter((other) => other.points !== points)
      const place = (dy: number): Place => {
        const from = x + distance
        return { from, to: from + boldWidth * widthOf(name), y: y + dy }
      }
      const beside = (one: Place) => taken.some((other) => overlap(one, other))
      const free = moves.filter((dy) => !beside(place(dy)) && y + dy >= 0 && y + dy <= height)
      const crossed = (dy: number) =>
        others.some((other) => crosses(other.points.map(pixel), place(dy)))
      const below = Math.max(y, ...taken.map((one) => one.y + lineHeight)) - y
      const dy = free.find((one) => !crossed(one)) ?? free[0] ?? below
      taken.push(place(dy))
      const at = { x: 'x', y: 'y', text: () => name, textAnchor: 'start' } as const
      return Plot.text([end], { ...at, dx: distance, dy, ...halo, fill: color, fontWeight: 600 })
    })
}

function overlap(one: Place, other: Place): boolean {
  return one.from < other.to && other.from < one.to && Math.abs(one.y - other.y) < lineHeight
}

/** Whether a line through points passes through a name's place. */
function crosses(points: readonly Point[], { from, to, y }: Place): boolean {
  return points.some((end, i) => {
    const start = points[i - 1] ?? end
    const [left, right] = [Math.max(from, start.x), Math.min(to, end.x)]
    if (left > right) return false
    const slope = end.x > start.x ? (end.y - start.y) / (end.x - start.x) : 0
    const heights = [left, right].map((x) => start.y + slope * (x - start.x))
    return Math.min(...heights) < y + lineHeight / 2 && Math.max(...heights) > y - lineHeight / 2
  })
}
