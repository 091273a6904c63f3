import { percent } from '../base/format.ts'
import type { EpochResult } from '../train/events.ts'
import type { TableProps } from './table.tsx'

const header = [
  'epoch',
  'loss, trained on',
  'loss, held out',
  'accuracy, trained on',
  'accuracy, held out',
  'seconds',
]

/** The figures of every epoch, for whoever reads no curves. */
export function epochTable(epochs: readonly EpochResult[]): TableProps {
  const rows = epochs.map((e) => [
    e.epoch,
    e.trainLoss.toFixed(4),
    e.valLoss.toFixed(4),
    percent(e.trainAccuracy),
    percent(e.valAccuracy),
    e.seconds.toFixed(1),
  ])
  return { caption: 'Every epoch', header, rows, numbers: [0, 1, 2, 3, 4, 5] }
}
