import { printable } from '../base/printable.ts'

export type Cell = string | number

/** Columns two spaces apart; `right` names the columns that are aligned to the right. */
export function table(
  rows: readonly (readonly Cell[])[],
  { right = [] as readonly number[], indent = '' } = {},
): string[] {
  const texts = rows.map((row) => row.map((cell) => printable(String(cell))))
  // A row may have fewer cells than others.
  const widthOf = (column: number) => Math.max(...texts.map((row) => row[column]?.length ?? 0))
  return texts.map((row) => {
    const cells = row.map((text, i) =>
      right.includes(i) ? text.padStart(widthOf(i)) : text.padEnd(widthOf(i)),
    )
    return (indent + cells.join('  ')).trimEnd()
  })
}

/** Breaks text between words into lines of at most `width` columns. */
function wrap(text: string, width: number): string[] {
  const lines: string[] = []
  let line = ''
  for (const word of text.split(' ')) {
    if (line && line.length + 1 + word.length > width) {
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

/**
 * An object as one line of JSON. Line breaks of Unicode, control characters and marks that turn the
 * direction of text stand in it as escapes, so that every program sees one line, and a terminal the
 * text as it is.
 */
export function jsonLine(value: object): string {
  return JSON.stringify(value).replace(
    /[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]/gu,
    (mark) => `\\u${mark.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}
