import { describe, expect, test } from 'vitest'
import { wilson } from '../../src/base/interval.ts'
import { type FindingKind, type Judged, verdictOf } from '../../src/report/verdict.ts'

/** Figures of a run of ten epochs that ended with these accuracies. */
function judged(change: {
  readonly trained?: number
  readonly hits?: number
  readonly of?: number
  readonly valLoss?: (epoch: number) => number
  readonly trainCounts?: readonly number[]
  readonly suspects?: readonly string[]
  readonly scenario?: Judged['scenario']
  readonly options?: Judged['options']
  readonly epochs?: number
}): Judged {
  const { trained = 0.93, hits = 900, of = 1000, valLoss = () => 0.4, epochs = 10 } = change
  const share = wilson(hits, of)
  return {
    scenario: change.scenario ?? 'small-similar',
    options: { epochs, ...change.options },
    epochs: Array.from({ length: epochs }, (_, i) => ({
      epoch: i + 1,
      trainLoss: 0.3,
      trainAccuracy: trained,
      valLoss: valLoss(i + 1),
      valAccuracy: hits / of,
      seconds: 1,
    })),
    keptEpoch: epochs,
    accuracy: share,
    baseline: { name: 'cat', share: 0.5 },
    perClass: ['cat', 'dog'].map((name) => ({
      name,
      pictures: of / 2,
      precision: share,
      recall: share,
    })),
    trainCounts: change.trainCounts ?? [200, 200],
    suspects: change.suspects ?? [],
  }
}

const cases: readonly (readonly [
  string,
  Parameters<typeof judged>[0],
  readonly FindingKind[],
  text: RegExp,
  changes?: object,
])[] = [
  [
    'good',
    {},
    ['good'],
    /^93\.0 % right on the images trained on, 90\.0 % on those held out: good/,
  ],
  [
    'a small gap that the interval explains',
    { trained: 0.88, hits: 15, of: 20 },
    ['good', 'few held out'],
    /good/,
  ],
  [
    'overfit',
    { trained: 1, hits: 760 },
    ['overfit'],
    /24 percentage points better/,
    { augment: true },
  ],
  [
    'overfit with augmentation, where everything trains',
    { trained: 1, hits: 760, scenario: 'large-similar', options: { augment: true } },
    ['overfit'],
    /overfits/,
    { scenario: 'small-similar' },
  ],
  [
    'overfit with a rising loss',
    { trained: 1, hits: 760, valLoss: (epoch) => 0.5 + 0.1 * Math.abs(epoch - 3) },
    ['overfit'],
    /the loss on new ones has risen since epoch 3/,
  ],
  [
    'unfinished',
    { trained: 0.8, hits: 780, valLoss: (epoch) => 2 / epoch },
    ['unfinished'],
    /still learning/,
    { epochs: 20 },
  ],
  [
    'underfit',
    { trained: 0.75, hits: 740 },
    ['underfit'],
    /it underfits/,
    { scenario: 'large-similar' },
  ],
  [
    'underfit where everything trains',
    { trained: 0.75, hits: 740, scenario: 'large-different' },
    ['underfit'],
    /it underfits/,
    { lr: 'find', epochs: 20 },
  ],
  ['chance', { trained: 0.55, hits: 510 }, ['chance'], /naming cat, which is right for 50\.0 %/],
  [
    'chance, learned by heart',
    { trained: 1, hits: 510 },
    ['chance'],
    /naming cat/,
    { augment: true },
  ],
  ['few held out', { trained: 0.9, hits: 17, of: 20 }, ['good', 'few held out'], /good/],
  ['imbalance', { trainCounts: [300, 30] }, ['good', 'imbalance'], /good/],
  ['no imbalance where a class is absent', { trainCounts: [300, 0] }, ['good'], /good/],
  ['label errors', { suspects: ['val/cat/1.jpg'] }, ['good', 'label errors'], /good/],
  ['nothing held out', { of: 0, hits: 0 }, ['not measured'], /No image was held out/],
  ['no epoch', { epochs: 0 }, ['good'], /^90\.0 % right on images held out: good/],
]

describe('a verdict', () => {
  const named = cases.map(([name, change, kinds, text, changes]) => ({
    ...{ name, change, kinds, text, changes },
  }))
  test.each(named)('$name', ({ change, kinds, text, changes }) => {
    const findings = verdictOf(judged(change))
    expect(findings.map(({ kind }) => kind)).toEqual(kinds)
    expect(findings[0]?.text).toMatch(text)
    if (changes) expect(findings[0]?.changes).toMatchObject(changes)
    for (const finding of findings) {
      expect(`${finding.text} ${finding.advice}`).not.toMatch(/NaN|undefined|null| {2}/)
      expect(finding.text).toMatch(/^[A-Z\d].*\.$/)
    }
  })

  test('what weighs rare classes already is not advised again', () => {
    const uneven = { trainCounts: [300, 30] }
    const changesOf = (options: Judged['options']) =>
      verdictOf(judged({ ...uneven, options })).at(-1)?.changes
    expect(changesOf({})).toEqual({ classWeights: 'balanced' })
    expect(changesOf({ classWeights: 'balanced' })).toBeUndefined()
  })
})
