import { beforeAll, describe, expect, test } from 'vitest'
import { DataError, UsageError } from '../../src/base/errors.ts'
import type { ArrayDataset } from '../../src/data/dataset.ts'
import { alexnet } from '../../src/nn/alexnet.ts'
import { chooseScenario } from '../../src/train/chooseScenario.ts'
import { bestScenarios, compareScenarios, verdict } from '../../src/train/compareScenarios.ts'
import type { TrainEvent } from '../../src/train/events.ts'
import { headOptions } from '../../src/transfer/decide.ts'
import { applyScenario, scenarios } from '../../src/transfer/scenario.ts'
import { testEngine } from '../support/engine.ts'
import { drawnShapes } from '../support/shapes.ts'

let data: ArrayDataset
beforeAll(async () => {
  data = await drawnShapes({ train: 10, val: 4 })
})

const architecture = {
  variant: 'alexnet-64',
  channels: [8, 8, 12, 12, 8],
  hidden: 16,
  classes: 5,
  seed: 4,
} as const
const narrow = async () => alexnet(await testEngine(), architecture)

describe('chooseScenario', () => {
  test('probes every depth of a network and leaves it as it was', async () => {
    const network = await narrow()
    const before = await network.stateDict()
    const events: TrainEvent[] = []
    const choice = await chooseScenario(network, data, {
      seed: 2,
      onEvent: (event) => events.push(event),
    })
    const { evidence } = choice
    expect(evidence.depths.map(({ layer, part, features }) => [layer, part, features])).toEqual([
      ['features.2', 'early', 8 * 15 * 15],
      ['features.5', 'early', 8 * 7 * 7],
      ['features.7', 'early', 12 * 7 * 7],
      ['features.9', 'early', 12 * 7 * 7],
      ['features.12', 'last features', 8 * 3 * 3],
      ['classifier.2', 'hidden FC', 16],
      ['classifier.5', 'last hidden FC', 16],
    ])
    expect(evidence).toMatchObject({
      images: 30,
      classes: 3,
      sampled: 30,
      sampledClasses: 3,
      folds: 3,
      pretrained: false,
      validation: 12,
      sampledValidation: 12,
      steps: 20,
    })
    expect(evidence.chance).toBeCloseTo(1 / 3, 6)
    for (const { accuracy, interval, expected, behind, ...rest } of evidence.depths) {
      expect(expected).toBeGreaterThanOrEqual(0)
      expect(expected).toBeLessThanOrEqual(1)
      expect(accuracy).toBeGreaterThanOrEqual(interval.low)
      expect(accuracy).toBeLessThanOrEqual(interval.high)
      // Wilson's interval of 15 in 30 is the widest.
      expect(interval.high - interval.low).toBeLessThan(0.34)
      expect(behind.low).toBeLessThanOrEqual(behind.value)
      expect(behind.high).toBeGreaterThanOrEqual(behind.value)
      // Shares of 12 images; those of two halves are shares of 24.
      expect(12 * (rest.validation ?? Number.NaN)).toBeCloseTo(
        Math.round(12 * (rest.validation ?? Number.NaN)),
        9,
      )
      expect(24 * (rest.validationOfHalf ?? Number.NaN)).toBeCloseTo(
        Math.round(24 * (rest.validationOfHalf ?? Number.NaN)),
        9,
      )
    }
    expect(Math.min(...evidence.depths.map(({ behind }) => behind.value))).toBe(0)
    expect(events.at(-1)).toEqual({ type: 'read', split: 'val', done: 42, total: 42 })
    expect(await network.stateDict()).toEqual(before)
    expect(network.parameters().every(({ trainable }) => trainable)).toBe(true)
    const { evidence: again, ...same } = await chooseScenario(network, data, { seed: 2 })
    const { evidence: _, ...first } = choice
    expect(same).toEqual(first)
    expect(again.depths).toEqual(evidence.depths)
    const plan = applyScenario(network, {
      scenario: choice.scenario,
      classes: 3,
      ...(choice.cut ? { cut: choice.cut } : { replace: choice.replace }),
    })
    expect(plan.scenario).toBe(choice.scenario)
    network.dispose()
  })

  test.each([['last'], ['all']])(
    'reads no image where there are too few to measure; then %s goes',
    async (replace) => {
      const whole = await narrow()
      const weights = Object.fromEntries(
        Object.entries(await whole.stateDict()).filter(
          ([name]) => replace === 'last' || name.startsWith('features.'),
        ),
      )
      whole.dispose()
      const network = await alexnet(await testEngine(), { ...architecture, weights })
      const events: TrainEvent[] = []
      const few = { ...data, train: data.train.slice(0, 17) }
      const choice = await chooseScenario(network, few, { onEvent: (event) => events.push(event) })
      expect(events).toEqual([])
      expect(choice).toMatchObject({ scenario: 'small-similar', replace, cut: null })
      expect(choice.evidence).toMatchObject({ images: 17, sampled: 0, depths: [], seconds: 0 })
      expect(choice.evidence.chance).toBeCloseTo(10 / 17, 9)
      for (const scenario of scenarios) expect(headOptions(scenario, choice.evidence)).toEqual({})
      network.dispose()
    },
  )

  test('does not probe layers whose weights are missing, nor those behind them', async () => {
    const whole = await narrow()
    const weights = Object.fromEntries(
      Object.entries(await whole.stateDict()).filter(([name]) => name.startsWith('features.')),
    )
    whole.dispose()
    const network = await alexnet(await testEngine(), { ...architecture, weights })
    const { evidence, replace } = await chooseScenario(network, data)
    expect(evidence.depths.at(-1)).toMatchObject({ layer: 'features.12', part: 'last features' })
    expect([evidence.pretrained, replace]).toEqual([true, 'all'])
    network.dispose()
  })

  test.each([
    [['features.0', 'features.3', 'features.6'], 'features.7'],
    [['features.0'], 'features.2'],
  ])('of weights that were cut after %j, the end is at %s', async (kept, end) => {
    const whole = await narrow()
    const state = await whole.stateDict()
    whole.dispose()
    const weights = {
      ...Object.fromEntries(
        Object.entries(state).filter(([name]) => kept.some((one) => name.startsWith(`${one}.`))),
      ),
      'classifier.6.weight': { shape: [3, 588], data: new Float32Array(3 * 588) },
      'classifier.6.bias': { shape: [3], data: new Float32Array(3) },
    }
    const engine = await testEngine()
    const network = await alexnet(engine, { weights })
    const choice = await chooseScenario(network, data)
    expect(choice.evidence.depths.at(-1)).toMatchObject({ layer: end, part: 'last features' })
    network.dispose()
    for (const scenario of scenarios) {
      const model = await alexnet(engine, { weights })
      const head = headOptions(scenario, choice.evidence)
      const plan = applyScenario(model, { scenario, classes: 3, ...head })
      if (scenario.endsWith('similar')) expect(plan.cut).toBe(end)
      if (scenario === 'large-different')
        expect([plan.cut, plan.startsFrom]).toEqual([null, 'random'])
      else expect(plan.startsFrom).toBe('pretrained')
      expect(model.missing.filter(() => plan.startsFrom === 'pretrained')).toEqual([])
      model.dispose()
    }
  })

  test('probes an AlexNet without biases at every depth, also where its head does not fit', async () => {
    const whole = await narrow()
    const unbiased = Object.entries(await whole.stateDict()).filter(([name]) => !/bias$/.test(name))
    whole.dispose()
    const weights = Object.fromEntries(unbiased)
    const other = { 'classifier.weight': { shape: [2, 72], data: new Float32Array(144) } }
    const engine = await testEngine()
    const network = await alexnet(engine, { weights })
    expect(network.architecture.classes).toBe(5)
    const { evidence } = await chooseScenario(network, data)
    expect(evidence.depths).toHaveLength(7)
    const plan = applyScenario(network, { scenario: 'small-similar', classes: 3 })
    expect([plan.replace, plan.cut]).toEqual(['last', null])
    network.dispose()
    const features = unbiased.filter(([name]) => name.startsWith('features.'))
    const headless = await alexnet(engine, {
      weights: { ...Object.fromEntries(features), ...other },
    })
    expect((await chooseScenario(headless, data)).evidence.depths.at(-1)?.layer).toBe('features.12')
    headless.dispose()
  })

  test('takes a seeded share of each class, leaves broken images out, and needs two classes', async () => {
    const network = await narrow()
    const broken = { source: Uint8Array.of(1, 2, 3), name: 'train/circle/broken.png', label: 0 }
    const skipped: string[] = []
    const onEvent = (event: TrainEvent) => event.type === 'skipped' && skipped.push(event.name)
    const { evidence } = await chooseScenario(
      network,
      { ...data, train: [broken, ...data.train] },
      { pictures: 100, onEvent },
    )
    expect([evidence.images, evidence.sampled, skipped]).toEqual([31, 30, [broken.name]])
    const few = await chooseScenario(network, data, { pictures: 15 })
    expect([few.evidence.sampled, few.evidence.chance]).toEqual([15, 1 / 3])
    const lone = { ...data, train: data.train.filter(({ label }) => label === 0) }
    await expect(chooseScenario(network, lone)).rejects.toThrow(DataError)
    await expect(chooseScenario(network, data, { pictures: 2 })).rejects.toThrow(UsageError)
    network.dispose()
  })
})

describe('compareScenarios', () => {
  test('trains all four under one budget, each with the head that the probe found', async () => {
    const plans: string[] = []
    const comparison = await compareScenarios(narrow, data, {
      ...{ epochs: 2, batchSize: 10, seed: 1 },
      onPlan: ({ scenario }) => plans.push(scenario),
    })
    const { scenarios: results, choice, chance } = comparison
    expect([...results.keys()]).toEqual(scenarios)
    expect(chance).toEqual({ mostCommon: 1 / 3, guessing: 1 / 3 })
    const all = [...results.values()]
    const most = Math.max(...all.map(({ valAccuracy }) => valAccuracy))
    for (const { valAccuracy, interval, behind } of all) {
      expect(interval.low).toBeLessThan(valAccuracy + 1e-9)
      expect(interval.high).toBeGreaterThan(valAccuracy - 1e-9)
      // On the same 12 images.
      expect(behind.value).toBeCloseTo(most - valAccuracy, 9)
    }
    const best = bestScenarios(comparison)
    expect(best.map((name) => (results.get(name)?.behind.low ?? 1) <= 0)).not.toContain(false)
    expect(verdict(comparison)).toContain(best.length > 1 ? `${best.join(', ')} tie` : 'is best')
    expect(plans).toEqual(scenarios)
    for (const [
      scenario,
      { plan, points, epochs, seconds, steps, valAccuracy, bestEpoch },
    ] of results) {
      expect([plan.scenario, plan.frozen.length > 0]).toEqual([
        scenario,
        scenario.startsWith('small'),
      ])
      expect([epochs, steps, points.map(({ epoch }) => epoch)]).toEqual([2, 6, [1, 2]])
      expect(seconds).toBe(points[1]?.at)
      const least = Math.min(...points.map(({ valLoss }) => valLoss))
      expect(points.find(({ epoch }) => epoch === bestEpoch)).toMatchObject({
        valLoss: least,
        valAccuracy,
      })
      expect(seconds).toBeGreaterThan(points[0]?.at ?? Number.POSITIVE_INFINITY)
    }
    expect(results.get('small-different')?.plan.cut).toMatch(/^features\.(2|5|7|9)$/)
    expect(scenarios).toContain(choice.scenario)
  })

  test('stops when time is up, or when it is told to', async () => {
    const timed = await compareScenarios(narrow, data, { seconds: 0.05, batchSize: 10 })
    for (const { points, steps, epochs } of timed.scenarios.values()) {
      expect(points.length).toBeGreaterThan(0)
      expect(epochs).toBe(steps / 3)
    }
    const controller = new AbortController()
    const onPlan = ({ scenario }: { scenario: string }) =>
      scenario === 'large-similar' && controller.abort()
    const stopped = await compareScenarios(narrow, data, {
      epochs: 1,
      batchSize: 10,
      signal: controller.signal,
      onPlan,
    })
    expect([...stopped.scenarios.keys()]).toEqual(['small-similar', 'small-different'])
    await expect(compareScenarios(narrow, data, { epochs: 1, seconds: 1 })).rejects.toThrow(
      UsageError,
    )
  })
})
