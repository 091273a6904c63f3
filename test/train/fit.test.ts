import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { DataError, NonFiniteError, ShapeError, UsageError } from '../../src/base/errors.ts'
import type { ArrayDataset, Sample } from '../../src/data/dataset.ts'
import { alexnet } from '../../src/nn/alexnet.ts'
import type { Network } from '../../src/nn/network.ts'
import { evaluate, predict } from '../../src/train/evaluate.ts'
import type { TrainEvent } from '../../src/train/events.ts'
import { fit } from '../../src/train/fit.ts'
import type { FitOptions } from '../../src/train/fitOptions.ts'
import { loadRun, writeRunConfig, writeRunWeights } from '../../src/train/runFolder.ts'
import { applyScenario, type ScenarioOptions } from '../../src/transfer/scenario.ts'
import { readSafetensors } from '../../src/weights/safetensors.ts'
import { sameBits } from '../support/bits.ts'
import { testEngine } from '../support/engine.ts'
import { drawnShapes } from '../support/shapes.ts'

let data: ArrayDataset
let folder: string
beforeAll(async () => {
  data = await drawnShapes()
  folder = await mkdtemp(join(tmpdir(), 'graft-fit-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

/** A narrow network under a scenario: quick to train on a CPU adapter. */
async function model(
  scenario: Omit<ScenarioOptions, 'classes'> = { scenario: 'small-similar', replace: 'all' },
): Promise<Network> {
  const network = await alexnet(await testEngine(), {
    variant: 'alexnet-64',
    channels: [8, 8, 12, 12, 8],
    hidden: 16,
    classes: 5,
    seed: 4,
  })
  applyScenario(network, { ...scenario, classes: 3 })
  return network
}

async function train(network: Network, options: Partial<FitOptions> = {}) {
  const run = await fit(network, data, { epochs: 3, batchSize: 8, lr: 3e-3, seed: 1, ...options })
  const state = await network.stateDict()
  return {
    run,
    state,
    losses: run.epochs.map(({ trainLoss, valLoss, valAccuracy }) => [
      trainLoss,
      valLoss,
      valAccuracy,
    ]),
  }
}

const allSame = (a: Awaited<ReturnType<typeof train>>, b: Awaited<ReturnType<typeof train>>) =>
  Object.keys(a.state).every((name) => sameBits(a.state[name]?.data, b.state[name]?.data))

describe('fit', () => {
  test('learns the images it is shown, and evaluate and predict agree with it', async () => {
    const network = await model({ scenario: 'large-similar' })
    const { run } = await train(network, { epochs: 30, optimizer: 'adam', lr: 2e-3 })
    const [first, last] = [run.epochs[0], run.epochs.at(-1)]
    expect(last?.trainLoss).toBeLessThan(0.5 * (first?.trainLoss ?? 0))
    expect(last?.trainAccuracy).toBeGreaterThan(0.6)
    const result = await evaluate(network, data)
    const kept = run.epochs[run.keptEpoch - 1]
    expect(result.accuracy).toBeCloseTo(kept?.valAccuracy ?? -1, 6)
    expect(result.accuracy).toBe(Math.max(...run.epochs.map(({ valAccuracy }) => valAccuracy)))
    expect(result.loss).toBeCloseTo(kept?.valLoss ?? -1, 4)
    expect([result.count, result.top5, result.confusion.flat().reduce((a, b) => a + b)]).toEqual([
      12, 1, 12,
    ])
    const diagonal = result.confusion.reduce((sum, row, i) => sum + (row[i] ?? 0), 0)
    expect(diagonal / 12).toBeCloseTo(result.accuracy, 6)
    const predictions = await predict(
      network,
      data.val.map((sample) => sample.source as Uint8Array),
      { topK: 2 },
    )
    const hits = predictions.filter((p, i) => p.top[0]?.index === data.val[i]?.label).length
    expect(hits / 12).toBeCloseTo(result.accuracy, 6)
    expect(predictions[0]?.top.length).toBe(2)
    expect(data.classes).toContain(predictions[0]?.top[0]?.class)
    network.dispose()
  })

  test.each<[string, Omit<ScenarioOptions, 'classes'>, Partial<FitOptions>]>([
    ['a frozen trunk', { scenario: 'small-similar', replace: 'all' }, {}],
    ['everything, with dropout', { scenario: 'large-similar' }, { optimizer: 'sgd', lr: 0.01 }],
    ['augmented images', { scenario: 'small-different' }, { augment: true }],
  ])('repeats bit for bit: %s', async (_, scenario, options) => {
    const [a, b] = [await model(scenario), await model(scenario)]
    const [first, second] = [
      await train(a, { ...options, epochs: 2 }),
      await train(b, { ...options, epochs: 2 }),
    ]
    expect(second.losses).toEqual(first.losses)
    expect(allSame(first, second)).toBe(true)
    const other = await train(await model(scenario), { ...options, epochs: 2, seed: 2 })
    expect(allSame(first, other)).toBe(false)
  })

  test('cached features give what computing them anew gives', async () => {
    const [cached, fresh] = [
      await train(await model()),
      await train(await model(), { cache: false }),
    ]
    for (const [i, row] of cached.losses.entries())
      for (const [j, value] of row.entries())
        expect(value).toBeCloseTo(fresh.losses[i]?.[j] ?? -1, 4)
  })

  test('a prefix is frozen as it is: dropout in it does not drop', async () => {
    const network = await model({ scenario: 'small-similar', replace: 'last' })
    expect(network.layers[network.frozenPrefix]?.name).toBe('classifier.6')
    const [a, b] = [
      await train(network, { epochs: 1 }),
      await train(await model({ scenario: 'small-similar', replace: 'last' }), {
        epochs: 1,
        cache: false,
      }),
    ]
    expect(a.losses[0]?.[0]).toBeCloseTo(b.losses[0]?.[0] ?? -1, 4)
  })

  test('tells what it does', async () => {
    const events: TrainEvent[] = []
    const network = await model()
    const { run } = await train(network, { onEvent: (event) => events.push(event) })
    const of = <T extends TrainEvent['type']>(type: T) =>
      events.filter((event): event is Extract<TrainEvent, { type: T }> => event.type === type)
    expect(
      of('read')
        .filter((event) => event.split === 'train')
        .at(-1),
    ).toMatchObject({ done: 24, total: 24 })
    expect(of('step').map(({ epoch, step, steps }) => [epoch, step, steps])).toEqual(
      [1, 2, 3].flatMap((epoch) => [1, 2, 3].map((step) => [epoch, step, 3])),
    )
    expect(of('epoch').map(({ type: _, ...result }) => result)).toEqual(run.epochs)
    network.dispose()
  })

  test('leaves no memory behind', async () => {
    const engine = await testEngine()
    const network = await model({ scenario: 'large-similar' })
    for (const p of network.parameters()) void p.tensor
    const before = engine.memory()
    await train(network, { epochs: 1, optimizer: 'adamw' })
    expect(engine.memory()).toMatchObject({ liveBytes: before.liveBytes, buffers: before.buffers })
    network.dispose()
  })

  test('maxSeconds with wholeEpochs ends it after the epoch in which they have passed', async () => {
    const { run } = await train(await model(), { epochs: 50, maxSeconds: 0, wholeEpochs: true })
    const whole = await train(await model(), { epochs: 1 })
    expect(run.epochs.length).toBe(1)
    expect(run.steps).toBe(whole.run.steps)
  })

  test('maxSeconds ends it after the step in which they have passed, and that much is validated', async () => {
    const { run } = await train(await model(), { epochs: 50, maxSeconds: 0 })
    expect([run.epochs.length, run.steps, run.aborted]).toEqual([1, 1, false])
    expect(run.epochs[0]?.valAccuracy).toBeGreaterThanOrEqual(0)
  })
})

describe('what goes wrong', () => {
  const broken: Sample = {
    source: new TextEncoder().encode('no image at all'),
    name: 'train/circle/broken.png',
    label: 0,
  }

  test('a broken image is left out, named and counted, and an error under strict', async () => {
    const events: TrainEvent[] = []
    const network = await model()
    const mixed = { ...data, train: [broken, ...data.train] }
    const run = await fit(network, mixed, { epochs: 2, onEvent: (event) => events.push(event) })
    expect(run.skipped).toBe(1)
    expect(events.filter((event) => event.type === 'skipped')).toEqual([
      expect.objectContaining({ name: 'train/circle/broken.png' }),
    ])
    await expect(fit(network, mixed, { epochs: 1, strict: true })).rejects.toThrow(
      /train\/circle\/broken\.png/,
    )
    await expect(fit(network, { ...data, train: [broken] }, { epochs: 1 })).rejects.toThrow(
      DataError,
    )
    await expect(evaluate(network, { ...data, val: [broken] })).rejects.toThrow(DataError)
    network.dispose()
  })

  test.each<[string, Partial<FitOptions>]>([
    ['as it is', {}],
    ['augmented and mixed', { augment: true, mixup: 0.4 }],
  ])(
    'a loss that runs away in a later step is traced to its first tensor, however many steps are in flight: %s',
    async (_, options) => {
      const failed = async (onStep: () => void) => {
        const network = await model({ scenario: 'large-similar' })
        let steps = 0
        const onEvent = (event: TrainEvent) => {
          if (event.type !== 'step') return
          steps++
          onStep()
        }
        // Within a warm-up, so that it takes some steps.
        const recipe = {
          optimizer: 'sgd',
          momentum: 0,
          lr: 30,
          warmup: 1,
          schedule: 'cosine',
          batchSize: 1,
          onEvent,
        } as const
        const error = await train(network, { ...recipe, ...options }).catch(
          (error: unknown) => error,
        )
        const state = await network.stateDict()
        network.dispose()
        return { error, steps, state }
      }
      const together = await failed(() => {})
      // Steps that seem slow come back one by one.
      const single = await failed(() => {
        for (const until = performance.now() + 110; performance.now() < until; );
      })
      expect(together.error).toBeInstanceOf(NonFiniteError)
      expect(together.steps).toBeGreaterThan(2)
      expect(String(together.error)).toMatch(
        new RegExp(`epoch 1, step ${together.steps + 1}: the output of`),
      )
      expect(String(single.error)).toBe(String(together.error))
      for (const [name, { data: values }] of Object.entries(single.state))
        expect(sameBits(together.state[name]?.data, values), name).toBe(true)
    },
  )

  test('evaluation names the first tensor that is not finite, and leaves nothing behind', async () => {
    const network = await model()
    for (const parameter of network.parameters()) void parameter.tensor // made when first asked for
    network.parameters()[3]?.assign(network.engine, new Float32Array(8).fill(Number.NaN))
    const { liveBytes, buffers } = network.engine.memory()
    for (const tta of [1, 2])
      await expect(evaluate(network, data, { batchSize: 2, tta })).rejects.toMatchObject({
        tensor: 'features.3.bias',
        message: expect.stringMatching(
          /^evaluation stopped: the parameter features\.3\.bias is the first tensor/,
        ),
      })
    expect(network.engine.memory()).toMatchObject({ liveBytes, buffers })
    network.dispose()
  })

  test('a loss that is not finite stops training, names the first such tensor, and spares the weights', async () => {
    const network = await model({ scenario: 'large-similar' })
    await expect(train(network, { optimizer: 'sgd', lr: 1e30, momentum: 0 })).rejects.toThrow(
      NonFiniteError,
    )
    const parameter = network.parameters().find((p) => p.name === 'features.6.bias')
    parameter?.assign(
      network.engine,
      new Float32Array([Number.NaN, ...new Array<number>(11).fill(0)]),
    )
    const before = await network.stateDict()
    await expect(train(network)).rejects.toMatchObject({
      tensor: 'features.6.bias',
      message: expect.stringMatching(/epoch 1, step 1.*features\.6\.bias.*lower the learning rate/),
    })
    for (const [name, { data: values }] of Object.entries(await network.stateDict()))
      expect(sameBits(values, before[name]?.data), name).toBe(true)
    network.dispose()
  })

  test('an activation that overflows is named by its layer', async () => {
    const network = await model({ scenario: 'large-similar' })
    for (const name of ['features.3.weight', 'features.6.weight']) {
      const parameter = network.parameters().find((p) => p.name === name)
      parameter?.assign(
        network.engine,
        new Float32Array(parameter.shape.reduce((a, b) => a * b, 1)).fill(1e25),
      )
    }
    await expect(train(network)).rejects.toMatchObject({ tensor: 'features.6' })
    network.dispose()
  })

  test('aborting keeps the last finished epoch', async () => {
    const reference = await train(await model(), { epochs: 2 })
    const controller = new AbortController()
    const network = await model()
    const onEvent = (event: TrainEvent) => {
      if (event.type === 'step' && event.epoch === 3 && event.step === 2) controller.abort()
    }
    const { run, state } = await train(network, { epochs: 9, signal: controller.signal, onEvent })
    expect([run.aborted, run.epochs.length]).toEqual([true, 2])
    for (const [name, { data: values }] of Object.entries(state))
      expect(sameBits(values, reference.state[name]?.data), name).toBe(true)
    network.dispose()
  })

  test.each<[Partial<FitOptions>, RegExp]>([
    [{ epochs: 0 }, /epochs is a positive integer/],
    [{ batchSize: 1.5 }, /batchSize is a positive integer/],
    [{ seed: -1 }, /seed is an integer/],
    [{ optimizer: 'lion' as 'sgd' }, /optimizer is one of sgd, adam, adamw, not lion/],
    [{ optimizer: 'adam', momentum: 0.9 }, /momentum is for sgd/],
    [{ lr: -1 }, /lr/],
    [{ resume: true }, /resume needs checkpoint/],
    [{ rounds: 3 } as Partial<FitOptions>, /no option rounds/],
  ])('%j is refused', async (options, message) => {
    const network = await model()
    const error = await train(network, options).catch((caught: unknown) => caught)
    expect(error).toBeInstanceOf(UsageError)
    expect((error as Error).message).toMatch(message)
    network.dispose()
  })

  test('a network that does not fit, or has nothing to train, is refused', async () => {
    const network = await model()
    await expect(fit(network, { ...data, classes: ['a', 'b'] }, { epochs: 1 })).rejects.toThrow(
      ShapeError,
    )
    for (const p of network.parameters()) p.trainable = false
    await expect(fit(network, data, { epochs: 1 })).rejects.toThrow(/no parameter is trainable/)
    network.dispose()
  })
})

describe('files', () => {
  test('resuming gives the bits of an uninterrupted run', async () => {
    const scenario = { scenario: 'large-similar' } as const
    const whole = await train(await model(scenario), { epochs: 4 })
    const checkpoint = join(folder, 'checkpoints')
    await train(await model(scenario), { epochs: 2, checkpoint })
    const ends = ['epoch-other.safetensors', 'epoch.safetensors']
    expect(await readdir(checkpoint)).toEqual(ends)
    const resumed = await train(await model(scenario), { epochs: 4, checkpoint, resume: true })
    expect(resumed.losses).toEqual(whole.losses)
    expect(allSame(whole, resumed)).toBe(true)
  })

  test('a run folder is all that is needed to predict', async () => {
    for (const [i, scenario] of (
      [
        { scenario: 'small-different' },
        { scenario: 'large-similar' },
        { scenario: 'small-similar', replace: 'all' },
      ] as const
    ).entries()) {
      const network = await alexnet(await testEngine(), {
        variant: 'alexnet-64',
        channels: [8, 8, 12, 12, 8],
        hidden: 16,
        classes: 5,
        seed: 4,
      })
      const plan = applyScenario(network, { ...scenario, classes: 3 })
      await train(network, { epochs: 1 })
      const path = join(folder, `run${i}`)
      const config = {
        graft: '0',
        architecture: network.architecture,
        plan,
        classes: data.classes,
        options: {},
        adapter: 'test',
      }
      await writeRunConfig(path, config)
      await writeRunWeights(path, network, config)
      const { model: loaded } = await loadRun(network.engine, path)
      expect(await loaded.stateDict()).toEqual(await network.stateDict())
      const sources = data.val.map((sample) => sample.source as Uint8Array)
      expect(await predict(loaded, sources)).toEqual(await predict(network, sources))
      expect(loaded.parameters().map((p) => [p.name, p.trainable])).toEqual(
        network.parameters().map((p) => [p.name, p.trainable]),
      )
      const { metadata } = readSafetensors(await readFile(join(path, 'weights.safetensors')))
      expect([JSON.parse(metadata.classes ?? ''), JSON.parse(metadata.preprocess ?? '')]).toEqual([
        data.classes,
        JSON.parse(JSON.stringify(network.preprocess)),
      ])
      for (const one of [network, loaded]) one.dispose()
    }
  })

  test('what is no run folder says so', async () => {
    const engine = await testEngine()
    await expect(loadRun(engine, join(folder, 'nowhere'))).rejects.toThrow(/no run folder/)
    await expect(loadRun(engine, folder)).rejects.toThrow(/no config\.json/)
  })
})
