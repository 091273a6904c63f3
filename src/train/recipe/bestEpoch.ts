import type { EpochResult } from '../events.ts'

export const monitors = ['loss', 'accuracy'] as const
/**
 * What says whether an epoch is better than the ones before: the validation loss or the validation
 * accuracy.
 */
export type Monitor = (typeof monitors)[number]

/**
 * The epoch that a monitor thinks best, the first of equals: one has to be better than the best so
 * far by more than `minDelta`.
 * @returns its number, counted from 1; 0 where there is none
 */
export function bestEpoch(epochs: readonly EpochResult[], monitor: Monitor, minDelta = 0): number {
  const value = ({ valLoss, valAccuracy }: EpochResult) =>
    monitor === 'loss' ? -valLoss : valAccuracy
  let best: EpochResult | null = null
  for (const epoch of epochs) if (!best || value(epoch) > value(best) + minDelta) best = epoch
  return best?.epoch ?? 0
}

/**
 * Whether `patience` epochs have passed without a better one: early stopping. It asks the results
 * alone, so a run that goes on stops where it would have.
 */
export function outOfPatience(
  epochs: readonly EpochResult[],
  patience: number,
  monitor: Monitor,
  minDelta = 0,
): boolean {
  return epochs.length - bestEpoch(epochs, monitor, minDelta) >= patience && epochs.length > 0
}
