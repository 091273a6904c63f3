import { describe, expect, test } from 'vitest'
import { UsageError } from '../../../src/base/errors.ts'
import type { ImageDataset } from '../../../src/data/dataset.ts'
import { alexnet } from '../../../src/nn/alexnet.ts'
import type { EpochResult } from '../../../src/train/events.ts'
import { bestEpoch, outOfPatience } from '../../../src/train/recipe/bestEpoch.ts'
import { resolveClassWeights } from '../../../src/train/recipe/classWeights.ts'
import { layerGroups, spreadRates } from '../../../src/train/recipe/layerGroups.ts'
import { mixup } from '../../../src/train/recipe/mixup.ts'
import { RatePlan } from '../../../src/train/recipe/rates.ts'
import { planPhases, planStages } from '../../../src/train/recipe/stages.ts'
import { type RatePoint, steepest, valley } from '../../../src/train/recipe/suggest.ts'
import { matching, setTrainable } from '../../../src/transfer/patterns.ts'
import { expectClose } from '../../support/compare.ts'
import { testEngine } from '../../support/engine.ts'
import { oddNames } from '../../support/oddNames.ts'
import { recipes } from '../../support/recipes.ts'

const network = async () =>
  alexnet(await testEngine(), {
    variant: 'alexnet-64',
    channels: [8, 8, 12, 12, 8],
    hidden: 16,
    classes: 3,
    seed: 4,
  })
const names = (groups: readonly (readonly { readonly name: string }[])[]) =>
  groups.map((group) => [...new Set(group.map(({ name }) => name.slice(0, name.lastIndexOf('.'))))])

describe('patterns', () => {
  test('name parameters or their layers; train wins over freeze', async () => {
    const model = await network()
    const parameters = model.parameters()
    expect(matching(parameters, 'features.?.bias').map(({ name }) => name)).toEqual([
      'features.0.bias',
      'features.3.bias',
      'features.6.bias',
      'features.8.bias',
    ])
    expect(matching(parameters, 'classifier.6').map(({ name }) => name)).toEqual([
      'classifier.6.weight',
      'classifier.6.bias',
    ])
    setTrainable(model, { freeze: ['*'], train: ['classifier.6.*', 'features.10.weight'] })
    expect(parameters.filter(({ trainable }) => trainable).map(({ name }) => name)).toEqual([
      'features.10.weight',
      'classifier.6.weight',
      'classifier.6.bias',
    ])
    expect(() =>
      setTrainable(model, { freeze: ['features.*'], train: ['features.10.weight', 'clasifier.*'] }),
    ).toThrow(UsageError)
    expect(parameters.find(({ name }) => name === 'features.10.weight')?.trainable).toBe(true)
    model.dispose()
  })

  test('a dot is a dot', async () => {
    const model = await network()
    expect(() => matching(model.parameters(), 'featuresX0Xweight')).toThrow(
      /no parameter matches 'featuresX0Xweight'; there are features\.0\.weight/,
    )
    model.dispose()
  })
})

describe('layer groups', () => {
  test('early half, late half, head; and as named', async () => {
    const model = await network()
    expect(names(layerGroups(model))).toEqual([
      ['features.0', 'features.3', 'features.6', 'features.8'],
      ['features.10', 'classifier.1', 'classifier.4'],
      ['classifier.6'],
    ])
    expect(
      names(layerGroups(model, ['features.0,features.3', 'features.*', 'classifier.*'])),
    ).toEqual([
      ['features.0', 'features.3'],
      ['features.6', 'features.8', 'features.10'],
      ['classifier.1', 'classifier.4', 'classifier.6'],
    ])
    expect(() => layerGroups(model, ['classifier.*'])).toThrow(
      /no layer group holds features\.0\.weight/,
    )
    setTrainable(model, { freeze: ['*'], train: ['classifier.6.*'] })
    expect(names(layerGroups(model))).toEqual([['classifier.6']])
    model.dispose()
  })

  test('rates go in equal ratios up to the head', () => {
    expectClose(spreadRates(0.1, 100, 3), [0.001, 0.01, 0.1], [3], { relative: 1e-12 })
    expect([spreadRates(0.1, 100, 1), spreadRates(0.1, 1, 2)]).toEqual([[0.1], [0.1, 0.1]])
  })
})

describe('stages', () => {
  test.each([
    [{ epochs: 5, headEpochs: 0, unfreezeEvery: 0, groups: 3 }, [[1, 5, 3]]],
    [
      { epochs: 5, headEpochs: 2, unfreezeEvery: 0, groups: 3 },
      [
        [1, 2, 1],
        [3, 5, 3],
      ],
    ],
    [
      { epochs: 9, headEpochs: 1, unfreezeEvery: 2, groups: 4 },
      [
        [1, 1, 1],
        [2, 3, 2],
        [4, 5, 3],
        [6, 9, 4],
      ],
    ],
    [
      { epochs: 4, headEpochs: 1, unfreezeEvery: 2, groups: 4 },
      [
        [1, 1, 1],
        [2, 3, 2],
        [4, 4, 3],
      ],
    ],
    [{ epochs: 3, headEpochs: 1, unfreezeEvery: 1, groups: 1 }, [[1, 3, 1]]],
  ])('%j', (options, wanted) => {
    expect(planStages(options).map(({ first, last, groups }) => [first, last, groups])).toEqual(
      wanted,
    )
    const [begin, end] = [planPhases(options)[0]?.first, planPhases(options).at(-1)?.last]
    expect([begin, end]).toEqual([1, options.epochs])
  })
})

describe('rates', () => {
  const options = {
    epochs: 4,
    headEpochs: 0,
    unfreezeEvery: 0,
    groups: 1,
    schedule: 'one-cycle' as const,
    lr: 0.02,
    warmup: 0,
    floor: 0,
    spread: 1,
    steps: 10,
  }

  test('one cycle spans all epochs, as OneCycleLR', () => {
    const wanted = recipes.schedules.find(
      ({ kind, steps, options }) =>
        kind === 'one-cycle' && steps === 40 && Object.keys(options).length === 0,
    )
    const plan = new RatePlan(options)
    const actual = Array.from({ length: 40 }, (_, i) => plan.at(1 + Math.floor(i / 10), i % 10))
    expectClose(
      actual.map(({ rates }) => rates[0] ?? 0),
      wanted?.rates ?? [],
      [40],
      { relative: 1e-12 },
    )
    expectClose(
      actual.map(({ momentum }) => momentum ?? 0),
      wanted?.momenta ?? [],
      [40],
      { relative: 1e-12 },
    )
  })

  test("head epochs have a cycle of their own, and the rest half the rate, spread over the groups: fastai's fine_tune", () => {
    const plan = new RatePlan({
      ...options,
      headEpochs: 1,
      epochs: 4,
      groups: 3,
      spread: 100,
      steps: 17,
    })
    const cycle = (steps: number, lr: number, share: number) =>
      recipes.schedules
        .find((one) => one.steps === steps && one.options.pct_start === share)
        ?.rates.map((rate) => (rate * lr) / 0.02) ?? []
    const head = Array.from({ length: 17 }, (_, i) => plan.at(1, i))
    expectClose(
      head.map(({ rates }) => rates[2] ?? 0),
      cycle(17, 0.02, 0.99),
      [17],
      { relative: 1e-12 },
    )
    const rest = plan.at(2, 15) // the peak: 0.3 · 51 steps, less one
    expect(rest.rates[2]).toBeGreaterThan(0.0099)
    expect(rest.rates[2]).toBeLessThanOrEqual(0.01)
    expectClose(
      rest.rates,
      [0.0001, 0.001, 0.01].map((rate) => rate * ((rest.rates[2] ?? 0) / 0.01)),
      [3],
      { relative: 1e-12 },
    )
    expectClose(
      [plan.at(2, 0).rates[2] ?? 0, plan.at(4, 16).rates[2] ?? 0],
      [0.01 / 5, 0.01 / 1e5],
      [2],
      { relative: 1e-9 },
    )
  })

  test('a warm-up of part of an epoch, then constant or a cosine to its floor', () => {
    const constant = new RatePlan({ ...options, schedule: 'constant', warmup: 0.5 })
    expectClose(
      [0, 1, 5, 9].map((step) => constant.at(1, step).rates[0] ?? 0),
      [0.0002, 0.02 * (0.01 + 0.99 / 5), 0.02, 0.02],
      [4],
      { relative: 1e-12 },
    )
    expect(constant.at(3, 0)).toEqual({ rates: [0.02], momentum: null })
    const cosine = new RatePlan({ ...options, schedule: 'cosine', floor: 0.1 })
    expectClose(
      [cosine.at(1, 0).rates[0] ?? 0, cosine.at(3, 0).rates[0] ?? 0],
      [0.02, 0.011],
      [2],
      { relative: 1e-12 },
    )
  })
})

describe('the best epoch', () => {
  const epochs = (values: readonly (readonly [number, number])[]): EpochResult[] =>
    values.map(([valLoss, valAccuracy], i) => ({
      epoch: i + 1,
      trainLoss: 1,
      trainAccuracy: 0,
      valLoss,
      valAccuracy,
      seconds: 1,
    }))
  const run = epochs([
    [3, 0.2],
    [2, 0.5],
    [1.95, 0.5],
    [2.1, 0.6],
    [1.9, 0.55],
  ])

  test('by loss or accuracy, with equal accuracy the lower loss, better by more than minDelta', () => {
    expect([
      bestEpoch(run, 'loss'),
      bestEpoch(run, 'accuracy'),
      bestEpoch(run, 'loss', 0.2),
      bestEpoch([], 'loss'),
    ]).toEqual([5, 4, 2, 0])
    expect(bestEpoch(run.slice(0, 3), 'accuracy')).toBe(3)
    expect(bestEpoch(run.slice(0, 3), 'accuracy', 0.01)).toBe(2)
  })

  test('patience runs out after so many epochs without a better one', () => {
    const stopsAfter = (patience: number, minDelta: number) =>
      run.findIndex((_, i) => outOfPatience(run.slice(0, i + 1), patience, 'loss', minDelta)) + 1
    expect([stopsAfter(1, 0), stopsAfter(2, 0), stopsAfter(3, 0.2), stopsAfter(1, 0.2)]).toEqual([
      4, 0, 5, 3,
    ])
  })
})

describe('class weights', () => {
  const data: ImageDataset = {
    root: 'x',
    classes: ['a', 'b', 'c'],
    train: [0, 0, 0, 0, 1, 1, 2, 2].map((label, i) => ({ source: '', name: String(i), label })),
    val: [],
  }

  test('balanced is n / (classes · n of the class), as scikit-learn; numbers go by name', () => {
    expectClose(resolveClassWeights('balanced', data), [8 / 12, 8 / 6, 8 / 6], [3], {
      relative: 1e-6,
    })
    expect(resolveClassWeights({ b: 2.5 }, data)).toEqual(Float32Array.of(1, 2.5, 1))
    expect(() => resolveClassWeights({ d: 1 }, data)).toThrow(
      /names 'd', and the classes are a, b, c/,
    )
    expect(() => resolveClassWeights({ a: 0 }, data)).toThrow(/gives 'a' 0/)
    const accented = { ...data, classes: ['\u00e4', 'b'] }
    expect(resolveClassWeights({ 'a\u0308': 2 }, accented)).toEqual(Float32Array.of(2, 1))
  })

  test('a class may have the name of anything that every object has', () => {
    const named = { ...data, classes: oddNames, train: [] }
    for (const [i, name] of oddNames.entries()) {
      const weights = resolveClassWeights(Object.fromEntries([[name, 3]]), named)
      expect(weights, name).toEqual(Float32Array.from(oddNames, (_, k) => (k === i ? 3 : 1)))
      expect(() => resolveClassWeights(Object.fromEntries([[name, 3]]), data), name).toThrow(
        /and the classes are a, b, c/,
      )
    }
  })
})

describe('mixup', () => {
  test('mixes images and targets by the same shares, repeatably, and each row is mostly itself', async () => {
    const engine = await testEngine()
    const [rows, classes] = [40, 3]
    const labels = Int32Array.from({ length: rows }, (_, i) => i % classes)
    // A row holds its own class's number everywhere but in one place: what its mixture holds says
    // which share came from where.
    const x = engine.tensor(
      Float32Array.from({ length: rows * 2 }, (_, i) =>
        i % 2 === 0 ? Math.floor(i / 2) : (labels[Math.floor(i / 2)] ?? 0),
      ),
      [rows, 2],
    )
    const before = engine.memory()
    const mixed = mixup({ x, targets: labels, read: rows }, classes, 0.4, 5, 7)
    const values = await mixed.x.data()
    let sum = 0
    for (let row = 0; row < rows; row++) {
      const target = [...mixed.targets.subarray(row * classes, (row + 1) * classes)]
      expect(target.reduce((a, b) => a + b)).toBeCloseTo(1, 6)
      expect(target[labels[row] ?? 0]).toBeGreaterThanOrEqual(0.5)
      expect(values[row * 2 + 1]).toBeCloseTo(
        target.reduce((mean, share, c) => mean + share * c, 0),
        5,
      )
      sum += Math.max(...target)
    }
    expect(sum / rows).toBeLessThan(0.98)
    const [again, other] = [
      mixup({ x, targets: labels, read: rows }, classes, 0.4, 5, 7),
      mixup({ x, targets: labels, read: rows }, classes, 0.4, 5, 8),
    ]
    expect(await again.x.data()).toEqual(values)
    expect(await other.x.data()).not.toEqual(values)
    for (const one of [mixed, again, other]) one.x.dispose()
    expect(engine.memory()).toMatchObject({ liveBytes: before.liveBytes, buffers: before.buffers })
    x.dispose()
  })

  test('shares follow Beta(alpha, alpha)', async () => {
    const engine = await testEngine()
    const x = engine.tensor(new Float32Array(4000), [4000, 1])
    const labels = Int32Array.from({ length: 4000 }, (_, i) => i % 2)
    for (const alpha of [0.2, 1]) {
      const mixed = mixup({ x, targets: labels, read: 4000 }, 2, alpha, 1, 0)
      mixed.x.dispose()
      const shares = Array.from(labels, (label, row) => mixed.targets[row * 2 + label] ?? 0).filter(
        (share) => share < 1,
      )
      // E[max(s, 1 − s)] is 3/4 for the uniform distribution, and larger where shares gather at the
      // ends; half of the partners have the same class.
      const mean = shares.reduce((a, b) => a + b, 0) / shares.length
      if (alpha === 1) expect(mean).toBeCloseTo(0.75, 1)
      else expect(mean).toBeGreaterThan(0.85)
    }
    x.dispose()
  })
})

describe('suggested rates', () => {
  const points = (losses: readonly number[]): RatePoint[] =>
    losses.map((smoothed, i) => ({ lr: 1e-7 * 10 ** (i * 0.08), loss: smoothed, smoothed }))

  test('steepest is where the loss falls fastest, valley two thirds down the longest fall', () => {
    // Flat, a fall from step 40 to 80 that is steepest at 60, and a blow-up.
    const curve = points(
      Array.from({ length: 100 }, (_, i) =>
        i < 85 ? 2 - 1 / (1 + Math.exp(-(i - 60) / 4)) : 1 + (i - 84) ** 2,
      ),
    )
    // Between two points its slope is the same on both sides of the middle.
    expect(Math.log10(steepest(curve, 100))).toBeCloseTo(-7 + 59.5 * 0.08, 1)
    // The longest falling run is all of 10 … 84: 75 points, and fastai's arithmetic then gives 10 −
    // 1 + 25 + 12.
    expect(Math.log10(valley(curve, 100))).toBeCloseTo(
      -7 + (10 - 1 + Math.floor(75 / 3) + Math.floor(75 / 6)) * 0.08,
      6,
    )
  })

  test('a search of a few steps still gives a rate of its own', () => {
    const few = points([3, 2, 1])
    expect(few.map(({ lr }) => lr)).toContain(valley(few, 100))
    expect(few.map(({ lr }) => lr)).toContain(steepest(few, 100))
  })
})
