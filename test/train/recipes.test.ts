import { beforeAll, describe, expect, test } from 'vitest'
import { NonFiniteError, UsageError } from '../../src/base/errors.ts'
import type { ImageDataset } from '../../src/data/dataset.ts'
import { FeatureCache } from '../../src/data/featureCache.ts'
import { alexnet } from '../../src/nn/alexnet.ts'
import type { Network } from '../../src/nn/network.ts'
import { evaluate } from '../../src/train/evaluate.ts'
import type { TrainEvent } from '../../src/train/events.ts'
import { findLearningRate } from '../../src/train/findLearningRate.ts'
import { fit } from '../../src/train/fit.ts'
import type { FitOptions } from '../../src/train/fitOptions.ts'
import { applyScenario, type ScenarioOptions } from '../../src/transfer/scenario.ts'
import { sameBits } from '../support/bits.ts'
import { expectClose } from '../support/compare.ts'
import { testEngine } from '../support/engine.ts'
import { drawnShapes } from '../support/shapes.ts'

let data: ImageDataset
beforeAll(async () => {
  data = await drawnShapes()
})

/** Without dropout, so that the same images in other batches give the same gradients. */
async function model(options: Partial<ScenarioOptions> = {}): Promise<Network> {
  const network = await alexnet(await testEngine(), {
    ...{
      variant: 'alexnet-64',
      channels: [8, 8, 12, 12, 8],
      hidden: 16,
      classes: 5,
      seed: 4,
      dropout: 0,
    },
  })
  applyScenario(network, { scenario: 'large-similar', classes: 3, ...options })
  return network
}

async function train(options: Partial<FitOptions>, scenario: Partial<ScenarioOptions> = {}) {
  const network = await model(scenario)
  const before = await network.stateDict()
  const events: TrainEvent[] = []
  const run = await fit(network, data, {
    epochs: 2,
    batchSize: 6,
    lr: 1e-2,
    seed: 1,
    onEvent: (event) => events.push(event),
    ...options,
  })
  const state = await network.stateDict()
  const steps = events.filter(
    (event): event is Extract<TrainEvent, { type: 'step' }> => event.type === 'step',
  )
  return { network, run, before, state, events, steps }
}

const changed = ({
  before,
  state,
}: {
  before: Record<string, { data: Float32Array }>
  state: Record<string, { data: Float32Array }>
}) => Object.keys(state).filter((name) => !sameBits(before[name]?.data, state[name]?.data))

describe('recipes in fit', () => {
  test('accumulated batches make the step of one large batch, also the last and shorter one', async () => {
    const options = { optimizer: 'sgd', momentum: 0, weightDecay: 0, epochs: 1 } as const
    for (const classWeights of [undefined, { circle: 3, square: 0.5 }]) {
      // 24 images: batches of 5 by two leave a step of 4, batches of 10 a batch of 4.
      const large = await train({ ...options, batchSize: 10, classWeights })
      const small = await train({ ...options, batchSize: 5, accumulate: 2, classWeights })
      // The same sums in another order, through three steps.
      for (const [name, { data, shape }] of Object.entries(large.state))
        expectClose(small.state[name]?.data ?? [], data, shape, { relative: 2e-5, name })
      for (const { network } of [large, small]) network.dispose()
    }
  })

  test('clipping bounds the step, and the events tell the norm', async () => {
    const free = await train({
      optimizer: 'sgd',
      momentum: 0,
      weightDecay: 0,
      epochs: 1,
      batchSize: 24,
      lr: 1,
    })
    const clipped = await train({
      optimizer: 'sgd',
      momentum: 0,
      weightDecay: 0,
      epochs: 1,
      batchSize: 24,
      lr: 1,
      clip: 0.01,
    })
    const moved = ({ before, state }: typeof free) =>
      Math.sqrt(
        Object.entries(state).reduce(
          (sum, [name, { data }]) =>
            sum + data.reduce((s, v, i) => s + (v - (before[name]?.data[i] ?? 0)) ** 2, 0),
          0,
        ),
      )
    expect(clipped.steps[0]?.norm).toBeCloseTo(moved(free), 3)
    expect(moved(clipped)).toBeCloseTo(0.01, 4)
    expect(free.steps[0]?.norm).toBeUndefined()
    for (const { network } of [free, clipped]) network.dispose()
  })

  test('a norm that is not finite stops the run before its step', async () => {
    const network = await model()
    const parameter = network.parameters().find(({ name }) => name === 'classifier.6.weight')
    parameter?.assign(network.engine, new Float32Array(48).fill(3e25))
    const before = await network.stateDict()
    await expect(fit(network, data, { epochs: 1, clip: 1 })).rejects.toThrow(NonFiniteError)
    for (const [name, { data: values }] of Object.entries(await network.stateDict()))
      expect(sameBits(values, before[name]?.data), name).toBe(true)
    network.dispose()
  })

  test('head first, then one more group at a time, at rates spread over the groups', async () => {
    const rates: Record<number, number> = {}
    const result = await train({
      epochs: 3,
      headEpochs: 1,
      unfreezeEvery: 1,
      onEvent: undefined,
    }).then(async ({ network }) => {
      network.dispose()
      return train({ epochs: 3, headEpochs: 1, unfreezeEvery: 1, keep: 'last' })
    })
    for (const { epoch, lr } of result.steps) rates[epoch] = lr
    expect(rates).toEqual({ 1: 1e-2, 2: 5e-3, 3: 5e-3 })
    const stages = result.events.filter((event) => event.type === 'stage')
    expect(stages.map(({ epoch, trained }) => [epoch, trained.length])).toEqual([
      [1, 2],
      [2, 8],
      [3, 16],
    ])
    expect(changed(result).length).toBe(16)
    expect(result.network.parameters().every(({ trainable }) => trainable)).toBe(true)
    // In the first epoch nothing but the head has moved.
    const head = await train({ epochs: 2, headEpochs: 1, maxSeconds: 0 })
    expect(changed(head)).toEqual(['classifier.6.weight', 'classifier.6.bias'])
    for (const { network } of [result, head]) network.dispose()
  })

  test('what the scenario and patterns freeze stays frozen throughout', async () => {
    const result = await train(
      { epochs: 3, headEpochs: 1, lrSpread: 10 },
      { freeze: ['features.*'], train: ['features.10.weight'] },
    )
    expect(changed(result)).toEqual([
      'features.10.weight',
      ...['classifier.1', 'classifier.4', 'classifier.6'].flatMap((name) => [
        `${name}.weight`,
        `${name}.bias`,
      ]),
    ])
    result.network.dispose()
  })

  test('averaged weights are what is validated and kept', async () => {
    const averaged = await train({ ema: 0.5, epochs: 3, keep: 'last' })
    const plain = await train({ epochs: 3 })
    expect(averaged.run.epochs.map(({ trainLoss }) => trainLoss)).toEqual(
      plain.run.epochs.map(({ trainLoss }) => trainLoss),
    )
    expect(averaged.run.epochs.at(-1)?.valLoss).not.toBe(plain.run.epochs.at(-1)?.valLoss)
    expect((await evaluate(averaged.network, data)).loss).toBeCloseTo(
      averaged.run.epochs.at(-1)?.valLoss ?? 0,
      4,
    )
    for (const { network } of [averaged, plain]) network.dispose()
  })

  test('patience stops, and the best epoch is kept', async () => {
    // At this rate the loss soon rises.
    const { run, network } = await train({
      optimizer: 'sgd',
      lr: 0.2,
      momentum: 0.95,
      epochs: 30,
      patience: 2,
      monitor: 'loss',
      clip: 5,
    })
    expect([run.stoppedEarly, run.epochs.length - run.keptEpoch]).toEqual([true, 2])
    const kept = run.epochs[run.keptEpoch - 1]
    expect(kept?.valLoss).toBe(Math.min(...run.epochs.map(({ valLoss }) => valLoss)))
    expect((await evaluate(network, data)).loss).toBeCloseTo(kept?.valLoss ?? 0, 4)
    network.dispose()
  })

  test('class weights are those of PyTorch in the loss of a step', async () => {
    const weight = { circle: 5, square: 1, stripes: 0.25 }
    const { steps, network } = await train({
      epochs: 1,
      batchSize: 24,
      lr: 0,
      classWeights: weight,
    })
    // One batch of all images: its order does not matter to a weighted mean.
    const { loss } = await evaluate(network, data, { split: 'train', batchSize: 24 })
    const plain = await train({ epochs: 1, batchSize: 24, lr: 0 })
    expect(plain.steps[0]?.loss).toBeCloseTo(loss, 4)
    const perClass = await Promise.all(
      data.classes.map(
        async (_, label) =>
          (
            await evaluate(
              network,
              { ...data, train: [...data.train].filter((one) => one.label === label) },
              { split: 'train' },
            )
          ).loss,
      ),
    )
    const weights = Object.values(weight)
    const wanted =
      perClass.reduce((sum, value, c) => sum + value * (weights[c] ?? 0), 0) /
      weights.reduce((a, b) => a + b)
    expect(steps[0]?.loss).toBeCloseTo(wanted, 4)
    for (const one of [network, plain.network]) one.dispose()
  })

  test('mixup learns, and takes images, not stored features', async () => {
    const { run, steps, network } = await train(
      { mixup: 0.4, epochs: 3 },
      { scenario: 'small-similar', replace: 'all' },
    )
    expect(run.epochs.length).toBe(3)
    const plain = await train({ epochs: 1 }, { scenario: 'small-similar', replace: 'all' })
    expect(steps[0]?.loss).not.toBeCloseTo(plain.steps[0]?.loss ?? 0, 4)
    for (const one of [network, plain.network]) one.dispose()
  })

  test('nothing stays behind in memory', async () => {
    const network = await model()
    for (const p of network.parameters()) void p.tensor
    const before = network.engine.memory()
    const all: FitOptions = {
      ...{
        epochs: 3,
        batchSize: 5,
        schedule: 'one-cycle',
        headEpochs: 1,
        ema: 0.9,
        clip: 1,
        accumulate: 2,
        mixup: 0.4,
        patience: 5,
        classWeights: 'balanced',
      },
    }
    await fit(network, data, all)
    expect(network.engine.memory()).toMatchObject({
      liveBytes: before.liveBytes,
      buffers: before.buffers,
    })
    network.dispose()
  })

  test.each<[Partial<FitOptions>, RegExp]>([
    [
      { schedule: 'linear' as 'cosine' },
      /schedule is one of constant, one-cycle, cosine, not linear/,
    ],
    [{ schedule: 'one-cycle', warmup: 1 }, /one-cycle has its own warm-up/],
    [
      { schedule: 'one-cycle', optimizer: 'sgd', momentum: 0.9 },
      /one-cycle moves the momentum itself/,
    ],
    [{ lrFloor: 0.1 }, /lrFloor .* needs schedule: 'cosine'/],
    [{ headEpochs: 2 }, /headEpochs is 2 of 2 epochs/],
    [{ unfreezeEvery: 1 }, /give headEpochs too/],
    [{ keep: 'last', minDelta: 0.1 }, /minDelta .* needs patience/],
    [{ keep: 'last', monitor: 'accuracy' }, /monitor .* needs patience/],
    [{ clip: 0 }, /clip is a number above 0, not 0/],
    [{ ema: 1 }, /ema is a number between 0 and 1, not 1/],
    [{ mixup: -1 }, /mixup is a number above 0/],
    [{ accumulate: 0 }, /accumulate is a positive integer/],
    [{ classWeights: { dog: 1 } }, /classWeights names 'dog'/],
    [{ layerGroups: ['classifier.*'], lrSpread: 2 }, /no layer group holds/],
    [{ layerGroups: ['*'] }, /layerGroups has no effect .* give lrSpread too/],
    [{ onResume: () => {} }, /onResume needs resume/],
    [
      { featureCache: new FeatureCache(), cache: false },
      /featureCache has no effect with cache: false/,
    ],
    [{ patience: 0 }, /patience is a positive integer/],
  ])('%j is refused', async (options, message) => {
    const network = await model()
    const error = await fit(network, data, { epochs: 2, ...options }).catch(
      (caught: unknown) => caught,
    )
    expect(error).toBeInstanceOf(UsageError)
    expect((error as Error).message).toMatch(message)
    network.dispose()
  })

  test('a spread of rates needs more than one group', async () => {
    const network = await model({ scenario: 'small-similar' })
    for (const options of [{ lrSpread: 10 }, { headEpochs: 1 }])
      await expect(fit(network, data, { epochs: 2, ...options })).rejects.toThrow(
        /more than one layer group/,
      )
    network.dispose()
  })
})

describe('findLearningRate', () => {
  test('goes from 1e-7 to 10 in equal ratios, suggests a rate between, and leaves the network as it was', async () => {
    const network = await model()
    for (const p of network.parameters()) void p.tensor
    const [before, memory] = [await network.stateDict(), network.engine.memory()]
    const found = await findLearningRate(network, data, { batchSize: 8, optimizer: 'sgd' })
    expect(found.points.map(({ lr }) => lr).slice(0, 3)).toEqual([
      1e-7,
      1e-7 * 1e8 ** 0.01,
      1e-7 * 1e8 ** 0.02,
    ])
    expect(found.points.length).toBeLessThanOrEqual(100)
    expect(found.points.length === 100 || found.diverged).toBe(true)
    for (const rate of [found.valley, found.steepest]) expect(rate > 1e-7 && rate < 10).toBe(true)
    for (const [name, { data: values }] of Object.entries(await network.stateDict()))
      expect(sameBits(values, before[name]?.data), name).toBe(true)
    expect(network.engine.memory()).toMatchObject({
      liveBytes: memory.liveBytes,
      buffers: memory.buffers,
    })
    const again = await findLearningRate(network, data, { batchSize: 8, optimizer: 'sgd' })
    expect(again).toEqual(found)
    network.dispose()
  })

  test.each<[string, (step: number, stop: AbortController) => void]>([
    ['stopped', (step, stop) => step === 40 && stop.abort()],
    ['failed', (step) => expect(step).toBeLessThan(40)],
  ])(
    'a search that is %s leaves the network as it was too, and no memory behind',
    async (_, onStep) => {
      const network = await model()
      for (const p of network.parameters()) void p.tensor
      const [before, memory, { seed, passes }] = [
        await network.stateDict(),
        network.engine.memory(),
        network,
      ]
      const stop = new AbortController()
      const onEvent = (event: TrainEvent) => event.type === 'search' && onStep(event.step, stop)
      const options = {
        batchSize: 8,
        optimizer: 'sgd',
        from: 1e-3,
        seed: 9,
        signal: stop.signal,
        onEvent,
      } as const
      await expect(findLearningRate(network, data, options)).rejects.toThrow()
      for (const [name, { data: values }] of Object.entries(await network.stateDict()))
        expect(sameBits(values, before[name]?.data), name).toBe(true)
      expect([network.seed, network.passes]).toEqual([seed, passes])
      expect(network.engine.memory()).toMatchObject({
        liveBytes: memory.liveBytes,
        buffers: memory.buffers,
      })
      network.dispose()
    },
  )

  test('wrong searches are refused', async () => {
    const network = await model()
    await expect(findLearningRate(network, data, { from: 1, to: 0.1 })).rejects.toThrow(UsageError)
    await expect(findLearningRate(network, data, { steps: 3 })).rejects.toThrow(UsageError)
    await expect(findLearningRate(network, data, { epochs: 3 } as object)).rejects.toThrow(
      /no option epochs/,
    )
    network.dispose()
  })
})
