import { afterAll, beforeAll, expect, test } from 'vitest'
import { createEngineOn } from '../../src/createEngine.ts'
import type { PlacedFile } from '../../src/data/filesDataset.ts'
import type { AdapterChoice } from '../../src/host/host.ts'
import { alexnet } from '../../src/nn/alexnet.ts'
import { nodeHost } from '../../src/nodeHost.ts'
import type { Engine } from '../../src/tensor/tensor.ts'
import { defaults } from '../../src/web/settings.ts'
import { Trainer } from '../../src/web/trainer.ts'
import type { WorkEvent } from '../../src/web/workerApi.ts'
import { readSafetensors } from '../../src/weights/safetensors.ts'
import { drawnShapes } from '../support/shapes.ts'

let engine: Engine
let trainer: Trainer
let files: PlacedFile[]
/** Weights of a person's own: of a network that compiles and trains in no time. */
const file = new File([], 'mine.safetensors')
const settings = {
  ...defaults,
  start: 'file',
  file,
  scenario: 'small-similar',
  epochs: 2,
  batchSize: 8,
} as const
const folder = { root: 'shapes', split: 0.25, seed: 0 }

beforeAll(async () => {
  // One of its own: a device is destroyed here.
  engine = await createEngineOn(nodeHost, {
    adapter: (process.env.GRAFT_ADAPTER ?? 'auto') as AdapterChoice,
  })
  const small = await alexnet(engine, {
    variant: 'alexnet-64',
    channels: [8, 8, 12, 12, 8],
    hidden: 16,
    seed: 4,
  })
  const weights = { tensors: await small.stateDict(), metadata: { architecture: 'alexnet-64' } }
  small.dispose()
  trainer = new Trainer(
    async () => engine,
    async () => weights,
    '1.2.3',
  )
  const { train, val, classes } = await drawnShapes({ train: 8, val: 4 })
  const parts = { train, val }
  files = (['train', 'val'] as const).flatMap((part) =>
    parts[part].map(({ source, label }, i) => ({
      path: `${part}/${classes[label]}/${i}.png`,
      file: new Blob([source as Uint8Array<ArrayBuffer>]),
    })),
  )
  await trainer.open()
  await trainer.use(files, folder)
})
afterAll(() => engine.dispose())

const ignore = () => {}
const weightsOf = async () =>
  new Uint8Array(await (await trainer.download('safetensors')).blob.arrayBuffer())

test('what was trained outlives the device it was trained on', async () => {
  const result = await trainer.train(settings, null, ignore)
  expect(result).toMatchObject({
    aborted: false,
    problem: null,
    keptEpoch: 2,
    classes: ['circle', 'square', 'stripes'],
  })
  const [before, onnx] = [
    await weightsOf(),
    await (await trainer.download('onnx')).blob.arrayBuffer(),
  ]
  const { metadata } = readSafetensors(before)
  expect(metadata).toMatchObject({
    format: 'graft',
    architecture: 'alexnet-64',
    classes: JSON.stringify(result.classes),
  })
  engine.gpu.device.destroy()
  await engine.gpu.device.lost
  expect(await weightsOf()).toEqual(before)
  expect(new Uint8Array(await (await trainer.download('onnx')).blob.arrayBuffer())).toEqual(
    new Uint8Array(onnx),
  )
  const image = new File([files[0]?.file ?? ''], '0.png')
  expect((await trainer.classify(image)).top).toHaveLength(3)
})

test('a training that is stopped before its first epoch says so, and keeps nothing', async () => {
  const training = trainer.train({ ...settings, epochs: 50 }, null, (event: WorkEvent) => {
    if (event.type === 'compile' || event.type === 'step') trainer.stop()
  })
  await expect(training).rejects.toMatchObject({ name: 'stopped' })
  await expect(trainer.classify(new File([], 'x.png'))).rejects.toMatchObject({
    name: 'usage',
    message: 'nothing is trained yet',
  })
})

test('a class of which no image can be decoded ends it, by name', async () => {
  const broken = files.map(({ path, file }) => ({
    path,
    file: path.includes('train/square') ? new Blob(['no image']) : file,
  }))
  await trainer.use(broken, folder)
  const skipped: string[] = []
  const training = trainer.train(
    settings,
    null,
    (event) => event.type === 'skipped' && skipped.push(event.name),
  )
  await expect(training).rejects.toMatchObject({
    name: 'data',
    message: /none of the training images of the class "square"/,
  })
  expect(skipped).toHaveLength(8)
  // Images that a probe has met before are told of no more than once either.
  const some = files.map(({ path, file }) => ({
    path,
    file: path === 'train/square/9.png' ? new Blob(['no image']) : file,
  }))
  await trainer.use(some, folder)
  const told: WorkEvent['type'][] = []
  const result = await trainer.train(
    { ...settings, scenario: 'auto', epochs: 1 },
    null,
    ({ type }) => told.push(type),
  )
  expect(result.skipped.map(({ name }) => name)).toEqual(['train/square/9.png'])
  expect(
    told.filter((type) => ['choice', 'prepared', 'skipped', 'epoch', 'judging'].includes(type)),
  ).toEqual([...['choice', 'prepared', 'skipped', 'epoch', 'judging']])
  await trainer.use(files, folder)
})

test('a batch that would not fit, and settings that do not go together, are said before training', async () => {
  const { memory, plan, layers, cuts } = await trainer.prepare(settings, null)
  expect(plan).toMatchObject({
    scenario: 'small-similar',
    frozen: expect.arrayContaining(['features.0.weight', 'classifier.4.bias']),
  })
  expect(memory).toMatchObject({ problem: null, batchSize: 8 })
  expect(layers.map(({ name, state }) => `${name} ${state}`).slice(-2)).toEqual([
    'classifier.6 cut',
    'classifier.6 new',
  ])
  expect(cuts.map(({ name }) => name)).toEqual([
    'features.2',
    'features.5',
    'features.7',
    'features.9',
    'features.12',
  ])
  const wrong = trainer.prepare({ ...settings, scenario: 'large-similar', headEpochs: 2 }, null)
  await expect(wrong).rejects.toMatchObject({
    name: 'usage',
    message: /^“Epochs of the head alone” is 2 of 2 epochs/,
  })
})

test('a learning rate is found, and the network that is trained has not been there', async () => {
  const rate = await trainer.findRate(settings, null, ignore)
  expect(rate).toBeGreaterThan(1e-6)
  expect(rate).toBeLessThan(10)
  expect(await trainer.findRate(settings, null, ignore)).toBe(rate)
})
