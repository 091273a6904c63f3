import { printable } from '../base/errors.ts'

export type Cell = string | number

/** Columns two spaces apart; `right` names the columns that are aligned to the right. */
export function table(
  rows: readonly (readonly Cell[])[],
  { right = [] as readonly number[], indent = '' } = {},
): string[] {
  const widths: number[] = []
  for (const row of rows)
    for (const [i, cell] of row.entries())
      widths[i] = Math.max(widths[i] ?? 0, printable(String(cell)).length)
  return rows.map((row) => {
    const cells = row.map((cell, i) => {
      const [text, width] = [printable(String(cell)), widths[i] ?? 0]
      return right.includes(i) ? text.padStart(width) : text.padEnd(width)
    })
    return (indent + cells.join('  ')).trimEnd()
  })
}

/** Breaks text between words into lines of at most `width` columns. */
export function wrap(text: string, width: number): string[] {
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

/** Columns that text is broken at: no more than reads well, or than the terminal has. */
const widest = 110
const labelWidth = 13

/** A label and what it stands for, broken into lines that stay in the second column. */
export function labeled(
  label: string,
  text: string,
  columns = process.stdout.columns || widest,
): string[] {
  const width = Math.max(2 * labelWidth, Math.min(widest, columns)) - labelWidth
  return wrap(printable(text), width).map(
    (line, i) => (i === 0 ? label : '').padEnd(labelWidth) + line,
  )
}

/**
 * A label and a command to type, which is one line however long it is: a break would be part of
 * what is copied.
 */
export function labeledCommand(label: string, command: string): string {
  return label.padEnd(labelWidth) + printable(command)
}
