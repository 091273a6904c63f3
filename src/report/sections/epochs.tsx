import type { VNode } from 'preact'
import { useMemo } from 'preact/hooks'
import { percent } from '../../base/format.ts'
import type { EpochResult } from '../../train/events.ts'
import { lineDrawing, type Series } from './charts.ts'
import type { FigureView } from './figure.tsx'
import { FoldedTable } from './table.tsx'

interface EpochsProps {
  /** At least one. */
  readonly epochs: readonly EpochResult[]
  readonly last: EpochResult
  readonly Figure: FigureView
}

/** Accuracy and loss by epoch, as curves and as a table. */
export function Epochs({ epochs, last, Figure }: EpochsProps): VNode {
  const [accuracy, loss] = useMemo(() => {
    const [accuracy, loss] = [seriesOf(epochs, 'Accuracy'), seriesOf(epochs, 'Loss')]
    return [
      {
        series: accuracy,
        drawing: lineDrawing(accuracy, { x: 'epoch', y: 'accuracy', share: true }),
      },
      { series: loss, drawing: lineDrawing(loss, { x: 'epoch', y: 'loss', share: false }) },
    ] as const
  }, [epochs])
  const label = (what: string, heldOut: string, trainedOn: string) =>
    `${what} by epoch. After epoch ${last.epoch}: held out ${heldOut}, trained on ${trainedOn}.`
  return (
    <>
      <div class="charts">
        <div>
          <p class="title">Accuracy by epoch</p>
          <Figure
            {...accuracy}
            label={label('Accuracy', percent(last.valAccuracy), percent(last.trainAccuracy))}
          />
        </div>
        <div>
          <p class="title">Loss by epoch</p>
          <Figure
            {...loss}
            label={label('Loss', last.valLoss.toFixed(3), last.trainLoss.toFixed(3))}
          />
        </div>
      </div>
      <FoldedTable
        caption="Every epoch"
        header={[
          'epoch',
          'loss, trained on',
          'loss, held out',
          'accuracy, trained on',
          'accuracy, held out',
          'seconds',
        ]}
        rows={epochs.map((epoch) => [
          epoch.epoch,
          epoch.trainLoss.toFixed(4),
          epoch.valLoss.toFixed(4),
          percent(epoch.trainAccuracy),
          percent(epoch.valAccuracy),
          epoch.seconds.toFixed(1),
        ])}
        numbers={[0, 1, 2, 3, 4, 5]}
      />
    </>
  )
}

/** Two lines: the images held out, and those trained on. */
function seriesOf(epochs: readonly EpochResult[], what: 'Loss' | 'Accuracy'): readonly Series[] {
  const points = (part: 'train' | 'val') =>
    epochs.map((epoch) => ({ x: epoch.epoch, y: epoch[`${part}${what}`] }))
  return [
    { name: 'held out', color: 'var(--series-1)', points: points('val') },
    { name: 'trained on', color: 'var(--series-2)', points: points('train'), dashed: true },
  ]
}
