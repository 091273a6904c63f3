import { expect, test } from 'vitest'
import { mostImages, mostOfCell, pickCells } from '../../src/report/gallery.ts'
import { baselineOf, suspectsOf } from '../../src/report/statistics.ts'
import { trainCommand } from '../../src/report/trainCommand.ts'
import type { Outcome } from '../../src/train/outcomes.ts'

const source = { read: async () => new Uint8Array() } as unknown as Outcome['sample']['source']

function outcome(label: number, predicted: number, sure: number, classes = 3): Outcome {
  const rest = (1 - sure) / (classes - 1)
  const probabilities = new Float32Array(classes).fill(rest)
  probabilities[predicted] = sure
  return { sample: { source, name: `${label}/${predicted} ${sure}`, label }, probabilities }
}

test('a cell shows its surest images; mistakes come first, the most frequent before others', () => {
  const sure = Array.from({ length: 9 }, (_, i) => 0.5 + i / 20)
  const picks = pickCells([
    ...sure.map((share) => outcome(0, 0, share)),
    outcome(1, 2, 0.9),
    outcome(1, 0, 0.6),
    outcome(1, 0, 0.8),
  ])
  expect(picks.map(({ actual, predicted, count }) => [actual, predicted, count])).toEqual([
    [1, 0, 2],
    [1, 2, 1],
    [0, 0, 9],
  ])
  expect(picks[2]?.outcomes.map(({ sample }) => sample.name)).toEqual(
    [...sure]
      .reverse()
      .slice(0, mostOfCell)
      .map((share) => `0/0 ${share}`),
  )
})

test('however many cells there are, the images are at most so many', () => {
  const classes = 40
  const all = Array.from({ length: classes * classes * 2 }, (_, i) =>
    outcome(Math.floor(i / 2) % classes, Math.floor(i / 2 / classes), 0.9, classes),
  )
  const shown = pickCells(all).reduce((sum, { outcomes }) => sum + outcomes.length, 0)
  expect(shown).toBe(mostImages)
})

test('labels are suspected by a network that is right on most others only', () => {
  const right = Array.from({ length: 9 }, () => outcome(0, 0, 0.9))
  const wrong = [outcome(0, 1, 0.99), outcome(0, 1, 0.9)]
  expect(suspectsOf([...right, ...wrong])).toEqual(['0/1 0.99'])
  expect(suspectsOf([...right.slice(0, 3), ...wrong])).toEqual([])
})

test('the baseline is the largest class of the images held out', () => {
  const confusion = [
    [1, 1],
    [5, 1],
  ]
  expect(baselineOf(['cat', 'dog'], confusion)).toEqual({ name: 'dog', share: 0.75 })
})

test.each([
  [{ data: 'photos', epochs: 20, optimizer: 'adam', cache: true, seed: 0 }, {}, 'photos'],
  [{ data: "my photos'", epochs: 3 }, {}, `'my photos'\\''' --epochs 3`],
  [{ data: 'photos', epochs: 20 }, { augment: true }, 'photos --augment'],
  [{ data: 'photos', cut: 'features.7' }, { cut: undefined }, 'photos'],
  [{ data: 'photos', cache: false }, {}, 'photos --no-cache'],
  [{ data: 'photos', optimizer: 'sgd', lr: 0.01 }, {}, 'photos --optimizer sgd'],
  [{ data: 'photos', optimizer: 'sgd', lr: 0.001 }, {}, 'photos --optimizer sgd --lr 0.001'],
  [{ data: 'photos', classWeights: { cat: 2, dog: 1 } }, {}, 'photos --class-weights cat=2,dog=1'],
])('%o with %o is trained by %s', (options, changes, rest) => {
  expect(trainCommand(options, changes)).toBe(`npx graft-webgpu train ${rest}`)
})

test('a run that does not record its images has no command', () => {
  expect(trainCommand({ epochs: 3 })).toBeNull()
})
