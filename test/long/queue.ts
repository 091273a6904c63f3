/**
 * Trains and classifies through a queue while everything goes wrong, and compares every byte with
 * what one process makes without a queue:
 *     npx tsx test/long/queue.ts [--images 10000] [--workers 3] [--kills 20] [--restarts 5]
 *         [--engine redis|postgres]
 * Workers are killed with SIGKILL in mid-job, the server of the queue is killed and started again,
 * and, where an S3 server can be started, the store answers 500 for ten seconds. Prints a line for
 * each, and exits with 1 unless the weights and all answers are the same.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { Random } from '../../src/base/random.ts'
import { openStore } from '../../src/store/node/openStore.ts'
import { linkedFolder } from '../support/linkedFolder.ts'
import { startS3Proxy } from '../support/s3Proxy.ts'
import {
  makeBucket,
  present,
  s3Environment,
  startPostgres,
  startRedis,
  startS3,
} from '../support/servers.ts'

const { values } = parseArgs({
  options: {
    images: { type: 'string', default: '10000' },
    workers: { type: 'string', default: '3' },
    kills: { type: 'string', default: '20' },
    restarts: { type: 'string', default: '5' },
    engine: { type: 'string' },
  },
})
const [images, workers, kills, restarts] = [
  values.images,
  values.workers,
  values.kills,
  values.restarts,
].map(Number) as [number, number, number, number]
const random = new Random(1)
const bin = fileURLToPath(new URL('../../src/cli/graft.js', import.meta.url))
const folder = await mkdtemp(join(tmpdir(), 'graft-long-queue-'))
const photos = join(folder, 'photos')
await linkedFolder(photos, images, 10)
const network = ['--variant', 'alexnet-64', '--weights', 'alexnet-64-tinyimagenet100']
const training = [...network, '--scenario', 'small-similar', '--epochs', '1']

function start(args: readonly string[], cache: string, env: Record<string, string> = {}) {
  const child = spawn(process.execPath, [bin, ...args], {
    env: { ...process.env, GRAFT_CACHE: join(folder, cache), ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  child.stdout.setEncoding('utf8')
  return child
}

async function graft(args: readonly string[], cache: string, env = {}): Promise<number> {
  const began = performance.now()
  const child = start(args, cache, env)
  child.stdout.resume()
  const [code] = (await once(child, 'exit')) as [number | null]
  if (code !== 0) throw new Error(`graft ${args.join(' ')} ended with ${code}`)
  return (performance.now() - began) / 1000
}

/**
 * The answers in a folder or at an address, in the order of their parts. A part is named after its
 * job, and so after the store that it was written to.
 */
async function answers(address: string): Promise<string[]> {
  const store = await openStore(address)
  const all: string[] = []
  for await (const { path } of store.list(''))
    if (/^part-[^/]*\.jsonl$/.test(path)) all.push(Buffer.from(await store.read(path)).toString())
  await store.close()
  return all
}

async function weights(run: string): Promise<Buffer> {
  const name = (await readdir(run)).find((one) => one.endsWith('.safetensors'))
  return await readFile(join(run, name ?? ''))
}

/** A worker, whose process that works is known by the name that it tells. */
class Victim {
  readonly #child: ChildProcess
  #pid = 0
  #busy = false

  constructor(args: readonly string[], cache: string, env: Record<string, string>) {
    const child = start(['worker', '--json', ...args], cache, env)
    this.#child = child
    child.stdout.on('data', (text: string) => {
      for (const [, type, pid] of text.matchAll(/"type":"(ready|job|job-done)"(?:.*-(\d+)"})?/g)) {
        if (type === 'ready') this.#pid = Number(pid)
        this.#busy = type === 'job'
      }
    })
  }

  /** @returns whether it was in mid-job, and has been killed */
  kill(): boolean {
    if (!this.#busy || this.#pid === 0) return false
    try {
      process.kill(this.#pid, 'SIGKILL')
    } catch {
      return false
    }
    this.#pid = 0
    return true
  }

  async end(): Promise<void> {
    const ended = once(this.#child, 'exit')
    this.#child.kill('SIGTERM')
    await ended
  }
}

console.log(`without a queue: ${images} images`)
const [aloneRun, aloneOut] = [join(folder, 'alone'), join(folder, 'alone-answers')]
const alone =
  (await graft(['train', photos, ...training, '--out', aloneRun], 'alone-cache')) +
  (await graft(['predict', aloneRun, photos, '--out', `${aloneOut}/`], 'alone-cache'))
const expected = { weights: await weights(aloneRun), answers: await answers(aloneOut) }
console.log(`  ${alone.toFixed(0)} s, ${expected.answers.length} files of answers`)

let failed = false
for (const engine of ['redis', 'postgres'] as const) {
  if (!present[engine] || (values.engine !== undefined && values.engine !== engine)) {
    console.log(`left out: ${engine}`)
    continue
  }
  const server = await (engine === 'redis' ? startRedis() : startPostgres())
  const s3 = present.s3 ? await startS3() : null
  const proxy = s3 ? await startS3Proxy(s3.url) : null
  if (s3) await makeBucket(s3.url, 'work')
  const env = proxy ? s3Environment(proxy.url) : {}
  Object.assign(process.env, env)
  const work = proxy ? 's3://work' : join(folder, `work-${engine}`)
  const queue = ['--queue', server.url]
  const crew = Array.from(
    { length: workers },
    (_, i) => new Victim([...queue, '--store', photos, work], `cache-${engine}-${i}`, env),
  )
  let ended = false
  let [killed, restarted, silent] = [0, 0, proxy === null]
  const began = performance.now()
  const note = (what: string) =>
    console.log(`  ${((performance.now() - began) / 1000).toFixed(0)} s: ${what}`)
  const hurt = async (): Promise<void> => {
    while (!ended) {
      await pause(500 + random.below(3000))
      if (killed < kills && crew[random.below(workers)]?.kill()) killed++
      if (restarted < restarts && killed >= (restarted + 1) * Math.floor(kills / (restarts + 1))) {
        await server.kill()
        await pause(1000)
        await server.start()
        restarted++
        note(`${killed} workers were killed so far, the server of the queue was started again`)
      }
      if (proxy && !silent && killed >= kills / 2) {
        silent = true
        proxy.fault = () => ({ status: 500 })
        await pause(10_000)
        proxy.fault = () => null
        note('the store answered 500 for ten seconds')
      }
    }
  }
  const hurting = hurt()
  const [run, out] = [join(folder, `run-${engine}`), `${work}/answers`]
  // The first worker makes the tables of a queue on PostgreSQL.
  await pause(10_000)
  const trained = await graft(
    ['train', photos, ...training, '--out', run, ...queue, '--store', work],
    `cache-${engine}`,
  )
  note('trained')
  const seconds =
    trained +
    (await graft(
      ['predict', aloneRun, photos, '--out', out, ...queue, '--store', `${work}/marks`],
      `cache-${engine}`,
    ))
  ended = true
  await hurting
  await Promise.all(crew.map((one) => one.end()))
  const same = {
    weights: expected.weights.equals(await weights(run)),
    answers: JSON.stringify(await answers(out)) === JSON.stringify(expected.answers),
  }
  failed ||= !same.weights || !same.answers
  console.log(
    `${engine}: ${seconds.toFixed(0)} s, ${killed} kills, ${restarted} restarts, ` +
      `store ${silent && proxy ? 'silent once' : 'never silent'}: ` +
      `weights ${same.weights ? 'same' : 'DIFFERENT'}, answers ${same.answers ? 'same' : 'DIFFERENT'}`,
  )
  await proxy?.close()
  await s3?.stop()
  await server.stop()
}
await rm(folder, { recursive: true })
process.exitCode = failed ? 1 : 0
