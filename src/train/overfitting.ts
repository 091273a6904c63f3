import type { Share } from '../base/interval.ts'
import type { EpochResult } from './events.ts'

/** Images trained on are right this much more often (of 0..1) than those held out. */
const clearGap = 0.1
/** The validation loss rises if it ends this far above its lowest value. */
const clearRise = 1.05
/** Nearly all images trained on are right, in an epoch that knows them by heart. */
const knowsAll = 0.995

/** Overfitting as it shows in the epochs of a training. */
export interface Overfitting<E extends EpochResult> {
  /** How much more often images trained on are right than those held out, of 0..1. */
  readonly gap: number
  /** The epoch with the lowest validation loss and the last one, where the loss has risen since. */
  readonly rise: { readonly lowest: E; readonly last: E } | null
  /** The first epoch that knows nearly all images trained on. */
  readonly learned: E | null
}

/**
 * Whether a training overfits in one of its epochs. This is the one definition of it: images
 * trained on are right more often than those held out, by more than 10 percentage points and by
 * more than chance explains (above the 95 % interval).
 * @param heldOut the accuracy of that epoch's network on the images held out
 */
export function overfittingOf<E extends EpochResult>(
  epochs: readonly E[],
  { trainAccuracy }: E,
  heldOut: Share,
): Overfitting<E> | null {
  const gap = trainAccuracy - heldOut.value
  const last = epochs.at(-1)
  if (!last || gap <= clearGap || trainAccuracy <= heldOut.high) return null
  const lowest = epochs.reduce((a, b) => (b.valLoss < a.valLoss ? b : a))
  return {
    gap,
    rise: last.valLoss > clearRise * lowest.valLoss ? { lowest, last } : null,
    learned: epochs.find((epoch) => epoch.trainAccuracy >= knowsAll) ?? null,
  }
}
