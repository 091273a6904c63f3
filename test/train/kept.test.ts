import { expect, test } from 'vitest'
import type { EpochResult } from '../../src/train/events.ts'
import type { FitOptions } from '../../src/train/fitOptions.ts'
import { keptEpochOf, keptText } from '../../src/train/kept.ts'

/** Epochs by validation accuracy and loss. */
const epochs = (...values: readonly (readonly [number, number])[]): EpochResult[] =>
  values.map(([valAccuracy, valLoss], i) => ({
    ...{ epoch: i + 1, trainLoss: 1, trainAccuracy: 0, valLoss, valAccuracy, seconds: 1 },
  }))
const run = epochs([0.4, 1], [0.457, 1.2], [0.457, 1.1], [0.42, 0.9])

test.each<[string, EpochResult[], Partial<FitOptions>, number, string]>([
  [
    'the best one, of equals the one with the lower loss',
    ...([run, {}, 3] as const),
    'epoch 3 of 4 kept, the best by validation accuracy: 45.7 %; the last had 42.0 %',
  ],
  [
    'the best by loss, which is the last',
    ...([run, { monitor: 'loss' }, 4] as const),
    'epoch 4 of 4 kept, the best by validation loss: 42.0 %; the highest was 45.7 %, in epoch 3',
  ],
  [
    'the last, as asked',
    ...([run, { keep: 'last' }, 4] as const),
    'epoch 4 of 4 kept, the last one: 42.0 %; the highest was 45.7 %, in epoch 3',
  ],
  ['a single one', run.slice(0, 1), {}, 1, 'epoch 1 kept, the only one: 40.0 %'],
])('%s', (_, epochs, options, kept, text) => {
  expect([keptEpochOf(epochs, options), keptText(epochs, options)]).toEqual([kept, text])
})

test('without epochs nothing is kept, and there is nothing to say', () => {
  expect(keptEpochOf([])).toBe(0)
  expect(() => keptText([])).toThrow(RangeError)
})
