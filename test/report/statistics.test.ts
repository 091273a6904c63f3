import { expect, test } from 'vitest'
import { calibrationOf, classFigures, confusionOf, lossOf } from '../../src/report/statistics.ts'
import type { Outcome } from '../../src/train/outcomes.ts'

const outcome = (label: number, ...probabilities: number[]): Outcome => ({
  sample: { source: '', name: '', label },
  probabilities: Float32Array.from(probabilities),
})

test('calibration: the distance between confidence and accuracy, weighted by count', () => {
  const outcomes = [
    outcome(0, 0.95, 0.05),
    outcome(1, 0.95, 0.05),
    outcome(1, 0.25, 0.75),
    outcome(0, 1, 0),
  ]
  const { error, bins } = calibrationOf(outcomes)
  expect(bins.map(({ from, count, accuracy }) => [from, count, accuracy])).toEqual([
    [0.7, 1, 1],
    [0.9, 3, 2 / 3],
  ])
  // (1 · |0.75 − 1| + 3 · |2.9 / 3 − 2 / 3|) / 4
  expect(error).toBeCloseTo((0.25 + 0.9) / 4, 6)
})

test('precision, recall and losses', () => {
  const outcomes = [outcome(0, 0.9, 0.1, 0), outcome(0, 0.2, 0.8, 0), outcome(1, 0.1, 0.9, 0)]
  const confusion = confusionOf(outcomes, 3)
  expect(confusion).toEqual([
    [1, 1, 0],
    [0, 1, 0],
    [0, 0, 0],
  ])
  const figures = classFigures(['a', 'b', 'c'], confusion)
  expect(
    figures.map(({ pictures, precision, recall }) => [pictures, precision?.value, recall?.value]),
  ).toEqual([
    [2, 1, 0.5],
    [1, 0.5, 1],
    [0, undefined, undefined],
  ])
  expect(lossOf(outcome(1, 0.75, 0.25))).toBeCloseTo(Math.log(4), 6)
  expect(lossOf(outcome(1, 1, 0))).toBeGreaterThan(100)
})
