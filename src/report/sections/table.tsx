import type { VNode } from 'preact'
import { widthOf } from '../../base/textWidth.ts'

export type Cell = string | number | VNode

export interface TableProps {
  /** Names the table for a screen reader. */
  readonly caption: string
  readonly header: readonly string[]
  /** The first cell of each row names it. */
  readonly rows: readonly (readonly Cell[])[]
  /** Columns of numbers, aligned to the right. */
  readonly numbers?: readonly number[]
  /** The row that stands out. */
  readonly highlighted?: number
}

/** What scrolls is a named region that the keyboard reaches (WCAG 2.1.1). */
export const scrollRegion = (label: string) =>
  ({ class: 'scroll', tabIndex: 0, role: 'region', 'aria-label': label }) as const

/** Longer texts in a cell are sentences. */
const mostOfName = 24

/** A table that scrolls where it is wider than its place. */
export function Table({ caption, header, rows, numbers = [], highlighted }: TableProps): VNode {
  const alignment = (column: number) => (numbers.includes(column) ? 'number' : undefined)
  // Columns of sentences get room for some words; names and the like take what they need.
  const isProse = header.map(
    (_, i) => !numbers.includes(i) && rows.some((row) => widthOf(String(row[i])) > mostOfName),
  )
  return (
    <div {...scrollRegion(caption)}>
      <table>
        <thead>
          <tr>
            {header.map((text, i) => (
              <th key={text} scope="col" class={alignment(i)}>
                {text}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row, r) => (
            <tr key={r} class={r === highlighted ? 'highlighted' : undefined}>
              {row.map((cell, i) =>
                i === 0 ? (
                  <th key={i} scope="row">
                    {isolated(cell)}
                  </th>
                ) : (
                  <td key={i} class={isProse[i] ? 'prose' : alignment(i)}>
                    {numbers.includes(i) ? cell : isolated(cell)}
                  </td>
                ),
              )}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}

/** Text in <bdi>: a name written from right to left does not turn the text beside it. */
const isolated = (cell: Cell) => (typeof cell === 'string' ? <bdi>{cell}</bdi> : cell)

/** A table that the reader unfolds. */
export function FoldedTable({ open, ...table }: TableProps & { readonly open?: boolean }): VNode {
  return (
    <details open={open}>
      <summary>{table.caption}</summary>
      <Table {...table} />
    </details>
  )
}
