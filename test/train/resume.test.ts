import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { UsageError, WeightsError } from '../../src/base/errors.ts'
import type { ImageDataset, Sample, SampleList } from '../../src/data/dataset.ts'
import { diskFiles } from '../../src/host/node/files.ts'
import { alexnet } from '../../src/nn/alexnet.ts'
import type { Network } from '../../src/nn/network.ts'
import { readCheckpoint } from '../../src/train/checkpoint.ts'
import type { TrainEvent } from '../../src/train/events.ts'
import { type FitResult, fit } from '../../src/train/fit.ts'
import type { FitOptions } from '../../src/train/fitOptions.ts'
import { applyScenario, type Scenario } from '../../src/transfer/scenario.ts'
import { sameBits } from '../support/bits.ts'
import { testEngine } from '../support/engine.ts'
import { drawnShapes } from '../support/shapes.ts'

let data: ImageDataset
let folder: string
let places = 0
beforeAll(async () => {
  data = await drawnShapes()
  folder = await mkdtemp(join(tmpdir(), 'graft-resume-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))
const place = () => join(folder, String(places++))

async function model(scenario: Scenario = 'large-similar'): Promise<Network> {
  const network = await alexnet(await testEngine(), {
    variant: 'alexnet-64',
    channels: [8, 8, 12, 12, 8],
    hidden: 16,
    classes: 5,
    seed: 4,
  })
  applyScenario(network, { scenario, classes: 3 })
  return network
}

async function train(options: Partial<FitOptions>, scenario?: Scenario, images = data) {
  const network = await model(scenario)
  const run = await fit(network, images, { epochs: 4, batchSize: 4, lr: 3e-3, seed: 1, ...options })
  const state = await network.stateDict()
  network.dispose()
  return { run, state }
}

type Trained = Awaited<ReturnType<typeof train>>
const figures = ({ epochs }: FitResult) => epochs.map(({ seconds: _, ...rest }) => rest)

function expectSame(actual: Trained, wanted: Trained): void {
  expect(figures(actual.run)).toEqual(figures(wanted.run))
  for (const [name, { data }] of Object.entries(wanted.state))
    expect(sameBits(actual.state[name]?.data, data), name).toBe(true)
}

/**
 * Aborts after a step, or the first one past it that is made. Some more may be on their way then,
 * and are kept.
 */
function stopAt(epoch: number, step: number): Pick<FitOptions, 'signal' | 'onEvent'> {
  const controller = new AbortController()
  const onEvent = (event: TrainEvent) => {
    if (event.type === 'step' && event.epoch === epoch && event.step >= step) controller.abort()
  }
  return { signal: controller.signal, onEvent }
}

const everything: Partial<FitOptions> = {
  ...{
    optimizer: 'sgd',
    lr: 0.02,
    schedule: 'one-cycle',
    headEpochs: 1,
    unfreezeEvery: 1,
    ema: 0.9,
    clip: 0.5,
    accumulate: 2,
  },
  ...{
    mixup: 0.4,
    labelSmoothing: 0.1,
    classWeights: 'balanced',
    augment: true,
    patience: 9,
    monitor: 'accuracy',
  },
}

describe('a run that was stopped within an epoch', () => {
  test.each<[string, Partial<FitOptions>, Scenario, number, number]>([
    ['a head on stored features', {}, 'small-similar', 2, 3],
    ['everything, with dropout', { optimizer: 'sgd' }, 'large-similar', 1, 2],
    [
      'adamw along a cosine',
      { optimizer: 'adamw', schedule: 'cosine', warmup: 1 },
      'large-similar',
      3,
      5,
    ],
    ['every recipe at once, in its second stage', everything, 'large-similar', 2, 3],
    ['every recipe at once, after the last batch of an epoch', everything, 'large-similar', 2, 6],
  ])('goes on to the same bits: %s', async (_, options, scenario, epoch, step) => {
    const whole = await train(options, scenario)
    const checkpoint = place()
    const stopped = await train({ ...options, checkpoint, ...stopAt(epoch, step) }, scenario)
    expect([stopped.run.aborted, stopped.run.epochs.length]).toEqual([true, epoch - 1])
    expect(stopped.run.keptBatches).toBeGreaterThan(0)
    expect(await readdir(checkpoint)).toContain('step.safetensors')
    const heard: unknown[] = []
    const resumed = await train(
      {
        ...options,
        checkpoint,
        resume: true,
        onResume: (epochs, batches) => heard.push([epochs.length, batches]),
      },
      scenario,
    )
    expect(heard).toEqual([[epoch - 1, stopped.run.keptBatches]])
    expectSame(resumed, whole)
  })

  test('stopped while the epoch is validated', async () => {
    const options = { epochs: 2, batchSize: 8, cache: false }
    const whole = await train(options)
    const checkpoint = place()
    const controller = new AbortController()
    const { val } = data
    const stopping: SampleList = {
      length: val.length,
      at: (index) => {
        controller.abort()
        return val.at(index)
      },
      [Symbol.iterator]: () => val[Symbol.iterator](),
    }
    const stopped = await train(
      { ...options, checkpoint, signal: controller.signal },
      'large-similar',
      { ...data, val: stopping },
    )
    expect([stopped.run.aborted, stopped.run.epochs.length, stopped.run.keptBatches]).toEqual([
      true,
      0,
      3,
    ])
    const heard: unknown[] = []
    const onResume: FitOptions['onResume'] = (epochs, batches) =>
      heard.push([epochs.length, batches])
    expectSame(await train({ ...options, checkpoint, resume: true, onResume }), whole)
    expect(heard).toEqual([[0, 3]])
  })

  test('where the disk refuses what an abort is to keep, that is an error', async () => {
    const checkpoint = join(place(), 'file')
    await writeFile(join(checkpoint, '..'), '')
    await expect(train({ checkpoint, ...stopAt(1, 2) })).rejects.toThrow(/file/)
  })

  test('again and again, with broken images among the others', async () => {
    const broken = (name: string): Sample => ({
      source: new TextEncoder().encode('no image'),
      name,
      label: 0,
    })
    const images = { ...data, train: [broken('a'), ...[...data.train], broken('b'), broken('c')] }
    const options = { cache: false, epochs: 2, batchSize: 2 }
    const whole = await train(options, 'large-similar', images)
    expect(whole.run.skipped).toBe(3)
    const checkpoint = place()
    for (const [epoch, step] of [
      [1, 1],
      [1, 7],
      [2, 1],
      [2, 7],
    ] as const)
      expect(
        (
          await train(
            { ...options, checkpoint, resume: true, ...stopAt(epoch, step) },
            'large-similar',
            images,
          )
        ).run.aborted,
      ).toBe(true)
    expectSame(
      await train({ ...options, checkpoint, resume: true }, 'large-similar', images),
      whole,
    )
  })

  test('the weights that an abort leaves are those of the last finished epoch, also in a resumed run', async () => {
    const batchSize = 2
    const two = await train({ epochs: 2, batchSize })
    const checkpoint = place()
    const first = await train({ checkpoint, batchSize, ...stopAt(3, 1) })
    const again = await train({ checkpoint, batchSize, resume: true, ...stopAt(3, 1) })
    expect(again.run.keptBatches).toBeGreaterThan(first.run.keptBatches)
    expectSame(again, two)
  })
})

describe('checkpoints', () => {
  test('within an epoch they come by the clock, and change no bit', async () => {
    const checkpoint = place()
    const written = new Set<string>()
    const onEvent = async (event: TrainEvent) => {
      if (event.type === 'step')
        for (const name of await readdir(checkpoint).catch(() => []))
          if (!name.endsWith('.tmp')) written.add(name)
    }
    const plain = await train({})
    expectSame(await train({ checkpoint, checkpointSeconds: 0, onEvent }), plain)
    const ends = ['epoch-other.safetensors', 'epoch.safetensors']
    expect([...written].sort()).toEqual([...ends, 'step.safetensors'])
    const quiet = place()
    await train({ checkpoint: quiet })
    expect(await readdir(quiet)).toEqual(ends)
  })

  test('a damaged one gives way to the other; with none left the error says what to do', async () => {
    const checkpoint = place()
    const whole = await train({})
    await train({ checkpoint, ...stopAt(2, 3) })
    const path = join(checkpoint, 'step.safetensors')
    const bytes = await readFile(path)
    await writeFile(path, bytes.subarray(0, bytes.length / 2))
    const warnings: string[] = []
    const onEvent = (event: TrainEvent) => {
      if (event.type === 'remark') warnings.push(event.message)
    }
    expect((await readCheckpoint(diskFiles, checkpoint))?.epochs.length).toBe(1)
    expectSame(await train({ checkpoint, resume: true, onEvent }), whole)
    expect(warnings).toEqual([
      expect.stringMatching(/step\.safetensors is not a checkpoint of Graft: .*delete it/),
    ])
    await writeFile(path, bytes.subarray(0, 100))
    for (const name of ['epoch.safetensors', 'epoch-other.safetensors'])
      await writeFile(join(checkpoint, name), 'nothing of the kind')
    await expect(train({ checkpoint, resume: true })).rejects.toThrow(WeightsError)
  })

  test('other options than it was begun with are refused; more epochs only where no schedule spans them', async () => {
    const checkpoint = place()
    await train({ checkpoint, epochs: 1 })
    await expect(train({ checkpoint, resume: true, clip: 1 })).rejects.toThrow(
      /was written with clip left out, and now it is 1/,
    )
    await expect(train({ checkpoint, resume: true, lr: 1e-3 })).rejects.toThrow(UsageError)
    expectSame(await train({ checkpoint, resume: true, epochs: 2 }), await train({ epochs: 2 }))
    const scheduled = place()
    await train({ checkpoint: scheduled, epochs: 1, schedule: 'cosine' })
    await expect(
      train({ checkpoint: scheduled, resume: true, epochs: 2, schedule: 'cosine' }),
    ).rejects.toThrow(/written with epochs 1, and now it is 2/)
  })

  test('a training begun afresh leaves nothing of the one before', async () => {
    const checkpoint = place()
    await train({ checkpoint, ...stopAt(3, 2) })
    await train({ checkpoint, epochs: 1 })
    expect(await readdir(checkpoint)).toEqual(['epoch.safetensors'])
  })

  test('those of the training before are gone before what stands beside the new ones is written', async () => {
    const checkpoint = place()
    await train({ checkpoint, epochs: 1 })
    const left: string[][] = []
    const beforeCheckpoint = async () => void left.push(await readdir(checkpoint))
    await train({ checkpoint, epochs: 1, beforeCheckpoint })
    expect(left).toEqual([[]])
  })

  test('a run that is finished is given back as it ended, without reading an image', async () => {
    const checkpoint = place()
    const options = { ...everything, keep: 'best' as const }
    const done = await train({ ...options, checkpoint })
    const events: string[] = []
    const again = await train({
      ...options,
      checkpoint,
      resume: true,
      onEvent: ({ type }) => events.push(type),
    })
    expectSame(again, done)
    expect([events, again.run.keptEpoch]).toEqual([['memory'], done.run.keptEpoch])
  })

  test('a disk that refuses one within an epoch warns, and one at its end stops', async () => {
    const checkpoint = join(place(), 'file')
    await writeFile(join(checkpoint, '..'), '')
    const warnings: string[] = []
    const onEvent = (event: TrainEvent) => {
      if (event.type === 'remark') warnings.push(event.message)
    }
    await expect(train({ checkpoint, checkpointSeconds: 0, onEvent })).rejects.toThrow()
    expect(warnings.length).toBeGreaterThan(0)
  })
})
