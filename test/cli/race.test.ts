import { expect, test } from 'vitest'
import { shareInterval } from '../../src/base/interval.ts'
import { bestWithin, overfittingText, raceRows, verdict } from '../../src/cli/raceText.ts'
import type { Point } from '../../src/train/compareScenarios.ts'
import { overfittingOf } from '../../src/train/overfitting.ts'

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

/** What is found at the end of a training with so many images held out. */
function found(points: readonly Point[], of = 100) {
  const last = points.at(-1)
  if (!last) throw new TypeError('no epochs')
  const value = last.valAccuracy
  return overfittingOf(points, last, { value, ...shareInterval(value, of), of })
}

test('overfitting is named when it is seen: images trained on are clearly better known', () => {
  const overfitted = epochs([0.7, 0.9, 0.6], [0.99, 0.8, 0.7], [1, 0.95, 0.7])
  expect(found(overfitted)).toMatchObject({
    gap: expect.closeTo(0.3),
    learned: { epoch: 3 },
    rise: { lowest: { epoch: 2 }, last: { epoch: 3 } },
  })
  expect(overfittingText('the graft', racer(70, overfitted))).toEqual([
    'the graft: 100.0 % right of the images trained on in epoch 3, while the loss in validation ' +
      'rises from 0.80 (epoch 2) to 0.95: it learns them by heart. Epoch 1, the best in ' +
      'validation, is kept.',
  ])
  const falling = epochs([0.7, 0.9, 0.6], [0.9, 0.8, 0.7])
  expect(found(falling)).toMatchObject({ rise: null, learned: null })
  expect(overfittingText('scratch', racer(70, falling))).toEqual([
    'scratch: 90.0 % right of the images trained on in epoch 2, and 70.0 % of those held out at ' +
      'the end: it overfits. Epoch 1, the best in validation, is kept.',
  ])
  expect(found(epochs([0.7, 0.8, 0.6], [0.79, 1.2, 0.7]))).toBe(null) // no more than 10 points
  expect(found(epochs([0.7, 0.8, 0.55]), 20)).toBe(null) // 20 images do not tell
  expect(overfittingText('scratch', racer(70, epochs([0.7, 0.8, 0.65])))).toEqual([])
})
