import * as Plot from '@observablehq/plot'
import { percent } from '../base/format.ts'
import { widthOf } from '../base/textWidth.ts'
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
      <PageHeader kind="sweep" title={title} />
      <p class="quiet">
        {rows.length} choices of {options.join(', ')}, each trained with {seeds}{' '}
        {seeds === 1 ? 'seed' : 'seeds'}. A seed divides the images too, where they do not say
        themselves which are for validation.
      </p>
      <div class="halves">
        <Figure
          drawing={drawingOf(sweep)}
          label={`Validation accuracy of each choice: ${reached.join('; ')}.`}
        />
        <Table
          caption="Every choice"
          header={['choice', ...options, 'mean accuracy', 'deviation', 'each seed', 'failed']}
          rows={rows.map(({ values, mean, deviation, accuracies, failed }, i) => [
            i + 1,
            ...values,
            accuracies.length ? percent(mean) : 'none',
            deviationText(deviation),
            accuracies.map(percent).join(', '),
            failed,
          ])}
          numbers={[1, 2, 4].map((column) => options.length + column)}
          {...(best === null ? {} : { highlighted: best })}
        />
      </div>
      <p class="quiet">
        The shaded row has the highest mean. The line of a choice is one standard deviation of its
        seeds to both sides of the mean, each small dot one training. Accuracy is that of the epoch
        that a run keeps.
      </p>
    </>,
  )
}

function drawingOf(sweep: Sweep): Drawing {
  const rows = sweep.rows.map((row, i) => ({
    ...row,
    name: `${i + 1}`,
    text: `${i + 1}: ${row.values.join(', ')}`,
    low: Math.max(0, row.mean - (row.deviation ?? 0)),
    high: Math.min(1, row.mean + (row.deviation ?? 0)),
  }))
  const each = rows.flatMap(({ name, accuracies }) => accuracies.map((value) => ({ name, value })))
  const longest = Math.max(...rows.map(({ text }) => widthOf(text)))
  return (width) => {
    // Numbers alone, as in the table, where the values would leave too little for the chart.
    const named = 12 + 7 * longest < width / 2
    const marginLeft = named ? 12 + 7 * longest : 40
    return {
      height: 60 + 32 * rows.length,
      marginLeft,
      marginRight: 28,
      marginBottom: 40,
      x: {
        label: 'validation accuracy',
        domain: [0, 1],
        grid: true,
        ticks: width - marginLeft > 450 ? 10 : 5,
        tickFormat: (value: number) => `${Math.round(100 * value)} %`,
      },
      y: {
        label: null,
        domain: rows.map(({ name }) => name),
        tickFormat: (name: string) => (named ? (rows[Number(name) - 1]?.text ?? name) : name),
      },
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
    }
  }
}
