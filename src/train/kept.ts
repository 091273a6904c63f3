import { at } from '../base/at.ts'
import { percent } from '../base/format.ts'
import type { EpochResult } from './events.ts'
import type { FitOptions } from './fitOptions.ts'
import { fillOptions } from './options/resolve.ts'
import { bestEpoch } from './recipe/bestEpoch.ts'

/** The number of the epoch whose weights a training keeps, by its options; 0 if there is none. */
export function keptEpochOf(
  epochs: readonly EpochResult[],
  options: Partial<FitOptions> = {},
): number {
  const { keep, monitor, minDelta } = fillOptions(options)
  return keep === 'best' ? bestEpoch(epochs, monitor, minDelta) : epochs.length
}

/**
 * Which epoch's weights a training with these options ended with, what it was judged by, and how
 * the others did.
 * @throws RangeError if there are no epochs
 * @example keptText(epochs) // epoch 12 of 20 kept, the best by validation accuracy: …
 */
export function keptText(
  epochs: readonly EpochResult[],
  options: Partial<FitOptions> = {},
): string {
  const { keep, monitor } = fillOptions(options)
  const number = keptEpochOf(epochs, options)
  const [kept, last] = [at(epochs, number - 1), at(epochs, epochs.length - 1)]
  const highest = at(epochs, bestEpoch(epochs, 'accuracy') - 1)
  const which =
    epochs.length === 1
      ? 'epoch 1 kept, the only one'
      : `epoch ${number} of ${epochs.length} kept, ` +
        (keep === 'best' ? `the best by validation ${monitor}` : 'the last one')
  return [
    `${which}: ${percent(kept.valAccuracy)}`,
    ...(kept === last ? [] : [`the last had ${percent(last.valAccuracy)}`]),
    ...(highest.valAccuracy > Math.max(kept.valAccuracy, last.valAccuracy)
      ? [`the highest was ${percent(highest.valAccuracy)}, in epoch ${highest.epoch}`]
      : []),
  ].join('; ')
}
