/**
 * The control plane alone: 1,000,000 images in 10,000 jobs that compute nothing, through each engine
 * of queues, with the done marks of all of them in a store on the disk. Jobs a second, and the
 * memory of the producer and of a worker over time.
 *
 *     npx tsx bench/controlPlane.ts [--jobs 10000] [--workers 2] [--engine redis|postgres]
 *         [--out bench/results/control-plane.json]
 *
 * Redis and PostgreSQL have to be installed; they are started on loopback, with data in a temporary
 * folder, and write every change to the disk before they answer.
 */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { availableParallelism, cpus, loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import type { Job, JobKind } from '../src/jobs/job.ts'
import { openQueueRunner } from '../src/jobs/node/queueRunner.ts'
import { runWorker } from '../src/jobs/node/queueWorker.ts'
import { Stores } from '../src/store/node/openStore.ts'
import { startPostgres, startRedis } from '../test/support/servers.ts'

const { values } = parseArgs({
  options: {
    jobs: { type: 'string', default: '10000' },
    workers: { type: 'string', default: '2' },
    engine: { type: 'string' },
    out: { type: 'string', default: 'bench/results/control-plane.json' },
    /** Of a worker, which this program starts itself. */
    take: { type: 'string' },
    store: { type: 'string', default: '' },
  },
})
const imagesOfJob = 100
const megabytes = () => Math.round(process.memoryUsage.rss() / 2 ** 20)

const nothing: JobKind<null> = {
  name: 'nothing',
  check() {},
  read: async () => null,
  run: async ({ images }) => ({ adapter: null, images, broken: [], outputs: [], facts: {} }),
}

/** Takes jobs until the producer has gone. */
async function work(url: string): Promise<void> {
  const stores = new Stores([values.store])
  const stop = new AbortController()
  const timer = setInterval(() => process.send?.(megabytes()), 500)
  process.once('disconnect', () => process.exit())
  process.once('message', () => stop.abort())
  await runWorker({
    url,
    signal: stop.signal,
    tools: {
      kinds: [nothing],
      store: (address) => stores.store(address),
      openEngine: () => Promise.reject(new Error('nothing is computed')),
    },
    onEvent: (event) => event.type === 'ready' && process.send?.('ready'),
  })
  clearInterval(timer)
  process.disconnect()
}

interface Sample {
  readonly seconds: number
  readonly done: number
  /** MiB of resident memory; that of the largest worker. */
  readonly producer: number
  readonly worker: number
}

async function measure(engine: 'redis' | 'postgres') {
  const folder = await mkdtemp(join(tmpdir(), 'graft-control-'))
  const address = pathToFileURL(folder).href
  const server = await (engine === 'redis' ? startRedis() : startPostgres())
  const crew: ChildProcess[] = []
  const memory = new Map<ChildProcess, number>()
  for (let i = 0; i < Number(values.workers); i++) {
    const child = fork(fileURLToPath(import.meta.url), ['--take', server.url, '--store', address], {
      execArgv: ['--import', 'tsx'],
    })
    await once(child, 'message')
    child.on('message', (rss: number) => memory.set(child, rss))
    crew.push(child)
  }
  const stores = new Stores([address])
  const runner = await openQueueRunner({ url: server.url, store: (one) => stores.store(one) })
  const total = Number(values.jobs)
  const jobs = function* (): Generator<Job> {
    for (let i = 0; i < total; i++)
      yield { kind: nothing.name, work: address, images: imagesOfJob, task: { shard: i } }
  }
  const [began, samples] = [performance.now(), [] as Sample[]]
  let done = 0
  const seconds = () => Math.round((performance.now() - began) / 100) / 10
  const sample = () =>
    samples.push({
      seconds: seconds(),
      done,
      producer: megabytes(),
      worker: Math.max(0, ...memory.values()),
    })
  const timer = setInterval(sample, 2000)
  const outcomes = await runner.run(jobs(), {
    total,
    onEvent: (event) => {
      if (event.type === 'jobs') done = event.done
    },
  })
  clearInterval(timer)
  sample()
  const all = seconds()
  const lost = outcomes.filter((one) => !('result' in one)).length
  await runner.close()
  const ended = crew.map((child) => once(child, 'exit'))
  for (const child of crew) child.send('end')
  await Promise.all(ended)
  await server.stop()
  await rm(folder, { recursive: true })
  const row = {
    engine,
    jobs: total,
    images: total * imagesOfJob,
    workers: crew.length,
    failed: lost,
    /** What else went on meanwhile: processes that waited for one of the cores. */
    load: Math.round(10 * (loadavg()[0] ?? 0)) / 10,
    seconds: all,
    jobsPerSecond: Math.round(total / all),
    imagesPerSecond: Math.round((total * imagesOfJob) / all),
    // So many samples that the whole course is seen.
    memory: samples.filter(
      (_, i) => i % Math.ceil(samples.length / 20) === 0 || i === samples.length - 1,
    ),
  }
  console.log(JSON.stringify({ ...row, memory: row.memory.slice(-1) }))
  return row
}

if (values.take !== undefined) await work(values.take)
else {
  const engines = (['redis', 'postgres'] as const).filter(
    (one) => values.engine === undefined || values.engine === one,
  )
  const kept = await readFile(values.out, 'utf8')
    .then((text) => (JSON.parse(text) as { rows: { engine: string }[] }).rows)
    .catch(() => [])
  const rows = kept.filter(({ engine }) => !engines.some((one) => one === engine))
  for (const engine of engines) rows.push(await measure(engine))
  const machine = {
    cpu: cpus()[0]?.model ?? '',
    cores: availableParallelism(),
    node: process.version,
  }
  await writeFile(values.out, `${JSON.stringify({ machine, rows }, null, 2)}\n`)
}
