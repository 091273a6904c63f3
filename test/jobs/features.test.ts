import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { at } from '../../src/base/at.ts'
import { createEngineOn } from '../../src/createEngine.ts'
import type { ArrayDataset } from '../../src/data/dataset.ts'
import type { FeatureCache } from '../../src/data/featureCache.ts'
import type { AdapterChoice } from '../../src/host/host.ts'
import { HereRunner } from '../../src/jobs/here.ts'
import { jobId } from '../../src/jobs/identity.ts'
import { jobKinds } from '../../src/jobs/node/kinds.ts'
import { spreadFeatures } from '../../src/jobs/node/spreadFeatures.ts'
import type { JobEvent, Runner } from '../../src/jobs/runner.ts'
import { Workplace } from '../../src/jobs/workplace.ts'
import { nodeHost } from '../../src/nodeHost.ts'
import { openStore, Stores } from '../../src/store/node/openStore.ts'
import type { Engine } from '../../src/tensor/tensor.ts'
import type { TrainEvent } from '../../src/train/events.ts'
import { fit } from '../../src/train/fit.ts'
import { sameBits } from '../support/bits.ts'
import { placeOfTests, runnerOfTests, shapesNetwork, storedShapes } from '../support/stored.ts'

let folder: string
/** Thirty-seven images in a store, one of them broken. */
let data: ArrayDataset
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'graft-features-'))
  data = await storedShapes(join(folder, 'images'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const network = (seed?: number) => shapesNetwork('small-different', seed)

/** Trains a head on features of a cache, and says how many rows it found and had to compute. */
async function head(featureCache: FeatureCache | undefined) {
  const { model } = await network()
  const events: TrainEvent[] = []
  await fit(model, data, {
    epochs: 2,
    batchSize: 8,
    lr: 3e-3,
    featureCache,
    onEvent: (event) => events.push(event),
  })
  return {
    state: await model.stateDict(),
    found: events.flatMap((event) => (event.type === 'cached' ? [event.count] : [])),
    skipped: events.flatMap((event) => (event.type === 'skipped' ? [event.name] : [])),
    read: events.filter(({ type }) => type === 'read').length,
  }
}

async function spread(
  work: string,
  runner: Runner,
  shardSize?: number,
  seed?: number,
  onEvent: (event: JobEvent) => void = () => {},
) {
  const { model, plan } = await network(seed)
  const events: JobEvent[] = []
  const spreading = await spreadFeatures(model, data, data.root, {
    runner,
    work: await openStore(join(folder, work)),
    plan,
    folder: join(folder, `${work}-cache`),
    onEvent: (event) => {
      events.push(event)
      onEvent(event)
    },
    ...(shardSize ? { shardSize } : {}),
  })
  model.dispose()
  const last = events.findLast((event) => event.type === 'jobs')
  return { ...spreading, found: last?.type === 'jobs' ? last.found : null }
}

test('rows of jobs give the head the bytes that it has without jobs, whatever the shards', async () => {
  const alone = await head(undefined)
  const whole = await spread('whole', runnerOfTests(), 64)
  const small = await spread('small', runnerOfTests(), 5)
  expect([whole.results.length, small.results.length]).toEqual([1, 8])
  for (const { cache, results } of [whole, small]) {
    expect(results.flatMap(({ broken }) => broken)).toEqual([
      {
        name: 'train/circle/x.png',
        reason: expect.stringMatching(/^train\/circle\/x\.png: not a JPEG, PNG or WebP/),
      },
    ])
    const trained = await head(cache)
    expect(trained).toMatchObject({ found: [24, 12], read: 0, skipped: ['train/circle/x.png'] })
    for (const [name, { data }] of Object.entries(alone.state))
      expect(sameBits(trained.state[name]?.data, data), name).toBe(true)
  }
})

test('what is done is found, also for another head; damaged rows are named', async () => {
  expect((await spread('again', runnerOfTests(), 16)).found).toBe(0)
  expect((await spread('again', runnerOfTests(), 16)).found).toBe(3)
  expect((await spread('again', runnerOfTests(), 16, 9)).found).toBe(3)
  const tables = join(folder, 'again', 'features')
  const [table = ''] = await readdir(tables)
  const [name = ''] = (await readdir(join(tables, table))).sort()
  const path = join(tables, table, name)
  const bytes = await readFile(path)
  bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1
  await writeFile(path, bytes)
  await rm(join(folder, 'again-cache'), { recursive: true })
  await expect(spread('again', runnerOfTests(), 16)).rejects.toThrow(
    /features\/\w+\/j\w+\.safetensors is damaged: remove it and done\/j\w+\.json/,
  )
})

test('two places that share the work leave the same rows as one', async () => {
  const places = [placeOfTests(), placeOfTests()]
  const { signal } = new AbortController()
  const turns: Runner = {
    run: (jobs) =>
      Promise.all(
        Array.from(jobs, async (job, i) => {
          const { result } = await at(places, i % 2).do(job, { signal })
          return { id: await jobId(job), job, result }
        }),
      ),
    close: async () => {},
  }
  const hashes = ({ results }: Awaited<ReturnType<typeof spread>>) =>
    results.flatMap(({ outputs }) => outputs.map(({ sha256 }) => sha256))
  const one = hashes(await spread('one', runnerOfTests(), 5))
  expect(one).toHaveLength(8)
  expect(hashes(await spread('turns', turns, 5))).toEqual(one)
})

test('a device that is lost in a job costs a try: the next one is on another device', async () => {
  const engines: Engine[] = []
  const openEngine = async () => {
    const adapter = (process.env.GRAFT_ADAPTER ?? 'auto') as AdapterChoice
    engines.push(await createEngineOn(nodeHost, { adapter }))
    return at(engines, engines.length - 1)
  }
  const place = new Workplace({ kinds: jobKinds, store: openStore, openEngine })
  const events: JobEvent[] = []
  const { results } = await spread('lost', new HereRunner(place), 16, undefined, (event) => {
    events.push(event)
    // In mid-job: one has begun, and none is done.
    if (engines.length === 1 && event.type === 'jobs' && event.images > 0)
      at(engines, 0).gpu.device.destroy()
  })
  expect(engines).toHaveLength(2)
  expect(events.flatMap((event) => (event.type === 'job-again' ? [event.reason] : []))).toEqual([
    expect.stringMatching(/^the GPU device was lost \(.*\): the next try gets another one$/),
  ])
  const whole = await spread('found', runnerOfTests(), 16)
  const outputs = (all: typeof results) => all.map((one) => one.outputs.map(({ sha256 }) => sha256))
  expect(outputs(results)).toEqual(outputs(whole.results))
  await place.close()
})

test('a place that was not given the images refuses the job', async () => {
  const work = join(folder, 'foreign')
  const stores = new Stores([work])
  const runner = new HereRunner(placeOfTests({ store: (address) => stores.store(address) }))
  await expect(spread('foreign', runner, 64)).rejects.toThrow(
    /1 of 1 shards failed, such as j\w+: file:.*images is in none of the stores that were given/,
  )
})
