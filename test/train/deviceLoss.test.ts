import { afterAll, beforeAll, expect, test } from 'vitest'
import { DeviceLostError } from '../../src/base/errors.ts'
import { createEngineOn } from '../../src/createEngine.ts'
import type { ImageDataset } from '../../src/data/dataset.ts'
import type { AdapterChoice } from '../../src/host/host.ts'
import { alexnet } from '../../src/nn/alexnet.ts'
import { nodeHost } from '../../src/nodeHost.ts'
import type { Engine } from '../../src/tensor/tensor.ts'
import type { TrainEvent } from '../../src/train/events.ts'
import { fit } from '../../src/train/fit.ts'
import type { FitOptions } from '../../src/train/fitOptions.ts'
import { applyScenario, type Scenario } from '../../src/transfer/scenario.ts'
import { sameBits } from '../support/bits.ts'
import { drawnShapes } from '../support/shapes.ts'

let engine: Engine
let data: ImageDataset
beforeAll(async () => {
  // One of its own: what these tests do to it no other test would survive.
  engine = await createEngineOn(nodeHost, {
    adapter: (process.env.GRAFT_ADAPTER ?? 'auto') as AdapterChoice,
  })
  data = await drawnShapes()
})
afterAll(() => engine.dispose())

async function train(scenario: Scenario, options: Partial<FitOptions>) {
  const network = await alexnet(engine, {
    variant: 'alexnet-64',
    channels: [8, 8, 12, 12, 8],
    hidden: 16,
    classes: 5,
    seed: 4,
  })
  applyScenario(network, { scenario, classes: 3 })
  const run = await fit(network, data, { epochs: 3, batchSize: 4, lr: 3e-3, seed: 1, ...options })
  const state = await network.stateDict()
  network.dispose()
  return { run, state }
}

/** Destroys the device after each of these steps. */
function destroyAt(
  steps: readonly (readonly [number, number])[],
  events: TrainEvent[],
): (event: TrainEvent) => void {
  const left = [...steps]
  return (event) => {
    events.push(event)
    if (event.type !== 'step' || event.epoch !== left[0]?.[0] || event.step !== left[0]?.[1]) return
    left.shift()
    engine.gpu.device.destroy()
  }
}

test.each<[string, Scenario, Partial<FitOptions>]>([
  [
    'all layers train, averaged, by a schedule',
    'large-similar',
    { ema: 0.9, schedule: 'one-cycle', keep: 'best' },
  ],
  ['a head on stored features of frozen layers', 'small-similar', {}],
])(
  'a device lost in mid-epoch costs only the steps since the newest state: %s',
  async (_, scenario, options) => {
    const whole = await train(scenario, options)
    const events: TrainEvent[] = []
    const { run, state } = await train(scenario, {
      ...options,
      checkpointSeconds: 0,
      onEvent: destroyAt([[2, 4]], events),
    })
    expect(run.recovered).toBe(1)
    expect(events.find(({ type }) => type === 'recovered')).toMatchObject({
      reason: expect.any(String),
      adapter: engine.info.adapter,
      epoch: 2,
    })
    // The adapter is the same, so the bits are.
    expect(run.epochs.map(({ valLoss, valAccuracy }) => [valLoss, valAccuracy])).toEqual(
      whole.run.epochs.map(({ valLoss, valAccuracy }) => [valLoss, valAccuracy]),
    )
    for (const [name, { data }] of Object.entries(whole.state))
      expect(sameBits(state[name]?.data, data), name).toBe(true)
  },
)

test('a device that is lost again and again at the same place ends the run with an error', async () => {
  const onEvent = (event: TrainEvent) => {
    if (event.type === 'step') engine.gpu.device.destroy()
  }
  await expect(train('large-similar', { onEvent })).rejects.toThrow(DeviceLostError)
  await engine.reopen()
})

test('a disposed engine is no lost device', async () => {
  const other = await createEngineOn(nodeHost, {
    adapter: (process.env.GRAFT_ADAPTER ?? 'auto') as AdapterChoice,
  })
  const network = await alexnet(other, {
    variant: 'alexnet-64',
    channels: [4, 4, 4, 4, 4],
    hidden: 4,
    classes: 3,
  })
  const onEvent = (event: TrainEvent) => {
    if (event.type === 'step') other.dispose()
  }
  await expect(fit(network, data, { epochs: 1, onEvent })).rejects.toThrow(DeviceLostError)
  await expect(other.reopen()).rejects.toThrow(/disposed/)
})
