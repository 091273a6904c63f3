import type { VNode } from 'preact'
import { accuracyWithInterval, percent, pointsRange } from '../../base/format.ts'
import { bestScenarios, type Comparison, verdict } from '../../train/compareScenarios.ts'
import type { Scenario } from '../../transfer/scenario.ts'
import { lineDrawing, type Series } from './charts.ts'
import { Evidence } from './evidence.tsx'
import type { FigureView } from './figure.tsx'
import { intervalDrawing } from './intervals.ts'
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
export function FourWays({ comparison, budget, Figure, Heading = 'h2' }: FourWaysProps): VNode {
  const { scenarios, choice, chance } = comparison
  const contestants = [...scenarios]
  const series = contestants.map(([name, { points, plan }], i) => ({
    name,
    color: `var(--series-${i + 1})`,
    dashed: plan.frozen.length === 0,
    points: points.map(({ at, valAccuracy }) => ({ x: at, y: valAccuracy })),
  }))
  const ahead = bestScenarios(comparison)
  const longest = Math.max(...contestants.map(([, { seconds }]) => seconds))
  const chanceLine: Series = {
    name: 'most common class',
    color: 'var(--quiet)',
    dashed: true,
    points: [0, longest].map((x) => ({ x, y: chance.mostCommon })),
  }
  const lines = [...series, chanceLine]
  const header = [
    'scenario',
    'accuracy (95 %)',
    'points behind (95 %)',
    'what it does',
    'from',
    'in epoch',
    'epochs',
    'seconds',
  ]
  const rows = contestants.map(([name, one]) => [
    name,
    accuracyWithInterval(one.valAccuracy, one.interval),
    ahead.includes(name) ? (ahead.length > 1 ? 'tie' : 'best') : pointsRange(one.behind),
    `${descriptions[name]}${one.plan.cut ? `, cut after ${one.plan.cut}` : ''}`,
    one.plan.startsFrom,
    one.bestEpoch,
    one.epochs.toFixed(1),
    one.seconds.toFixed(1),
  ])
  const picked = contestants.findIndex(([name]) => name === choice.scenario)
  const reached = contestants.map(
    ([name, { valAccuracy, interval }]) =>
      `${name} reaches ${accuracyWithInterval(valAccuracy, interval)}`,
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
        accuracy of the best epoch.
      </p>
      <p>
        <strong>{verdict(comparison)}</strong> Auto picks <strong>{choice.scenario}</strong>:{' '}
        {choice.reason}
      </p>
      <div class="charts">
        <div>
          <p class="title">Accuracy by time</p>
          <Figure
            drawing={lineDrawing(lines, {
              x: 'seconds',
              y: 'validation accuracy',
              share: true,
              fromZero: true,
            })}
            label={`Validation accuracy against training time: ${reached.join(', ')}.`}
            series={lines}
          />
          <FoldedTable
            caption="Every epoch"
            header={['scenario', 'epoch', 'seconds', 'validation accuracy']}
            rows={points}
            numbers={[1, 2, 3]}
          />
        </div>
        <div>
          <p class="title">The best epoch of each</p>
          <Figure
            drawing={intervalDrawing(contestants, chance.mostCommon)}
            label={`Validation accuracy with 95 % intervals: ${reached.join(', ')}.`}
            series={[]}
          />
        </div>
      </div>
      <Heading>The four</Heading>
      <Table
        caption="The four scenarios"
        header={header}
        rows={rows}
        numbers={[1, 2, 5, 6, 7]}
        highlighted={picked}
      />
      <p class="quiet">
        The shaded row is auto's pick. In brackets, as points behind the best and as whiskers: 95 %
        intervals. Scenarios tie if the interval of their difference on the same images holds 0. The
        dashed line is what always naming the most common class gives, {percent(chance.mostCommon)}.
        Guessing gives {percent(chance.guessing)}.
      </p>
      <Heading>What auto measured</Heading>
      <Evidence choice={choice} />
    </>
  )
}
