/**
 * What a queue costs: the frozen features of 5,000 images, which one worker computes for a producer
 * on the same machine, against one process without a queue. A head trains for one epoch on them, so
 * that both do all that a training does. The three kinds take turns at being first, and every round
 * has a folder of features of its own.
 *
 *     npx tsx bench/queueCost.ts [--images 5000] [--rounds 6] [--adapter KIND]
 *         [--out bench/results/queue-cost.json]
 *
 * Each round is written as soon as it is measured, and a later call measures only those that are
 * missing. Redis and PostgreSQL have to be installed; they are started on loopback.
 */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { availableParallelism, cpus, loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import { at } from '../src/base/at.ts'
import { FeatureCache } from '../src/data/featureCache.ts'
import { openData } from '../src/data/openData.ts'
import { type AdapterChoice, alexnet, applyScenario, createEngine, fit } from '../src/index.ts'
import { jobKinds } from '../src/jobs/node/kinds.ts'
import { openQueueRunner } from '../src/jobs/node/queueRunner.ts'
import { runWorker } from '../src/jobs/node/queueWorker.ts'
import { type SpreadFeatures, spreadFeatures } from '../src/jobs/node/spreadFeatures.ts'
import type { Runner } from '../src/jobs/runner.ts'
import { Stores } from '../src/store/node/openStore.ts'
import type { Store } from '../src/store/store.ts'
import type { Engine } from '../src/tensor/tensor.ts'
import { linkedFolder } from '../test/support/linkedFolder.ts'
import { startPostgres, startRedis, type TestServer } from '../test/support/servers.ts'
import { median } from './statistics.ts'

const { values } = parseArgs({
  options: {
    images: { type: 'string', default: '5000' },
    rounds: { type: 'string', default: '6' },
    adapter: { type: 'string', default: process.env.GRAFT_ADAPTER ?? 'auto' },
    out: { type: 'string', default: 'bench/results/queue-cost.json' },
    /** Of a worker, which this program starts itself. */
    take: { type: 'string' },
    stores: { type: 'string', default: '' },
  },
})
const images = Number(values.images)
const openEngine = () => createEngine({ adapter: values.adapter as AdapterChoice })

const kinds = ['none', 'redis', 'postgres'] as const
type Kind = (typeof kinds)[number]

/** A measurement; seconds on the clock, and of the processor, in the producer and the worker. */
interface Cost {
  readonly clock: number
  readonly processor: number
}
interface Round {
  readonly costs: Readonly<Record<Kind, Cost>>
  /** What else went on: processes that waited for one of the cores, these two included. */
  readonly load: number
}
interface Results {
  readonly machine: { readonly cpu: string; readonly cores: number; readonly node: string }
  readonly adapter: string
  readonly images: number
  readonly rounds: readonly Round[]
}

const processorSeconds = () => {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1e6
}

/** Takes jobs until it is told to end, and tells its processor's seconds when it is asked. */
async function work(url: string): Promise<void> {
  const stores = new Stores(values.stores.split(' '))
  const stop = new AbortController()
  process.once('disconnect', () => process.exit())
  process.on('message', (said) => {
    if (said === 'end') stop.abort()
    else process.send?.(processorSeconds())
  })
  const engine = await openEngine()
  await runWorker({
    url,
    signal: stop.signal,
    tools: {
      kinds: jobKinds,
      store: (address) => stores.store(address),
      openEngine: async () => engine,
    },
    onEvent: (event) => event.type === 'ready' && process.send?.('ready'),
  })
  await stores.close()
  process.disconnect()
}

interface Crew {
  readonly server: TestServer
  readonly worker: ChildProcess
}

/** The producer's; a worker is told where its stores are. */
const folder = values.take === undefined ? await mkdtemp(join(tmpdir(), 'graft-cost-')) : ''

async function hire(kind: Kind): Promise<Crew | null> {
  if (kind === 'none') return null
  const server = await (kind === 'redis' ? startRedis() : startPostgres())
  const stores = pathToFileURL(folder).href
  const args = ['--take', server.url, '--stores', stores, '--adapter', values.adapter]
  const worker = fork(fileURLToPath(import.meta.url), args, { execArgv: ['--import', 'tsx'] })
  await once(worker, 'message')
  return { server, worker }
}

async function secondsOf(crew: Crew | null): Promise<number> {
  if (!crew) return processorSeconds()
  crew.worker.send('seconds')
  const [seconds] = (await once(crew.worker, 'message')) as [number]
  return processorSeconds() + seconds
}

/** Trains a head on the features that this process, or the worker of a queue, computes. */
async function train(engine: Engine, crew: Crew | null, photos: string): Promise<Cost> {
  const own = await mkdtemp(join(folder, 'round-'))
  const place = crew ? pathToFileURL(photos).href : photos
  const data = await openData(place, { seed: 0 })
  const weights = 'alexnet-64-tinyimagenet100'
  const model = await alexnet(engine, { variant: 'alexnet-64', weights, seed: 0 })
  const plan = applyScenario(model, {
    scenario: 'small-similar',
    classes: data.classes.length,
    seed: 0,
  })
  const [began, before] = [performance.now(), await secondsOf(crew)]
  const featureCache = crew
    ? await spread(crew, own, (runner, work) =>
        spreadFeatures(model, data, place, { runner, work, plan, folder: join(own, 'features') }),
      )
    : new FeatureCache({ folder: join(own, 'features') })
  await fit(model, data, { epochs: 1, batchSize: 32, lr: 1e-3, seed: 0, featureCache })
  const cost = {
    clock: (performance.now() - began) / 1000,
    processor: (await secondsOf(crew)) - before,
  }
  model.dispose()
  await rm(own, { recursive: true })
  return cost
}

async function spread(
  { server }: Crew,
  own: string,
  all: (runner: Runner, work: Store) => Promise<SpreadFeatures>,
): Promise<FeatureCache> {
  const stores = new Stores([folder])
  const store = (address: string) => stores.store(address)
  const runner = await openQueueRunner({ url: server.url, store })
  const { cache } = await all(runner, await store(pathToFileURL(join(own, 'work')).href))
  await runner.close()
  await stores.close()
  return cache
}

async function measure(): Promise<void> {
  const [photos, few] = [join(folder, 'photos'), join(folder, 'few')]
  await linkedFolder(photos, images, 10, images)
  await linkedFolder(few, 64, 10, 64)
  const engine = await openEngine()
  const kept = await readFile(values.out, 'utf8')
    .then((text) => JSON.parse(text) as Results)
    .catch(() => null)
  const rounds = kept?.images === images ? [...kept.rounds] : []
  const crews = new Map<Kind, Crew | null>()
  for (const kind of kinds) {
    crews.set(kind, await hire(kind))
    // Kernels are compiled and the weights are where they are used before anything is measured.
    await train(engine, crews.get(kind) ?? null, few)
  }
  while (rounds.length < Number(values.rounds)) {
    const costs: Record<string, Cost> = {}
    // Each kind is first, second and last equally often: what a round leaves behind, such as files
    // that still have to go to the disk, burdens the next one.
    const first = rounds.length % kinds.length
    for (const kind of [...kinds.slice(first), ...kinds.slice(0, first)])
      costs[kind] = await train(engine, crews.get(kind) ?? null, photos)
    const load = Math.round(10 * at(loadavg(), 0)) / 10
    rounds.push({ costs: costs as Round['costs'], load })
    const results: Results = {
      machine: {
        cpu: cpus()[0]?.model ?? '',
        cores: availableParallelism(),
        node: process.version,
      },
      adapter: engine.info.adapter,
      images,
      rounds,
    }
    await writeFile(values.out, `${JSON.stringify(results, null, 2)}\n`)
    console.log(JSON.stringify(rounds.at(-1)))
  }
  for (const kind of kinds.slice(1))
    for (const time of ['clock', 'processor'] as const) {
      const typical = (which: Kind) => median(rounds.map(({ costs }) => costs[which][time]))
      const ratio = typical(kind) / typical('none')
      console.log(`${kind}, ${time}: ${ratio.toFixed(3)} times without a queue`)
    }
  for (const crew of crews.values()) {
    if (!crew) continue
    crew.worker.send('end')
    await once(crew.worker, 'exit')
    await crew.server.stop()
  }
  engine.dispose()
}

if (values.take !== undefined) await work(values.take)
else await measure().finally(() => rm(folder, { recursive: true, force: true }))
