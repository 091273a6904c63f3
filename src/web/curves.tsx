import { useMemo } from 'preact/hooks'
import { percent } from '../base/format.ts'
import { epochSeries, lineDrawing } from '../report/charts.ts'
import { epochTable } from '../report/epochTable.ts'
import { Table } from '../report/table.tsx'
import type { EpochResult } from '../train/events.ts'
import { ChartView } from './chart.tsx'

/** Accuracy and loss, epoch by epoch, as they come. */
export function Curves({ epochs }: { readonly epochs: readonly EpochResult[] }) {
  const charts = useMemo(() => {
    const [accuracy, loss] = [epochSeries(epochs, 'Accuracy'), epochSeries(epochs, 'Loss')]
    return [
      {
        series: accuracy,
        drawing: lineDrawing(accuracy, { x: 'epoch', y: 'accuracy', share: true }),
      },
      { series: loss, drawing: lineDrawing(loss, { x: 'epoch', y: 'loss', share: false }) },
    ] as const
  }, [epochs])
  const last = epochs.at(-1)
  if (!last) return <p class="quiet">The curves begin with the first finished epoch.</p>
  const [accuracy, loss] = charts
  return (
    <>
      <div class="charts">
        <ChartView
          {...accuracy}
          label={`Accuracy by epoch. After epoch ${last.epoch}: held out ${percent(last.valAccuracy)}, trained on ${percent(last.trainAccuracy)}.`}
        />
        <ChartView
          {...loss}
          label={`Loss by epoch. After epoch ${last.epoch}: held out ${last.valLoss.toFixed(3)}, trained on ${last.trainLoss.toFixed(3)}.`}
        />
      </div>
      <details>
        <summary>Every epoch as a table</summary>
        <Table {...epochTable(epochs)} />
      </details>
    </>
  )
}
