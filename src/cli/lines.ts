import { at } from '../base/at.ts'
import { printable } from '../base/printable.ts'
import { padded, widthOf } from '../base/textWidth.ts'

export type Cell = string | number

/** Columns two spaces apart; `right` names the columns that are aligned to the right. */
export function table(
  rows: readonly (readonly Cell[])[],
  { right = [] as readonly number[], indent = '' } = {},
): string[] {
  const texts = rows.map((row) => row.map((cell) => printable(String(cell))))
  // A row may have fewer cells than others.
  const most = (column: number) =>
    texts.reduce((width, row) => Math.max(width, widthOf(row[column] ?? '')), 0)
  const widths = (texts[0] ?? []).map((_, column) => most(column))
  return texts.map((row) => {
    const cells = row.map((text, i) =>
      padded(text, at(widths, i), right.includes(i) ? 'right' : 'left'),
    )
    return (indent + cells.join('  ')).trimEnd()
  })
}

/** Breaks text between words into lines of at most `width` columns. */
function wrap(text: string, width: number): string[] {
  const lines: string[] = []
  let line = ''
  for (const word of text.split(' ')) {
    if (line && widthOf(line) + 1 + widthOf(word) > width) {
      lines.push(line)
      line = word
    } else line = line ? `${line} ${word}` : word
  }
  return line ? [...lines, line] : lines
}

/** Lines are at most this long, and no longer than the terminal. */
const maxColumns = 110
const labelWidth = 13

/** A label and its text, broken into lines that stay in the second column. */
export function labeled(
  label: string,
  text: string,
  columns = process.stdout.columns || maxColumns,
): string[] {
  const width = Math.max(2 * labelWidth, Math.min(maxColumns, columns)) - labelWidth
  return wrap(printable(text), width).map(
    (line, i) => (i === 0 ? label : '').padEnd(labelWidth) + line,
  )
}

/** A label and a command to type, on one line, so that it can be copied. */
export function labeledCommand(label: string, command: string): string {
  return label.padEnd(labelWidth) + command
}
