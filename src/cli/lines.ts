import { at } from '../base/at.ts'
import { printable } from '../base/printable.ts'
import { padded, widthOf } from '../base/textWidth.ts'

export type Cell = string | number

/** The terminal's columns. What is piped has room for everything. */
function terminalColumns(): number {
  return process.stdout.columns || Number.POSITIVE_INFINITY
}

/**
 * Columns two spaces apart; `right` names the columns that are aligned to the right. Where a
 * terminal is too narrow for that, one space apart, and the last column is broken between words:
 * where it stands or, if it has no room there, below the others.
 */
export function table(
  rows: readonly (readonly Cell[])[],
  { right = [] as readonly number[], indent = '', columns = terminalColumns() } = {},
): string[] {
  const texts = rows.map((row) => row.map((cell) => printable(String(cell))))
  // A row may have fewer cells than others.
  const most = (column: number) =>
    texts.reduce((width, row) => Math.max(width, widthOf(row[column] ?? '')), 0)
  const widths = (texts[0] ?? []).map((_, column) => most(column))
  const last = Math.max(0, widths.length - 1)
  const lastWidth = most(last)
  const others = widths.slice(0, last).reduce((sum, width) => sum + width, indent.length)
  const gap = others + 2 * last + lastWidth <= columns ? '  ' : ' '
  const line = (cells: readonly string[]) =>
    indent +
    cells
      .map((text, i) => padded(text, at(widths, i), right.includes(i) ? 'right' : 'left'))
      .join(gap)
  const room = columns - others - gap.length * last
  if (room >= lastWidth || right.includes(last)) return texts.map((cells) => line(cells).trimEnd())
  const words = texts.flatMap((cells) => wordsOf(cells[last] ?? ''))
  const below = words.some((word) => widthOf(word) > room)
  const start = below ? indent.length + 4 : columns - room
  return texts.flatMap((cells) => {
    const parts = wrap(cells[last] ?? '', columns - start)
    const beside = below ? '' : gap + (parts.shift() ?? '')
    return [
      (line(cells.slice(0, last)) + beside).trimEnd(),
      ...parts.map((part) => ' '.repeat(start) + part),
    ]
  })
}

/** What no line is broken in: sums, and words with a number before them, whose unit they may be. */
function wordsOf(text: string): string[] {
  return text.split(/(?<! \+)(?:(?<!(?:^|[ (±])-?[\d.,]*\d) | (?![\p{L}%+]))/u)
}

/** Breaks text between words into lines of at most `width` columns. */
function wrap(text: string, width: number): string[] {
  const lines: string[] = []
  let line = ''
  for (const word of wordsOf(text)) {
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

/** A sentence, broken into lines that the terminal has room for. */
export function sentence(text: string, columns = process.stdout.columns || maxColumns): string[] {
  return wrap(printable(text), Math.min(maxColumns, columns))
}

/** A help text, its paragraphs broken anew where the terminal ends; indented lines stay. */
export function reflowed(text: string, columns = process.stdout.columns || 80): string {
  return text.replace(/^\S.*(?:\n\S.*)*/gm, (paragraph) =>
    sentence(paragraph.replaceAll('\n', ' '), columns).join('\n'),
  )
}

/** A label and a command to type, on one line, so that it can be copied. */
export function labeledCommand(label: string, command: string): string {
  return label.padEnd(labelWidth) + command
}
