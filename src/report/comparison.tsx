import { percent } from '../base/format.ts'
import type { Comparison } from '../train/compareScenarios.ts'
import type { Scenario } from '../transfer/scenario.ts'
import { Figure } from './figure.tsx'
import { renderPage } from './page.tsx'
import { lineDrawing } from './sections/charts.ts'
import { Evidence } from './sections/evidence.tsx'
import { FoldedTable, Table } from './sections/table.tsx'

/** Each scenario in a line. */
const descriptions: Readonly<Record<Scenario, string>> = {
  'small-similar': 'a new last layer on the frozen network',
  'small-different': 'a new layer on frozen early layers',
  'large-similar': 'everything trains, from the pretrained weights',
  'large-different': 'everything trains, from random weights',
}

/**
 * The four scenarios' accuracy against time, as one HTML file.
 * @param about.data what was trained on; `about.budget` the time or epochs that each had
 */
export function comparisonPage(
  { scenarios, choice }: Comparison,
  about: { readonly data: string; readonly budget: string },
): string {
  const title = `Four ways to train on ${about.data}`
  const contestants = [...scenarios]
  const series = contestants.map(([name, { points, plan }], i) => ({
    name,
    color: `var(--series-${i + 1})`,
    dashed: plan.frozen.length === 0,
    points: points.map(({ at, valAccuracy }) => ({ x: at, y: valAccuracy })),
  }))
  const best = contestants.reduce((a, b) => (b[1].valAccuracy > a[1].valAccuracy ? b : a))
  const header = [
    'scenario',
    'what it does',
    'from',
    'validation accuracy',
    'in epoch',
    'epochs',
    'seconds',
  ]
  const rows = contestants.map(([name, { plan, valAccuracy, bestEpoch, epochs, seconds }]) => [
    name,
    `${descriptions[name]}${plan.cut ? `, cut after ${plan.cut}` : ''}`,
    plan.startsFrom,
    percent(valAccuracy),
    bestEpoch,
    epochs.toFixed(1),
    seconds.toFixed(1),
  ])
  const picked = contestants.findIndex(([name]) => name === choice.scenario)
  const reached = contestants.map(
    ([name, { valAccuracy }]) => `${name} reaches ${percent(valAccuracy)}`,
  )
  const points = contestants.flatMap(([name, contestant]) =>
    contestant.points.map(({ epoch, at, valAccuracy }) => [
      name,
      epoch,
      at.toFixed(1),
      percent(valAccuracy),
    ]),
  )
  return renderPage(
    title,
    <>
      <h1>{title}</h1>
      <p class="quiet">
        {about.budget}; reading and compiling count, the last validation does not. Text and table
        give the accuracy of the epoch with the lowest validation loss.
      </p>
      <p>
        <strong>{best[0]}</strong> is best, with {percent(best[1].valAccuracy)}. Auto picks{' '}
        <strong>{choice.scenario}</strong>: {choice.reason}
      </p>
      <Figure
        drawing={lineDrawing(series, {
          x: 'seconds',
          y: 'validation accuracy',
          share: true,
          fromZero: true,
        })}
        label={`Validation accuracy against training time: ${reached.join(', ')}.`}
        series={series}
      />
      <FoldedTable
        caption="Every epoch"
        header={['scenario', 'epoch', 'seconds', 'validation accuracy']}
        rows={points}
        numbers={[1, 2, 3]}
      />
      <h2>The four</h2>
      <Table
        caption="The four scenarios"
        header={header}
        rows={rows}
        numbers={[3, 4, 5, 6]}
        highlighted={picked}
      />
      <p class="quiet">The shaded row is auto's pick.</p>
      <h2>What auto measured</h2>
      <Evidence choice={choice} />
    </>,
  )
}
