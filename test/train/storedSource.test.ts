import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import type { ArrayDataset } from '../../src/data/dataset.ts'
import { FeatureCache } from '../../src/data/featureCache.ts'
import { alexnet } from '../../src/nn/alexnet.ts'
import type { Network } from '../../src/nn/network.ts'
import type { TrainEvent } from '../../src/train/events.ts'
import { fit } from '../../src/train/fit.ts'
import type { FitOptions } from '../../src/train/fitOptions.ts'
import { openStored } from '../../src/train/storedSource.ts'
import { applyScenario } from '../../src/transfer/scenario.ts'
import { sameBits } from '../support/bits.ts'
import { testEngine } from '../support/engine.ts'
import { drawnShapes } from '../support/shapes.ts'

let data: ArrayDataset
let folder: string
beforeAll(async () => {
  data = await drawnShapes()
  folder = await mkdtemp(join(tmpdir(), 'graft-stored-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

async function model({ seed = 4, cut = 'features.7' } = {}): Promise<Network> {
  const network = await alexnet(await testEngine(), {
    variant: 'alexnet-64',
    channels: [8, 8, 12, 12, 8],
    hidden: 16,
    classes: 5,
    seed,
  })
  applyScenario(network, { scenario: 'small-different', cut, classes: 3 })
  return network
}

/** A run, what it said it found on disk and what it read, and the weights it ended on. */
async function train(
  featureCache: FeatureCache | undefined,
  network: Promise<Network> = model(),
  options: Partial<FitOptions> = {},
) {
  const events: TrainEvent[] = []
  const trained = await network
  await fit(trained, data, {
    epochs: 2,
    batchSize: 8,
    lr: 3e-3,
    featureCache,
    onEvent: (event) => events.push(event),
    ...options,
  })
  const found = events.flatMap((event) =>
    event.type === 'cached' ? [`${event.split} ${event.count} of ${event.total}`] : [],
  )
  const remarks = events.flatMap((event) => (event.type === 'remark' ? [event.message] : []))
  return {
    found,
    remarks,
    read: events.filter(({ type }) => type === 'read').length,
    state: await trained.stateDict(),
  }
}

const all = ['train 24 of 24', 'val 12 of 12']
type Trained = Awaited<ReturnType<typeof train>>
const same = (a: Trained, b: Trained) =>
  Object.keys(a.state).every((name) => sameBits(a.state[name]?.data, b.state[name]?.data))

test('a second run reads no image, also under another seed, and ends on the same bits', async () => {
  const cache = new FeatureCache({ folder: join(folder, 'second') })
  const without = await train(undefined)
  const first = await train(cache)
  const second = await train(cache)
  expect([first.found, second.found]).toEqual([[], all])
  expect([first.read > 0, second.read]).toEqual([true, 0])
  expect([same(first, without), same(second, without)]).toEqual([true, true])
  expect((await train(cache, model(), { seed: 9 })).found).toEqual(all)
})

test('what is new is computed and the rest is not, with the same bits', async () => {
  const cache = new FeatureCache({ folder: join(folder, 'partly') })
  const whole = data
  data = { ...whole, train: whole.train.filter((_, i) => i % 5 !== 2) }
  await train(cache)
  data = whole
  const partly = await train(cache)
  expect(partly.found).toEqual(['train 19 of 24', 'val 12 of 12'])
  expect(same(partly, await train(undefined))).toBe(true)
})

test('other weights, another cut and another preparation have features of their own', async () => {
  const cache = new FeatureCache({ folder: join(folder, 'other') })
  await train(cache)
  expect((await train(cache, model({ seed: 5 }))).found).toEqual([])
  expect((await train(cache, model({ cut: 'features.4' }))).found).toEqual([])
  const prepared = model().then((network) =>
    Object.assign(network, { preprocess: { ...network.preprocess, resize: 70 } }),
  )
  expect((await train(cache, prepared)).found).toEqual([])
  const nudged = model().then((network) => {
    const [weight] = network.parameters()
    weight?.assign(network.engine, new Float32Array(8 * 3 * 5 * 5).fill(0.01))
    return network
  })
  expect((await train(cache, nudged)).found).toEqual([])
  expect(await readdir(cache.folder)).toHaveLength(5)
})

test('an image that is broken is named again, and one that is there twice has one row', async () => {
  const cache = new FeatureCache({ folder: join(folder, 'broken') })
  const whole = data
  const broken = { source: new TextEncoder().encode('no image'), name: 'broken.png', label: 0 }
  const [first] = data.train
  data = { ...data, train: [broken, ...data.train, ...(first ? [first] : [])] }
  const skipped: string[] = []
  const onEvent: FitOptions['onEvent'] = (event) =>
    event.type === 'skipped' && skipped.push(event.name)
  for (const expected of [1, 2]) {
    await train(cache, model(), { onEvent })
    expect(skipped).toHaveLength(expected)
  }
  expect((await train(cache)).found).toEqual(['train 25 of 26', 'val 12 of 12'])
  const [kept] = await readdir(cache.folder)
  const files = await readdir(join(cache.folder, kept ?? ''))
  expect(files).toHaveLength(2) // training's and validation's
  data = whole
})

test('a place that cannot be written to costs the cache and not the run', async () => {
  const occupied = join(folder, 'occupied')
  await writeFile(occupied, '')
  const run = await train(new FeatureCache({ folder: occupied }))
  expect(run.remarks).toEqual([
    expect.stringMatching(/^features are not kept for later runs: cannot make .*occupied/),
  ])
  expect(same(run, await train(undefined))).toBe(true)
})

test('where there are many, they are read from the disk, with the same bits', async () => {
  const cache = new FeatureCache({ folder: join(folder, 'many') })
  const network = await model()
  const from = network.frozenPrefix
  const order = Array.from(data.train.keys()).reverse()
  const batchesOf = async (memoryBytes: number) => {
    const source = await openStored(network, data.train, from, {
      onBroken: vi.fn(),
      features: cache,
      memoryBytes,
    })
    const values: Float32Array[] = []
    for await (const { x } of source?.batches(order, 7, 1) ?? []) {
      values.push(await x.data())
      x.dispose()
    }
    await source?.close()
    return values
  }
  const fromDisk = await batchesOf(0)
  expect(fromDisk.map((values) => values.length)).toEqual(
    [7, 7, 7, 3].map((n) => (n * (fromDisk[0]?.length ?? 0)) / 7),
  )
  expect(await batchesOf(0)).toEqual(fromDisk)
  expect(await batchesOf(2 ** 30)).toEqual(fromDisk)
})

test('training begins with the first images that are read, and each is read once', async () => {
  const events: TrainEvent[] = []
  const whole = data
  data = { ...data, train: Array.from({ length: 6 }, () => data.train).flat() }
  await train(undefined, model(), { onEvent: (event) => events.push(event) })
  data = whole
  const first = events.findIndex(({ type }) => type === 'step')
  const read = events.flatMap((event, at) =>
    event.type === 'read' && event.split === 'train' ? [{ ...event, at }] : [],
  )
  expect(read.filter(({ at }) => at < first).at(-1)?.done).toBeLessThan(144)
  expect(read.map(({ done }) => done)).toEqual([32, 64, 96, 128, 144])
})

test('an interrupted reading keeps what it has computed', async () => {
  const cache = new FeatureCache({ folder: join(folder, 'interrupted') })
  const stop = new AbortController()
  const many: ArrayDataset = {
    ...data,
    train: [0, 1, 2, 3].flatMap((n) =>
      data.train.map((sample) => ({ ...sample, name: `${n} ${sample.name}` })),
    ),
  }
  const whole = data
  data = {
    ...many,
    train: many.train.map((sample, i) => ({
      ...sample,
      source: Uint8Array.from([...(sample.source as Uint8Array), i]),
    })),
  }
  await train(cache, model(), {
    signal: stop.signal,
    onEvent: (event) => event.type === 'read' && event.done >= 32 && stop.abort(),
  })
  const again = await train(cache)
  expect(again.found[0]).toMatch(/^train (32|64) of 96$/)
  data = whole
})
