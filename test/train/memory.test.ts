import { afterEach, beforeAll, describe, expect, test } from 'vitest'
import { crossEntropy } from '../../src/autograd/functions.ts'
import { OutOfMemoryError, UsageError } from '../../src/base/errors.ts'
import { createEngineOn } from '../../src/createEngine.ts'
import type { ArrayDataset } from '../../src/data/dataset.ts'
import type { AdapterChoice } from '../../src/host/host.ts'
import { alexnet } from '../../src/nn/alexnet.ts'
import type { Network } from '../../src/nn/network.ts'
import { markNonFinite } from '../../src/optim/health.ts'
import type { Engine } from '../../src/tensor/tensor.ts'
import type { TrainEvent } from '../../src/train/events.ts'
import { fit } from '../../src/train/fit.ts'
import type { OptimizerOptions } from '../../src/train/fitOptions.ts'
import { planMemory, prepareTraining } from '../../src/train/memory.ts'
import { makeOptimizer } from '../../src/train/optimizers.ts'
import { fillOptions } from '../../src/train/options/resolve.ts'
import { applyScenario, type Scenario, scenarios } from '../../src/transfer/scenario.ts'
import { testEngine } from '../support/engine.ts'
import { lentHost } from '../support/lentDevice.ts'
import { drawnShapes } from '../support/shapes.ts'

const batchSize = 8

let data: ArrayDataset
const opened: Engine[] = []
beforeAll(async () => {
  data = await drawnShapes()
})
afterEach(() => {
  for (const engine of opened.splice(0)) engine.dispose()
})

/** The peak is the highest since an engine was opened: each measurement has its own. */
async function freshEngine(): Promise<Engine> {
  const engine = await createEngineOn(lentHost, {
    adapter: (process.env.GRAFT_ADAPTER ?? 'auto') as AdapterChoice,
  })
  opened.push(engine)
  return engine
}

async function network(engine: Engine, scenario: Scenario): Promise<Network> {
  const model = await alexnet(engine, {
    variant: 'alexnet-64',
    weights: 'alexnet-64-tinyimagenet100',
  })
  applyScenario(model, { scenario, classes: 3 })
  return model
}

/** Steps as `fit` makes them, and a batch of the validation. */
async function steps(model: Network, count: number, options: OptimizerOptions): Promise<void> {
  const { engine } = model
  const optimizer = makeOptimizer(model, options)
  const health = engine.tensor(new Float32Array(1), [1])
  for (let step = 0; step < count; step++) {
    const x = engine.tensor(new Float32Array(batchSize * 3 * 64 * 64), [batchSize, 3, 64, 64])
    const loss = crossEntropy(model.forward(x, { training: true }), new Int32Array(batchSize))
    loss.backward()
    markNonFinite(engine.gpu, loss.buffer, health.buffer)
    optimizer.step({ guard: health })
    optimizer.zeroGrad()
    loss.dispose()
    engine.gpu.submit()
    x.dispose()
  }
  const x = engine.tensor(new Float32Array(batchSize * 3 * 64 * 64), [batchSize, 3, 64, 64])
  const logits = engine.noGrad(() => model.forward(x))
  for (const tensor of [
    engine.noGrad(() => crossEntropy(logits, new Int32Array(batchSize))),
    logits,
    x,
  ])
    tensor.dispose()
  await engine.gpu.settle()
  for (const one of [optimizer, health]) one.dispose()
}

describe('what training will take', () => {
  test.each(scenarios)(
    '%s: steps take it to the byte, and a whole training little more',
    async (scenario) => {
      for (const optimizer of ['sgd', 'adam'] as const) {
        const model = await network(await freshEngine(), scenario)
        model.engine.gpu.trim() // what was cut off
        // the whole network, before its end was cut off
        const loaded = model.engine.memory().peakBytes
        const plan = planMemory(model, { batchSize, optimizer, cache: false })
        const settings = fillOptions({ batchSize, optimizer, cache: false })
        await prepareTraining(model, settings, () => {})
        await steps(model, 2, { optimizer })
        expect(plan.problem).toBe(null)
        expect(model.engine.memory().peakBytes).toBe(Math.max(plan.peakBytes ?? 0, loaded))
      }
      // Where no layer is frozen there is nothing to keep.
      for (const cache of scenario.startsWith('small') ? [true, false] : [false]) {
        const model = await network(await freshEngine(), scenario)
        const loaded = model.engine.memory().peakBytes
        const options = { batchSize, cache, pictures: data.train.length }
        const plan = planMemory(model, options)
        const events: TrainEvent[] = []
        await fit(model, data, {
          epochs: 2,
          batchSize,
          cache,
          seed: 1,
          onEvent: (event) => events.push(event),
        })
        expect(events[0]).toEqual({ type: 'memory', ...plan, limitBytes: expect.any(Number) })
        // Beside the plan: decoded images on their way through the resizing, and the last batch of a
        // part, which is a smaller one.
        const ratio = model.engine.memory().peakBytes / Math.max(plan.peakBytes ?? 0, loaded)
        expect(ratio).toBeGreaterThanOrEqual(1)
        expect(ratio).toBeLessThan(1.06)
      }
    },
  )

  test('nothing is allocated, made or changed by planning', async () => {
    const engine = await testEngine()
    const model = await alexnet(engine, { variant: 'torchvision' }) // 244 MB that are never made
    const before = engine.memory()
    const plan = planMemory(model, { batchSize: 8, optimizer: 'adam' })
    expect(engine.memory()).toEqual(before)
    expect(plan).toMatchObject({
      parameterBytes: 4 * 61_100_840,
      gradientBytes: 4 * 61_100_840,
      optimizerBytes: 8 * 61_100_840,
      largestBatchSize: 8,
    })
    expect(plan.peakBytes).toBeGreaterThan(4 * 4 * 61_100_840)
    expect(planMemory(model, { batchSize: 8, optimizer: 'sgd', momentum: 0 }).optimizerBytes).toBe(
      0,
    )
    expect(model.passes).toBe(0)
    model.dispose()
  })

  test('gradients that are there stay as they are', async () => {
    const engine = await testEngine()
    const model = await alexnet(engine, {
      variant: 'alexnet-64',
      channels: [8, 8, 12, 12, 8],
      hidden: 16,
      classes: 3,
    })
    const x = engine.tensor(new Float32Array(3 * 64 * 64).fill(0.5), [1, 3, 64, 64])
    const loss = crossEntropy(model.forward(x), Int32Array.of(1))
    loss.backward()
    const grads = () => engine.read(model.parameters().map(({ grad }) => grad ?? x))
    const before = await grads()
    planMemory(model, { batchSize: 4 })
    expect(await grads()).toEqual(before)
    for (const one of [loss, x, model]) one.dispose()
  })
})

describe('what cannot fit', () => {
  test('is refused beforehand, with the batch size that would fit', async () => {
    const engine = await testEngine()
    const model = await network(engine, 'large-similar')
    const at = (size: number) => planMemory(model, { batchSize: size, cache: false }).peakBytes ?? 0
    const limitBytes = at(5) + 1000
    const plan = planMemory(model, { batchSize: 64, cache: false, limitBytes })
    expect(plan.problem).toMatch(/takes \d+ MiB of memory, and there are \d+ MiB/)
    expect(plan.largestBatchSize).toBe(5)
    expect(at(5)).toBeLessThanOrEqual(limitBytes)
    expect(at(6)).toBeGreaterThan(limitBytes)
    expect(planMemory(model, { batchSize: 64, limitBytes: 1000 }).largestBatchSize).toBe(0)
    model.dispose()
  })

  test('a launch that binds too much counts, and fit refuses it before it reads an image', async () => {
    const engine = await testEngine('auto', 2 ** 20)
    const model = await alexnet(engine, { variant: 'alexnet-64', hidden: 64, classes: 3 })
    const plan = planMemory(model, { batchSize: 32 })
    expect(plan.peakBytes).toBe(null)
    expect(plan.problem).toMatch(
      /cannot run \(.*takes [\d.]+ MiB, more than the 1\.0 MiB this adapter binds at once\)/,
    )
    expect(plan.largestBatchSize).toBeGreaterThan(0)
    expect(planMemory(model, { batchSize: plan.largestBatchSize }).problem).toBe(null)
    const events: TrainEvent[] = []
    const refused = fit(model, data, {
      epochs: 1,
      batchSize: 24,
      onEvent: (event) => events.push(event),
    })
    await expect(refused).rejects.toThrow(OutOfMemoryError)
    await expect(refused).rejects.toThrow(
      `training with a batch size of ${Math.min(24, data.train.length)} cannot run`,
    )
    await expect(refused).rejects.toThrow(`a batch size of ${plan.largestBatchSize} fits`)
    expect(events).toEqual([])
    model.dispose()
  })

  test('a batch size that is none is an error, and so is a network of which nothing trains', async () => {
    const model = await alexnet(await testEngine(), { variant: 'alexnet-64' })
    expect(() => planMemory(model, { batchSize: 0 })).toThrow(UsageError)
    for (const parameter of model.parameters()) parameter.trainable = false
    expect(() => planMemory(model)).toThrow(/no parameter is trainable/)
    model.dispose()
  })
})
