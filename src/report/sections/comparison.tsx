import type { VNode } from 'preact'
import { percent } from '../../base/format.ts'
import type { Comparison } from '../../train/compareScenarios.ts'
import type { Scenario } from '../../transfer/scenario.ts'
import { lineDrawing } from './charts.ts'
import { Evidence } from './evidence.tsx'
import type { FigureView } from './figure.tsx'
import { FoldedTable, Table } from './table.tsx'

/** Each scenario in a line. */
const descriptions: Readonly<Record<Scenario, string>> = {
  'small-similar': 'a new last layer on the frozen network',
  'small-different': 'a new layer on frozen early layers',
  'large-similar': 'everything trains, from the pretrained weights',
  'large-different': 'everything trains, from random weights',
}

interface FourWaysProps {
  readonly comparison: Comparison
  /** The time or epochs that each had. */
  readonly budget: string
  readonly Figure: FigureView
  /** The level of its headings. */
  readonly Heading?: 'h2' | 'h3'
}

/** The four scenarios' accuracy against time, and what auto picks. */
export function FourWays({
  comparison: { scenarios, choice },
  budget,
  Figure,
  Heading = 'h2',
}: FourWaysProps): VNode {
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
  return (
    <>
      <p class="quiet">
        {budget}; reading and compiling count, the last validation does not. Text and table give the
        accuracy of the epoch with the lowest validation loss.
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
      <Heading>The four</Heading>
      <Table
        caption="The four scenarios"
        header={header}
        rows={rows}
        numbers={[3, 4, 5, 6]}
        highlighted={picked}
      />
      <p class="quiet">The shaded row is auto's pick.</p>
      <Heading>What auto measured</Heading>
      <Evidence choice={choice} />
    </>
  )
}
