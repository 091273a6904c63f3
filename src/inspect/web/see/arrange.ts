/** Where the boxes of the drawing lie: columns from left to right, in as many rows as it takes. */
import { at } from '../../../base/at.ts'

export interface Box {
  readonly width: number
  readonly height: number
}

export interface Placed extends Box {
  readonly x: number
  readonly y: number
  readonly row: number
  /** Where its row begins. */
  readonly top: number
}

export interface Arrangement {
  readonly places: readonly Placed[]
  readonly width: number
  readonly height: number
}

/** Between columns, where the arrows are; between rows; between boxes of one column. */
export const gaps = { column: 30, row: 34, box: 14 } as const

/** On both sides of a row, where arrows turn to the next one. */
const margin = gaps.column / 2

/**
 * Places boxes in columns by their level: what is computed from each other stands side by side,
 * branches one below the other.
 * @param levels the level of each box, from 0, in the order of computation
 * @param width what a row may take; a column that is wider has a row of its own
 */
export function arrange(
  levels: readonly number[],
  boxes: readonly Box[],
  width: number,
): Arrangement {
  const columns: number[][] = []
  for (const [i, level] of levels.entries()) {
    const column = columns[level] ?? []
    columns[level] = column
    column.push(i)
  }
  const of = (column: readonly number[]) => column.map((i) => at(boxes, i))
  const columnWidth = (column: readonly number[]) => Math.max(...of(column).map((b) => b.width))
  const columnHeight = (column: readonly number[]) =>
    of(column).reduce((sum, { height }) => sum + height, gaps.box * (column.length - 1))
  const rows: number[][][] = []
  let used = Number.POSITIVE_INFINITY
  for (const column of columns.filter((one) => one !== undefined)) {
    const wide = columnWidth(column)
    if (used + gaps.column + wide > width - 2 * margin) {
      rows.push([])
      used = -gaps.column
    }
    at(rows, rows.length - 1).push(column)
    used += gaps.column + wide
  }
  const places: Placed[] = []
  let [top, widest] = [0, 0]
  for (const [row, inRow] of rows.entries()) {
    const height = Math.max(...inRow.map(columnHeight))
    let x = margin
    for (const column of inRow) {
      const wide = columnWidth(column)
      let y = top + (height - columnHeight(column)) / 2
      for (const i of column) {
        const box = at(boxes, i)
        places[i] = { ...box, x: x + (wide - box.width) / 2, y, row, top }
        y += box.height + gaps.box
      }
      x += wide + gaps.column
    }
    widest = Math.max(widest, x - gaps.column + margin)
    top += height + gaps.row
  }
  return { places, width: widest, height: Math.max(0, top - gaps.row) }
}

/** An arrow from the right of one box to the left of another, around what lies between. */
export function arrow(from: Placed, to: Placed): string {
  const [x1, y1] = [from.x + from.width, from.y + from.height / 2]
  const [x2, y2] = [to.x - 3, to.y + to.height / 2]
  const bend = gaps.column / 2
  if (from.row !== to.row) {
    const between = to.top - gaps.row / 2
    return `M${x1} ${y1}h${bend}V${between}H${x2 - bend}V${y2}H${x2}`
  }
  if (x2 - x1 <= 2 * gaps.column)
    return `M${x1} ${y1}C${x1 + bend} ${y1} ${x2 - bend} ${y2} ${x2} ${y2}`
  const over = Math.min(from.y, to.y) - gaps.box / 2
  return `M${x1} ${y1}h${bend / 2}V${over}H${x2 - bend / 2}V${y2}H${x2}`
}
