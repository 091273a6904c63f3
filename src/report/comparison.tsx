import { percent } from '../base/format.ts'
import type { Comparison } from '../train/compareScenarios.ts'
import type { Scenario } from '../transfer/scenario.ts'
import { EvidenceTable } from './evidence.tsx'
import { Figure, renderPage } from './page.tsx'
import { linePlot } from './plots.ts'
import { Table } from './table.tsx'

/** What each scenario does, in a line. */
const does: Readonly<Record<Scenario, string>> = {
  'small-similar': 'a new last layer on the frozen network',
  'small-different': 'a new layer on frozen early layers',
  'large-similar': 'everything trains, from the pretrained weights',
  'large-different': 'everything trains, from random weights',
}

/**
 * The four scenarios' accuracy against time, as one HTML file that needs nothing beside it.
 * @param about.data what was trained on, about.budget what each was given
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
    `${does[name]}${plan.cut ? `, cut after ${plan.cut}` : ''}`,
    plan.startsFrom,
    percent(valAccuracy),
    bestEpoch,
    epochs.toFixed(1),
    seconds.toFixed(1),
  ])
  const chosen = contestants.findIndex(([name]) => name === choice.scenario)
  const label = `Validation accuracy against training time: ${contestants.map(([name, { valAccuracy }]) => `${name} reaches ${percent(valAccuracy)}`).join(', ')}.`
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
      <p class="soft">
        {about.budget}; reading and compiling count, the last validation does not. Accuracy in words
        and table is that of the epoch with the least validation loss.
      </p>
      <p>
        <strong>{best[0]}</strong> did best, with {percent(best[1].valAccuracy)}. Auto would pick{' '}
        <strong>{choice.scenario}</strong>: {choice.reason}
      </p>
      <Figure
        chart={linePlot(series, {
          x: 'seconds',
          y: 'validation accuracy',
          share: true,
          fromZero: true,
        })}
        label={label}
        series={series}
        table={{
          caption: 'Every epoch',
          header: ['scenario', 'epoch', 'seconds', 'validation accuracy'],
          rows: points,
          numbers: [1, 2, 3],
        }}
      />
      <h2>The four</h2>
      <Table
        caption="The four scenarios"
        header={header}
        rows={rows}
        numbers={[3, 4, 5, 6]}
        chosen={chosen}
      />
      <p class="soft">The shaded row is auto's pick.</p>
      <h2>What auto measured</h2>
      <EvidenceTable choice={choice} />
    </>,
  )
}
