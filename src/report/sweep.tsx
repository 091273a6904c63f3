import * as Plot from '@observablehq/plot'
import { percent } from '../base/format.ts'
import { PageHeader } from '../look/header.tsx'
import { bestRow, type Sweep, type SweepRow } from '../train/sweep.ts'
import { Figure } from './figure.tsx'
import { renderPage } from './page.tsx'
import type { Drawing } from './sections/charts.ts'
import { Table } from './sections/table.tsx'

/** A choice of options in a few words. */
const nameOf = ({ options }: Sweep, { values }: SweepRow) =>
  values.map((value, i) => `${options[i]} ${value}`).join(', ')

const deviationText = (deviation: number | null) =>
  deviation === null ? '' : `${(100 * deviation).toFixed(1)} points`

/** A sweep as one HTML file: the accuracy of every choice, with every seed, and its deviation. */
export function sweepPage(sweep: Sweep, about: { readonly data: string }): string {
  const { options, seeds, rows } = sweep
  const title = `A sweep on ${about.data}`
  const best = bestRow(sweep)
  const reached = rows.map((row) => `${nameOf(sweep, row)}: ${percent(row.mean)}`)
  return renderPage(
    title,
    <>
      <PageHeader kind="comparison" title={title} />
      <p class="quiet">
        {rows.length} choices of {options.join(', ')}, each trained with {seeds}{' '}
        {seeds === 1 ? 'seed' : 'seeds'}. A seed divides the images too, where they do not say
        themselves which are for validation.
      </p>
      <Figure
        drawing={drawingOf(sweep)}
        label={`Validation accuracy of each choice: ${reached.join('; ')}.`}
      />
      <Table
        caption="Every choice"
        header={[...options, 'mean accuracy', 'deviation', 'each seed', 'failed']}
        rows={rows.map(({ values, mean, deviation, accuracies, failed }) => [
          ...values,
          accuracies.length ? percent(mean) : 'none',
          deviationText(deviation),
          accuracies.map(percent).join(', '),
          failed,
        ])}
        numbers={[options.length, options.length + 1, options.length + 3]}
        {...(best === null ? {} : { highlighted: best })}
      />
      <p class="quiet">
        The shaded row has the highest mean. The line of a choice is one standard deviation of its
        seeds to both sides of the mean, each small dot one training. Accuracy is that of the epoch
        that a run keeps.
      </p>
    </>,
  )
}

function drawingOf(sweep: Sweep): Drawing {
  const rows = sweep.rows.map((row) => ({
    ...row,
    name: nameOf(sweep, row),
    low: Math.max(0, row.mean - (row.deviation ?? 0)),
    high: Math.min(1, row.mean + (row.deviation ?? 0)),
  }))
  const each = rows.flatMap(({ name, accuracies }) => accuracies.map((value) => ({ name, value })))
  const longest = Math.max(...rows.map(({ name }) => name.length))
  return (width) => ({
    height: 60 + 32 * rows.length,
    marginLeft: Math.min(12 + 7 * longest, width / 2),
    marginRight: 28,
    marginBottom: 40,
    x: {
      label: 'validation accuracy',
      domain: [0, 1],
      grid: true,
      ticks: width > 500 ? 10 : 5,
      tickFormat: (value: number) => `${Math.round(100 * value)} %`,
    },
    y: { label: null, domain: rows.map(({ name }) => name) },
    marks: [
      Plot.ruleY(rows, {
        y: 'name',
        x1: 'low',
        x2: 'high',
        stroke: 'var(--series-1)',
        strokeWidth: 2,
      }),
      Plot.dot(each, { y: 'name', x: 'value', r: 2.5, stroke: 'var(--series-1)' }),
      Plot.dot(rows, { y: 'name', x: 'mean', r: 5, fill: 'var(--series-1)' }),
    ],
  })
}
