/**
 * Whether a training by rounds is as good as one without, and from how many workers on it pays no
 * more.
 *
 *     npx tsx bench/rounds.ts [--seeds 3] [--epochs 4] [--slots 4] [--adapter KIND]
 *
 * Both trainings make equally many steps on the emoji, all slots taken together: alexnet-64 from
 * the shipped weights, everything trains. Each seed is written to bench/results/rounds.json as soon
 * as it is done, and a later call measures only those that are missing. The time that 1 to 64
 * workers need is computed from what is measured here: the time of a step, of reading, writing and
 * hashing, and of averaging; bench/results/rounds.md has both.
 */

import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join, relative } from 'node:path'
import { parseArgs } from 'node:util'
import { at } from '../src/base/at.ts'
import { percent } from '../src/base/format.ts'
import { writeFileAtomic } from '../src/base/node/atomicFile.ts'
import { sha256 } from '../src/base/sha256.ts'
import type { Sample } from '../src/data/dataset.ts'
import { openEmoji } from '../src/data/emoji.ts'
import {
  type AdapterChoice,
  alexnet,
  applyScenario,
  createEngine,
  fit,
  type ImageDataset,
} from '../src/index.ts'
import { HereRunner } from '../src/jobs/here.ts'
import { jobKinds } from '../src/jobs/node/kinds.ts'
import { trainRounds } from '../src/jobs/node/trainRounds.ts'
import { Workplace } from '../src/jobs/workplace.ts'
import { OuterStep } from '../src/optim/outer.ts'
import { openStore } from '../src/store/node/openStore.ts'
import { storedImage } from '../src/store/storedImage.ts'
import { writeSafetensors } from '../src/weights/safetensors.ts'

interface Row {
  readonly seed: number
  /** Validation accuracy at the end: of one worker, and of the slots. */
  readonly one: number
  readonly rounds: number
  /** Steps of one worker; those of all slots together. */
  readonly steps: readonly [number, number]
  /** Seconds of a step of one worker, validation left in. */
  readonly step: number
}

/** What is measured of the rest. */
interface Parts {
  /** Seconds for each byte: to make a file of weights and hash it; to average one slot's. */
  readonly file: number
  readonly average: number
}

interface Results {
  adapter: string
  /** Images to train on and to validate on, passes over them, slots and steps of a round. */
  setting: readonly number[]
  rows: Row[]
  parts: Parts | null
}

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '3' },
    epochs: { type: 'string', default: '4' },
    slots: { type: 'string', default: '4' },
    adapter: { type: 'string', default: 'auto' },
  },
})
const [epochs, slots] = [Number(values.epochs), Number(values.slots)]
const recipe = { epochs, batchSize: 16, lr: 3e-4, optimizer: 'adamw', keep: 'last' } as const
const localSteps = 7
/** Seconds for a request to a store and for a job to go through a queue. */
const latency = 0.05
const requests = 10
const file = join(import.meta.dirname, 'results', 'rounds.json')
const engine = await createEngine({ adapter: values.adapter as AdapterChoice })
const data = await storedEmoji()
const setting = [data.train.length, data.val.length, epochs, slots, localSteps]
const before = existsSync(file) ? (JSON.parse(await readFile(file, 'utf8')) as Results) : null
const results: Results =
  before?.setting.join() === setting.join()
    ? before
    : { adapter: engine.info.adapter, setting, rows: [], parts: null }

results.parts ??= await measureParts()
await save()
for (let seed = 1; seed <= Number(values.seeds); seed++) {
  if (results.rows.some((row) => row.seed === seed)) continue
  results.rows.push(await measure(seed))
  await save()
}
engine.dispose()

async function save(): Promise<void> {
  await writeFileAtomic(file, `${JSON.stringify(results, null, 2)}\n`)
  await writeFileAtomic(join(import.meta.dirname, 'results', 'rounds.md'), summary(results))
}

/** The emoji, where they are, as images of a store. */
async function storedEmoji(): Promise<ImageDataset> {
  const emoji = await openEmoji({ seed: 0 })
  const root = dirname(String(at(emoji.train, 0).source))
  const store = await openStore(root)
  const part = (samples: readonly Sample[]) =>
    Promise.all(
      samples.map(async (sample) => {
        const object = await store.stat(relative(root, String(sample.source)))
        if (!object) throw new Error(`${sample.name} is not there`)
        return { ...sample, source: storedImage(store, object) }
      }),
    )
  return {
    ...emoji,
    root: store.address,
    train: await part(emoji.train),
    val: await part(emoji.val),
  }
}

async function network(seed: number) {
  const model = await alexnet(engine, {
    variant: 'alexnet-64',
    seed,
    weights: 'alexnet-64-tinyimagenet100',
  })
  const classes = data.classes.length
  return { model, plan: applyScenario(model, { scenario: 'large-similar', classes, seed }) }
}

async function measure(seed: number): Promise<Row> {
  const single = await network(seed)
  const plain = await fit(single.model, data, { ...recipe, seed })
  single.model.dispose()
  const { model, plan } = await network(seed)
  const folder = await mkdtemp(join(tmpdir(), 'graft-rounds-'))
  const place = new Workplace({
    kinds: jobKinds,
    store: openStore,
    openEngine: async () => engine,
  })
  const together = await trainRounds(model, data, data.root, {
    ...recipe,
    seed,
    rounds: { slots, localSteps },
    runner: new HereRunner(place),
    work: await openStore(folder),
    plan,
  })
  model.dispose()
  await rm(folder, { recursive: true })
  const last = (all: typeof plain.epochs) => at(all, all.length - 1).valAccuracy
  const seconds = plain.epochs.reduce((sum, one) => sum + one.seconds, 0)
  const row: Row = {
    seed,
    one: last(plain.epochs),
    rounds: last(together.epochs),
    steps: [plain.steps, together.steps],
    step: seconds / plain.steps,
  }
  console.log(`seed ${seed}: one worker ${percent(row.one)}, rounds ${percent(row.rounds)}`)
  return row
}

async function measureParts(): Promise<Parts> {
  const { model } = await network(0)
  const state = await model.stateDict()
  model.dispose()
  const started = performance.now()
  const bytes = writeSafetensors(state)
  await sha256(bytes)
  const written = performance.now()
  const step = new OuterStep(state)
  for (let i = 0; i < 4; i++) step.add(state)
  const added = performance.now()
  return {
    file: (written - started) / 1000 / bytes.length,
    average: (added - written) / 4000 / bytes.length,
  }
}

/** A network and the work that is given to all workers together. */
interface Case {
  readonly name: string
  readonly bytes: number
  /** Seconds of a step of one worker. */
  readonly step: number
  /** Steps of all workers together, and of each in a round. */
  readonly steps: number
  readonly local: number
  /** Bytes a second of a worker's and of the producer's connection. */
  readonly bandwidth: number
}

/** Hours that so many workers need. */
function hours({ bytes, step, steps, local, bandwidth }: Case, workers: number): number {
  const { file, average } = results.parts ?? { file: 0, average: 0 }
  // A worker reads the weights and its optimizer's two moments, and writes them.
  const worker = 6 * bytes * (1 / bandwidth + file)
  // The producer reads the weights of all, averages them, and writes the new ones and the momentum.
  const producer = workers * bytes * (1 / bandwidth + file + average)
  const after = 2 * bytes * (1 / bandwidth + file)
  const round = local * step + latency * requests + worker + producer + after
  const one = steps * step
  return (workers === 1 ? one : Math.ceil(steps / workers / local) * round) / 3600
}

function rowText({ seed, one, rounds, steps }: Row): string {
  return `| ${[seed, percent(one), percent(rounds), ...steps].join(' | ')} |`
}

function summary({ adapter, rows, setting, parts }: Results): string {
  const [train = 0, val = 0, passes = 0, slots = 0, local = 0] = setting
  const mean = (of: (row: Row) => number) =>
    rows.reduce((sum, row) => sum + of(row), 0) / rows.length
  const [one, many] = [mean((row) => row.one), mean((row) => row.rounds)]
  const step = mean((row) => row.step)
  const gigabit = 1e9 / 8
  const alexnetBytes = 244_403_360
  const cases: Case[] = [0.1, 1].map((seconds) => ({
    name: `full AlexNet, a step of ${seconds} s, 1 Gbit/s`,
    ...{ bytes: alexnetBytes, step: seconds, steps: 300_000, local: 500, bandwidth: gigabit },
  }))
  if (rows.length > 0)
    cases.push({
      name: `alexnet-64, a step of ${step.toFixed(2)} s as measured here, 1 Gbit/s`,
      ...{ bytes: 4_700_000, step, steps: 300_000, local: 500, bandwidth: gigabit },
    })
  const counts = [1, 2, 4, 8, 16, 32, 64]
  const tables = cases.map((one) => {
    const alone = hours(one, 1)
    const lines = counts.map((workers) => {
      const time = hours(one, workers)
      const gain = alone / time
      const bar = '█'.repeat(Math.max(1, Math.round((gain / 64) * 40)))
      const cells = [workers, time.toFixed(1), gain.toFixed(1), percent(gain / workers), bar]
      return `| ${cells.join(' | ')} |`
    })
    const paying = counts.filter((workers) => hours(one, workers) > 1.25 * hours(one, 2 * workers))
    const until = 2 * (paying.at(-1) ?? 1)
    return (
      `### ${one.name}\n\n| workers | hours | times as fast | of each | |\n` +
      '|--:|--:|--:|--:|:--|\n' +
      `${lines.join('\n')}\n\nTwice the workers save a fifth of the time at least up to ` +
      `${until}${until >= 128 ? ' and more' : ''}.\n`
    )
  })
  const verdict =
    rows.length === 0
      ? '\nNot measured yet.'
      : `| mean | ${percent(one)} | ${percent(many)} | | |\n\nThe slots differ from one worker by ` +
        `${(100 * (many - one)).toFixed(1)} points in ${rows.length} seeds; 1.5 were allowed.`
  const averaging = alexnetBytes / gigabit
  return `# Training by rounds

Written by \`npx tsx bench/rounds.ts\` on ${adapter}.

## Accuracy at equal total steps

${train} emoji to train on and ${val} to validate on, ${passes} passes, batches of \
${recipe.batchSize}, alexnet-64, everything trains; ${slots} slots of ${local} steps a round, outer rate \
0.7, momentum 0.9.

| seed | one worker | ${slots} slots | steps of one | of all slots |
|--:|--:|--:|--:|--:|
${rows.map(rowText).join('\n')}
${verdict}

## Time of 1 to 64 workers, simulated

300,000 steps of all workers together, rounds of 500 steps. Measured here: \
${(1e9 * (parts?.file ?? 0)).toFixed(2)} ns to write and hash a byte of weights, \
${(1e9 * (parts?.average ?? 0)).toFixed(2)} ns to average one. Assumed: ${requests} requests of \
${1000 * latency} ms a round, connections of 1 Gbit/s, and the time of a step where it is not \
measured.

${tables.join('\n')}
Gradients averaged at every step would cost a worker of full AlexNet 2 × ${averaging.toFixed(1)} s \
at 1 Gbit/s for each step.
`
}
