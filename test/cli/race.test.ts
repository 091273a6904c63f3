import { expect, test } from 'vitest'
import { bestWithin, overfittingText, raceRows, verdict } from '../../src/cli/raceText.ts'
import type { Point } from '../../src/train/compareScenarios.ts'
import { overfittingOf } from '../../src/train/race.ts'

/** Epochs by their figures: accuracy in training, loss and accuracy in validation. */
const epochs = (...figures: readonly (readonly [number, number, number])[]): Point[] =>
  figures.map(([trainAccuracy, valLoss, valAccuracy], i) => ({
    epoch: i + 1,
    trainLoss: 1,
    trainAccuracy,
    valLoss,
    valAccuracy,
    seconds: 2,
    at: 2 * (i + 1),
  }))

/** A network that is right on so many of a hundred images. */
function racer(hits: number, points = epochs([0.5, 1, hits / 100])) {
  const right = Uint8Array.from({ length: 100 }, (_, i) => (i < hits ? 1 : 0))
  const [kept] = points
  if (!kept) throw new TypeError('no epochs')
  return { right, points, kept, seconds: 2 * points.length }
}

test.each([
  [
    80,
    40,
    50,
    /graft reaches 80\.0 % .* 40\.0 %: the graft is ahead; .* 50\.0 %, so what the trunk learned before helps\.$/,
  ],
  [
    80,
    40,
    79,
    /the graft is ahead; .* as well \(79\.0 %, a tie\), so most of the gain is that no trunk has to be trained\.$/,
  ],
  [
    50,
    50,
    50,
    /on 100 images that is a tie; .*what the trunk learned before does not show here\.$/,
  ],
  [40, 80, 20, /here training from scratch is ahead; .*helps\.$/],
  [40, 80, 70, /weights is ahead \(70\.0 %\): what this one learned hinders here\.$/],
])('%i, %i and %i of 100 right are read as they are', (graft, scratch, random, sentence) => {
  const said = verdict({ graft: racer(graft), scratch: racer(scratch), random: racer(random) })
  expect(said).toMatch(sentence)
  expect(said.match(/\.(\s|$)/g)?.length).toBe(1) // one sentence
})

test('a first epoch from scratch that takes longer than the graft is said to', () => {
  const slow = { ...racer(50), seconds: 9 }
  expect(verdict({ graft: racer(80), scratch: slow, random: racer(50) })).toMatch(
    /^In 2\.0 s the graft reaches 80\.0 %, .* 50\.0 % in 9\.0 s, which 1 epoch takes: the graft is/,
  )
})

test('the table compares the same seconds, and the same number of epochs', () => {
  const long = racer(80, epochs([0.5, 1, 0.6], [0.6, 0.9, 0.7], [0.7, 0.8, 0.8]))
  const short = racer(50, epochs([0.5, 1, 0.4], [0.5, 1, 0.5]))
  const { header, rows } = raceRows(
    new Map([
      ['graft', long],
      ['scratch', short],
    ] as const),
  )
  expect(header).toEqual(['', 'same time', 'in 2 epochs', 'epochs', 'kept', 'seconds'])
  expect(rows).toEqual([
    ['the graft', '80.0 %', '70.0 %', '3', '1', '6.0'],
    ['scratch', '50.0 %', '50.0 %', '2', '1', '4.0'],
  ])
  expect(bestWithin(long, 1)).toBe(0.6)
})

test('overfitting is named when it is seen: all images known, the loss in validation risen', () => {
  const overfitted = epochs([0.7, 0.9, 0.6], [0.99, 0.8, 0.7], [1, 0.95, 0.7])
  expect(overfittingOf(overfitted)).toMatchObject({
    learned: { epoch: 3 },
    lowest: { epoch: 2 },
    last: { epoch: 3 },
  })
  expect(overfittingText('the graft', racer(70, overfitted))).toEqual([
    'the graft: 100.0 % right of the images trained on in epoch 3, while the loss in validation ' +
      'rises from 0.80 (epoch 2) to 0.95: it learns them by heart. Epoch 1, the best in ' +
      'validation, is kept.',
  ])
  expect(overfittingOf(epochs([0.7, 0.9, 0.6], [1, 0.8, 0.7]))).toBe(null) // the loss still falls
  expect(overfittingOf(epochs([0.7, 0.8, 0.6], [0.9, 1.2, 0.6]))).toBe(null) // not all known
})
