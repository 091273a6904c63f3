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
  /** Counted through all rows. */
  readonly column: number
  /** Where its row begins. */
  readonly top: number
}

export interface Arrangement {
  readonly places: readonly Placed[]
  readonly rows: number
  readonly height: number
}

/** Between columns, where the arrows are; between rows; between boxes of one column. */
export const gaps = { column: 30, row: 34, box: 14 } as const

/** On both sides of a row, where arrows turn to the next one. */
const margin = gaps.column / 2

/** The most that columns move apart to fill their place. */
const mostSpread = 26

/**
 * Places boxes in columns by their level: what is computed from each other stands side by side,
 * branches one below the other. Rows are about equally wide, and fill their place if they can.
 * @param levels the level of each box, from 0, in the order of computation
 * @param width what a row may take; a column that is wider has a row of its own
 */
export function arrange(
  levels: readonly number[],
  boxes: readonly Box[],
  width: number,
): Arrangement {
  const columns: Column[] = []
  for (const level of [...new Set(levels)].sort((a, b) => a - b)) {
    const items = levels.flatMap((one, i) => (one === level ? [i] : []))
    const sizes = items.map((i) => at(boxes, i))
    columns.push({
      items,
      width: Math.max(...sizes.map((box) => box.width)),
      height: sizes.reduce((sum, { height }) => sum + height, gaps.box * (items.length - 1)),
    })
  }
  const rows = evenRows(columns, width)
  const [wide, most] = [widest(rows), Math.max(1, ...rows.map((row) => row.length - 1))]
  const gap = gaps.column + Math.max(0, Math.min(mostSpread, (width - wide) / most))
  const places: Placed[] = []
  let [top, number] = [0, 0]
  for (const [row, inRow] of rows.entries()) {
    const height = Math.max(...inRow.map((column) => column.height))
    let x = margin
    for (const column of inRow) {
      let y = top + (height - column.height) / 2
      for (const i of column.items) {
        const box = at(boxes, i)
        const left = x + (column.width - box.width) / 2
        places[i] = { ...box, x: left, y, row, column: number, top }
        y += box.height + gaps.box
      }
      x += column.width + gap
      number++
    }
    top += height + gaps.row
  }
  return { places, rows: rows.length, height: Math.max(0, top - gaps.row) }
}

/** Boxes of one level, by their place in the list. */
interface Column extends Box {
  readonly items: readonly number[]
}

/** As few rows as there can be, and the widest of them as narrow as it can be. */
function evenRows(columns: readonly Column[], width: number): Column[][] {
  let rows = rowsWithin(columns, width)
  while (true) {
    const narrower = rowsWithin(columns, widest(rows) - 1)
    if (narrower.length > rows.length || widest(narrower) >= widest(rows)) return rows
    rows = narrower
  }
}

function rowsWithin(columns: readonly Column[], width: number): Column[][] {
  const rows: Column[][] = []
  for (const column of columns) {
    const last = rows.at(-1)
    if (last && widest([[...last, column]]) <= width) last.push(column)
    else rows.push([column])
  }
  return rows
}

const widest = (rows: readonly (readonly Column[])[]) =>
  Math.max(
    0,
    ...rows.map((row) =>
      row.reduce((sum, { width }) => sum + gaps.column + width, 2 * margin - gaps.column),
    ),
  )

/** An arrow from the right of one box to the left of another, around what lies between. */
export function arrow(from: Placed, to: Placed): string {
  const [x1, y1] = [from.x + from.width, from.y + from.height / 2]
  const [x2, y2] = [to.x - 3, to.y + to.height / 2]
  const bend = gaps.column / 2
  if (from.row !== to.row) {
    const between = to.top - gaps.row / 2
    return `M${x1} ${y1}h${bend}V${between}H${x2 - bend}V${y2}H${x2}`
  }
  if (to.column === from.column + 1)
    return `M${x1} ${y1}C${x1 + bend} ${y1} ${x2 - bend} ${y2} ${x2} ${y2}`
  const over = Math.min(from.y, to.y) - gaps.box / 2
  return `M${x1} ${y1}h${bend / 2}V${over}H${x2 - bend / 2}V${y2}H${x2}`
}
