import type { EpochResult } from '../events.ts'

export const monitors = ['loss', 'accuracy'] as const
/**
 * What decides whether an epoch is better than the ones before: the validation loss or the
 * validation accuracy.
 */
export type Monitor = (typeof monitors)[number]

/**
 * The best epoch by a monitor, the first of equals: an epoch has to be better than the best one so
 * far by more than `minDelta`. Of epochs with the same accuracy the one with the lower loss is
 * better: in small validations many have the same.
 * @returns its number, counted from 1; 0 if there are no epochs
 */
export function bestEpoch(epochs: readonly EpochResult[], monitor: Monitor, minDelta = 0): number {
  const value = ({ valLoss, valAccuracy }: EpochResult) =>
    monitor === 'loss' ? -valLoss : valAccuracy
  let best: EpochResult | null = null
  for (const epoch of epochs) {
    const gain = best ? value(epoch) - value(best) : Number.POSITIVE_INFINITY
    const breaksTie = best && gain === 0 && minDelta === 0 && epoch.valLoss < best.valLoss
    if (gain > minDelta || breaksTie) best = epoch
  }
  return best ? best.epoch : 0
}

/**
 * Whether `patience` epochs have passed without a better one: early stopping. It depends only on
 * the results, so a resumed run stops where it would have stopped without the interruption.
 */
export function outOfPatience(
  epochs: readonly EpochResult[],
  patience: number,
  monitor: Monitor,
  minDelta = 0,
): boolean {
  return epochs.length - bestEpoch(epochs, monitor, minDelta) >= patience && epochs.length > 0
}
