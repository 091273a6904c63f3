import type { VNode } from 'preact'

export type Cell = string | number | VNode

export interface TableProps {
  readonly caption: string
  readonly header: readonly string[]
  readonly rows: readonly (readonly Cell[])[]
  /** Columns of numbers, aligned to the right. */
  readonly numbers?: readonly number[]
  /** The row that stands out. */
  readonly chosen?: number
}

/** What scrolls is a named region that the keyboard reaches (WCAG 2.1.1). */
const scrolling = (label: string) =>
  ({ class: 'scroll', tabIndex: 0, role: 'region', 'aria-label': label }) as const

/**
 * A word of any length keeps to its column, and one that is read from the right does not turn what
 * stands beside it.
 */
const contained = (cell: Cell) => (typeof cell === 'string' ? <bdi>{cell}</bdi> : cell)

/** The first cell of each row names it. */
export function Table({ caption, header, rows, numbers = [], chosen }: TableProps): VNode {
  const kind = (column: number) => (numbers.includes(column) ? 'number' : undefined)
  return (
    <div {...scrolling(caption)}>
      <table>
        <thead>
          <tr>
            {header.map((text, i) => (
              <th key={text} scope="col" class={kind(i)}>
                {text}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row, r) => (
            <tr key={r} class={r === chosen ? 'chosen' : undefined}>
              {row.map((cell, i) =>
                i === 0 ? (
                  <th key={i} scope="row">
                    {contained(cell)}
                  </th>
                ) : (
                  <td key={i} class={kind(i)}>
                    {numbers.includes(i) ? cell : contained(cell)}
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
