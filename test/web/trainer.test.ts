import { afterAll, beforeAll, expect, test } from 'vitest'
import { createEngineOn } from '../../src/createEngine.ts'
import type { PlacedFile } from '../../src/data/filesDataset.ts'
import type { AdapterChoice } from '../../src/host/host.ts'
import { alexnet } from '../../src/nn/alexnet.ts'
import { nodeHost } from '../../src/nodeHost.ts'
import type { Engine } from '../../src/tensor/tensor.ts'
import { keptEpochOf } from '../../src/train/kept.ts'
import {
  addClass,
  type Project,
  pathOf,
  projectOf,
  removeClass,
  renameClass,
} from '../../src/web/project.ts'
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
const division = { split: 0.25, seed: 0 }

function project(placed: readonly PlacedFile[]): Project {
  const made = projectOf({ root: 'shapes', files: placed, passedOver: [] })
  if (typeof made === 'string') throw new Error(made)
  return made
}

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
  await trainer.use(project(files), division)
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
    classes: ['circle', 'square', 'stripes'],
  })
  expect(result.epochs).toHaveLength(2)
  expect(result.keptEpoch).toBe(keptEpochOf(result.epochs))
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
  expect(await trainer.classify([image], ignore)).toMatchObject([
    { name: '0.png', top: [{}, {}, {}] },
  ])
})

test('a training that is stopped before its first epoch says so, and keeps nothing', async () => {
  const training = trainer.train({ ...settings, epochs: 50 }, null, (event: WorkEvent) => {
    if (event.type === 'compile' || event.type === 'step') trainer.stop()
  })
  await expect(training).rejects.toMatchObject({ name: 'stopped' })
  await expect(trainer.classify([new File([], 'x.png')], ignore)).rejects.toMatchObject({
    name: 'usage',
    message: 'nothing is trained yet',
  })
})

test('a class of which no image can be decoded ends it, by name', async () => {
  const broken = files.map(({ path, file }) => ({
    path,
    file: path.includes('train/square') ? new Blob(['no image']) : file,
  }))
  await trainer.use(project(broken), division)
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
  await trainer.use(project(some), division)
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
  await trainer.use(project(files), division)
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
    message: /^“Rounds of the new layer alone” is 2 of 2 epochs/,
  })
})

test('a second training computes no image twice, also in a class with another name', async () => {
  const renamed = renameClass(project(files), 'circle', 'ring')
  const cached: WorkEvent[] = []
  const listen = (event: WorkEvent) => event.type === 'cached' && cached.push(event)
  await trainer.use(renamed, division)
  const result = await trainer.train({ ...settings, epochs: 1 }, null, listen)
  expect(result.classes).toEqual(['ring', 'square', 'stripes'])
  expect(cached).toMatchObject([
    { split: 'train', count: 24, total: 24 },
    { split: 'val', count: 12, total: 12 },
  ])
})

test('a project is saved with its network, and opened again as it was', async () => {
  const before = project(files)
  await trainer.use(before, division)
  const trained = await trainer.train(settings, null, ignore)
  const saved = new File([await trainer.save(before)], 'shapes.graft.zip')
  const { project: after, result } = await trainer.load(saved, division)
  expect(after.classes).toEqual(before.classes)
  expect(after.images.map(pathOf)).toEqual(before.images.map(pathOf))
  expect(result).toMatchObject({
    classes: trained.classes,
    accuracy: trained.accuracy,
    confusion: trained.confusion,
    epochs: trained.epochs.map(({ epoch, valLoss }) => ({ epoch, valLoss })),
    keptEpoch: trained.keptEpoch,
  })
  const renamed = renameClass(before, 'circle', 'zero')
  const again = new File([await trainer.save(renamed)], 'shapes.graft.zip')
  const opened = await trainer.load(again, division)
  expect(opened.problem).toBe(null)
  // The order is that of the network's outputs.
  expect(opened.result?.classes).toEqual(['zero', 'square', 'stripes'])
  expect(opened.result?.confusion).toEqual(trained.confusion)
  const damaged = new File([saved.slice(0, 2000)], 'half.zip')
  await expect(trainer.load(damaged, division)).rejects.toMatchObject({
    name: 'data',
    message: /^half\.zip is not a saved project/,
  })
})

test('a project whose classes were changed after training opens without its network, and says so', async () => {
  const before = project(files)
  await trainer.use(before, division)
  await trainer.train({ ...settings, epochs: 1 }, null, ignore)
  const open = async (changed: Project) =>
    trainer.load(new File([await trainer.save(changed)], 'shapes.graft.zip'), division)
  const changed = removeClass(addClass(before, 'star'), 'square')
  expect(await open(changed)).toMatchObject({
    result: null,
    problem: expect.stringMatching(/“star” was added and “square” was removed.*train again/),
  })
  await expect(trainer.classify([], ignore)).rejects.toThrow('nothing is trained yet')
  await trainer.train({ ...settings, epochs: 1 }, null, ignore)
})

test('images to test each have their own answer, and a map of where it comes from', async () => {
  const [good, bad] = [new File([files[0]?.file ?? ''], '0.png'), new File(['no'], 'bad.png')]
  const answers = await trainer.classify([bad, good], ignore)
  expect(answers).toMatchObject([
    { name: 'bad.png', problem: /^bad\.png: / },
    { name: '0.png', top: [{}, {}, {}] },
  ])
  const { seen, size, map, cells } = await trainer.heatMap(good)
  expect([seen.length, map.length]).toEqual([4 * size * size, cells * cells])
  expect(Math.max(...seen)).toBe(255)
})

test('classes have their new names at once, in answers and in files', async () => {
  trainer.rename(['ring', 'square', 'circle'])
  const [answer] = await trainer.classify([new File([files[0]?.file ?? ''], '0.png')], ignore)
  expect(answer).toMatchObject({
    top: expect.arrayContaining([expect.objectContaining({ class: 'ring', index: 0 })]),
  })
  expect(readSafetensors(await weightsOf()).metadata).toMatchObject({
    classes: '["ring","square","circle"]',
  })
  trainer.rename(['circle', 'square', 'stripes'])
})

test('the four ways are compared on the images, and what was trained stays', async () => {
  const told = new Set<string>()
  const { scenarios } = await trainer.compare({ ...settings, epochs: 1 }, (event) => {
    if (event.type === 'contestant') told.add(event.scenario)
  })
  expect([...scenarios.keys()]).toEqual([
    'small-similar',
    'small-different',
    'large-similar',
    'large-different',
  ])
  expect([...told]).toEqual(['auto', ...scenarios.keys()])
  expect((await trainer.download('safetensors')).name).toMatch(/^shapes-/)
})

test('a learning rate is found, and the network that is trained has not been there', async () => {
  const rate = await trainer.findRate(settings, null, ignore)
  expect(rate).toBeGreaterThan(1e-6)
  expect(rate).toBeLessThan(10)
  expect(await trainer.findRate(settings, null, ignore)).toBe(rate)
})
