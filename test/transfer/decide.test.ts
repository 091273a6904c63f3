import { describe, expect, test } from 'vitest'
import { areMany, decide, headOptions } from '../../src/transfer/decide.ts'
import type { Depth, Evidence } from '../../src/transfer/evidence.ts'

const parts: Readonly<Record<string, Depth['part']>> = {
  'features.5': 'early',
  'features.7': 'early',
  'features.12': 'last features',
  'classifier.2': 'hidden FC',
  'classifier.5': 'last hidden FC',
}

const around = (value: number, half: number) => ({ value, low: value - half, high: value + half })

/** Evidence by expected accuracies, of depths whose differences are known to 4 points. */
function evidence(
  expected: Readonly<Record<string, number>>,
  more: Partial<Evidence> = {},
): Evidence {
  const best = Math.max(...Object.values(expected))
  const depths = Object.entries(expected).map(
    ([layer, accuracy]): Depth => ({
      ...{ layer, part: parts[layer] ?? 'early', features: 100, accuracy },
      ...{
        interval: { low: accuracy - 0.03, high: accuracy + 0.03 },
        expected: accuracy,
        behind: around(best - accuracy, accuracy === best ? 0 : 0.04),
        validation: accuracy - 0.01,
        validationOfHalf: accuracy - 0.02,
      },
    }),
  )
  const counts = {
    images: 2400,
    classes: 6,
    sampled: 1000,
    sampledClasses: 6,
    folds: 3,
    chance: 1 / 6,
    validation: 300,
    sampledValidation: 300,
    steps: 1500,
    seconds: 1,
    readSeconds: 0.5,
    seed: 0,
  }
  return { ...counts, pretrained: true, depths, ...more }
}

const atTheEnd = {
  'features.5': 0.5,
  'features.7': 0.55,
  'features.12': 0.7,
  'classifier.2': 0.75,
  'classifier.5': 0.8,
}
const early = {
  'features.5': 0.5,
  'features.7': 0.75,
  'features.12': 0.7,
  'classifier.2': 0.65,
  'classifier.5': 0.6,
}
const nothing = { 'features.5': 0.17, 'features.12': 0.18, 'classifier.5': 0.16 }

describe('decide', () => {
  test.each<
    [string, Evidence, { scenario: string; replace: string; cut: string | null; says: RegExp }]
  >([
    [
      'few, the last layer reads best',
      evidence(atTheEnd),
      {
        scenario: 'small-similar',
        replace: 'last',
        cut: null,
        says: /2,400 images of 6 classes are few \(under 10,000\).*classifier\.5 \(80\.0 % \(77\.0 to 83\.0\)\)/,
      },
    ],
    [
      'few, the features read best',
      evidence({ ...atTheEnd, 'features.12': 0.9 }),
      { scenario: 'small-similar', replace: 'all', cut: null, says: /features\.12/ },
    ],
    [
      'few, the first hidden layer reads best',
      evidence({ ...atTheEnd, 'classifier.2': 0.9 }),
      { scenario: 'small-similar', replace: 'all', cut: 'classifier.2', says: /classifier\.2/ },
    ],
    [
      'few, an early layer reads best',
      evidence(early),
      {
        scenario: 'small-different',
        replace: 'all',
        cut: 'features.7',
        says: /after features\.7 .*and not at the end \(features\.12: 70\.0/,
      },
    ],
    [
      'few, nothing is read',
      evidence(nothing),
      {
        scenario: 'large-similar',
        replace: 'last',
        cut: null,
        says: /not shown to be better than always naming the most common class/,
      },
    ],
    [
      'few, nothing is read by random weights',
      evidence(nothing, { pretrained: false }),
      { scenario: 'large-different', replace: 'last', cut: null, says: /random frozen features/ },
    ],
    [
      'few, random weights of which an early layer reads best',
      evidence(early, { pretrained: false }),
      {
        scenario: 'small-different',
        replace: 'all',
        cut: 'features.7',
        says: /nothing is pretrained/,
      },
    ],
    [
      'many, like',
      evidence(atTheEnd, { images: 300_000 }),
      {
        scenario: 'large-similar',
        replace: 'last',
        cut: null,
        says: /300,000 images of 6 classes are many \(100,000 or more\)/,
      },
    ],
    [
      'many, unlike',
      evidence(early, { images: 300_000 }),
      { scenario: 'large-different', replace: 'last', cut: null, says: /far from the end/ },
    ],
    [
      'many, without pretrained weights',
      evidence(atTheEnd, { images: 300_000, pretrained: false }),
      { scenario: 'large-different', replace: 'last', cut: null, says: /nothing is pretrained/ },
    ],
    [
      'neither few nor many, and few of each class',
      evidence(atTheEnd, { images: 25_000, classes: 100 }),
      {
        scenario: 'small-similar',
        replace: 'last',
        cut: null,
        says: /few \(10,000 or more, with under 1,000 a class\)/,
      },
    ],
    [
      'weights without FC layers',
      evidence({ 'features.5': 0.6, 'features.12': 0.8 }, { images: 300_000 }),
      { scenario: 'large-similar', replace: 'all', cut: null, says: /many/ },
    ],
  ])('%s', (_, given, { says, ...wanted }) => {
    const choice = decide(given)
    expect(choice).toMatchObject(wanted)
    expect(choice.reason).toMatch(says)
    expect(choice.reason.split('\n').length).toBe(1)
    expect(choice.evidence).toBe(given)
  })

  test('what is expected of all images decides, not what the sample gave', () => {
    const measured = evidence({ 'features.7': 0.6, 'classifier.5': 0.65 })
    const depths = measured.depths.map((depth) =>
      depth.layer === 'features.7'
        ? { ...depth, expected: 0.7, behind: around(0, 0) }
        : { ...depth, behind: around(0.05, 0.04) },
    )
    expect(decide(measured)).toMatchObject({ scenario: 'small-similar', basis: 'classifier.5' })
    expect(decide({ ...measured, depths })).toMatchObject({
      scenario: 'small-different',
      basis: 'features.7',
    })
    const even = evidence({ 'features.7': 0.6, 'classifier.5': 0.6 })
    expect(decide(even).basis).toBe('classifier.5')
  })

  test.each([
    ['fewer inputs at the end', 100, 30, 'small-similar', 'classifier.5', 'features.7', 0.02],
    ['fewer inputs early', 30, 100, 'small-different', 'features.7', 'classifier.5', -0.02],
    ['as many', 100, 100, 'small-different', 'features.7', 'classifier.5', -0.02],
  ] as const)(
    'where early and late layers tie, the cheaper scenario is taken: %s',
    (_, earlyInputs, lateInputs, scenario, basis, layer, difference) => {
      const given = evidence({ 'features.7': 0.72, 'classifier.5': 0.7 })
      const depths = given.depths.map((depth) => ({
        ...depth,
        features: depth.part === 'early' ? earlyInputs : lateInputs,
      }))
      const choice = decide({ ...given, depths })
      expect(choice).toMatchObject({ scenario, basis, tie: { layer } })
      expect(choice.tie?.difference.value).toBeCloseTo(difference, 9)
      expect(choice.tie?.difference.low).toBeCloseTo(difference - 0.04, 9)
      expect(choice.reason).toMatch(/they tie, with a difference of -[26]\.0 to [26]\.0 points/)
      expect(choice.reason).toContain(`the cheaper one, ${scenario}`)
    },
  )

  test('a tie of many images starts from the pretrained weights; nothing pretrained has no tie', () => {
    const many = { images: 300_000 }
    const layers = { 'features.7': 0.72, 'classifier.5': 0.7 }
    const choice = decide(evidence(layers, many))
    expect(choice).toMatchObject({
      scenario: 'large-similar',
      tie: { scenario: 'large-different', layer: 'features.7' },
      forecast: null,
    })
    expect(choice.reason).toMatch(/the cheaper way\.$/)
    expect(decide(evidence(layers, { ...many, pretrained: false })).tie).toBeNull()
    expect(decide(evidence(atTheEnd)).tie).toBeNull()
  })

  test('every scenario gets the head that measured best for it', () => {
    expect(headOptions('small-different', evidence(atTheEnd))).toEqual({ cut: 'features.7' })
    expect(headOptions('small-similar', evidence(early))).toEqual({ replace: 'all' })
    expect(headOptions('large-different', evidence(early))).toEqual({ replace: 'last' })
  })
})

test('counts between few and many are many with a thousand images for each class', () => {
  const many = (images: number, classes: number) => areMany({ images, classes })
  expect([
    many(9_999, 2),
    many(10_000, 10),
    many(10_000, 11),
    many(99_999, 100),
    many(100_000, 1000),
  ]).toEqual([false, true, false, false, true])
})
