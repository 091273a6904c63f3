/**
 * Whether a training by rounds is as good as one without, and from how many workers on it pays no
 * more.
 *
 *     npx tsx bench/rounds.ts [--seeds 3] [--epochs 8] [--slots 4] [--adapter KIND]
 *
 * Both trainings make equally many steps on the emoji, all slots taken together: alexnet-64 from
 * the shipped weights, everything trains. Each seed is written to bench/results/rounds.json as soon
 * as it is done; a later call measures those that are missing, and one that was stopped goes on
 * after its last epoch or round. The time that 1 to 64 workers need is computed from what is
 * measured here: the time of a step, of reading, writing and hashing, and of averaging;
 * bench/results/rounds.md has both.
 */

import { existsSync } from 'node:fs'
import { readFile, rm } from 'node:fs/promises'
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
  type EpochResult,
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
import { themeNames } from './chart.ts'
import { roundsChart } from './roundsChart.ts'

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
    epochs: { type: 'string', default: '8' },
    slots: { type: 'string', default: '4' },
    adapter: { type: 'string', default: 'auto' },
  },
})
const [epochs, slots] = [Number(values.epochs), Number(values.slots)]
const recipe = { epochs, batchSize: 16, lr: 3e-4, optimizer: 'adamw', keep: 'last' } as const
/** Workers of the simulation. */
const counts = [1, 2, 4, 8, 16, 32, 64]
const gigabit = 1e9 / 8
const alexnetBytes = 244_403_360
/** Seconds for a request to a store and for a job to go through a queue. */
const latency = 0.05
const requests = 10
const file = join(import.meta.dirname, 'results', 'rounds.json')
const engine = await createEngine({ adapter: values.adapter as AdapterChoice })
const data = await storedEmoji()
const pass = Math.ceil(Math.floor(data.train.length / slots) / recipe.batchSize)
const setting = [data.train.length, data.val.length, epochs, slots, pass]
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
  const cases = casesOf(results)
  await writeFileAtomic(file.replace(/json$/, 'md'), summary(results, cases))
  for (const theme of themeNames) {
    const lines = cases.map((one) => ({
      name: one.name,
      points: counts.map((workers) => ({ workers, gain: hours(one, 1) / hours(one, workers) })),
    }))
    const path = file.replace(/\.json$/, `${theme === 'light' ? '' : `-${theme}`}.svg`)
    await writeFileAtomic(path, roundsChart(lines, theme))
  }
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
  // Of the same name in the next call, which goes on from what is there.
  const folder = join(tmpdir(), `graft-bench-rounds-${setting.join('-')}-${seed}`)
  const single = await network(seed)
  const checkpoint = join(folder, 'one')
  const plain = await fit(single.model, data, { ...recipe, seed, checkpoint, resume: true })
  single.model.dispose()
  const { model, plan } = await network(seed)
  const place = new Workplace({
    kinds: jobKinds,
    store: openStore,
    openEngine: async () => engine,
  })
  let together = 0
  const { epochs: rounds } = await trainRounds(model, data, data.root, {
    ...recipe,
    seed,
    rounds: { slots },
    runner: new HereRunner(place),
    work: await openStore(join(folder, 'rounds')),
    plan,
    onRound: ({ steps, slots }) => {
      together += slots * steps
    },
  })
  model.dispose()
  await rm(folder, { recursive: true })
  const last = (all: readonly EpochResult[]) => at(all, all.length - 1).valAccuracy
  const alone = epochs * Math.ceil(data.train.length / recipe.batchSize)
  const seconds = plain.epochs.reduce((sum, one) => sum + one.seconds, 0)
  const row: Row = {
    seed,
    one: last(plain.epochs),
    rounds: last(rounds),
    steps: [alone, together],
    step: seconds / alone,
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
  // The producer reads the weights of all, averages them, and writes the new ones.
  const producer = workers * bytes * (1 / bandwidth + file + average)
  const after = bytes * (1 / bandwidth + file)
  const round = local * step + latency * requests + worker + producer + after
  const one = steps * step
  return (workers === 1 ? one : Math.ceil(steps / workers / local) * round) / 3600
}

function rowText({ seed, one, rounds, steps }: Row): string {
  return `| ${[seed, percent(one), percent(rounds), ...steps].join(' | ')} |`
}

function mean(rows: readonly Row[], of: (row: Row) => number): number {
  return rows.reduce((sum, row) => sum + of(row), 0) / rows.length
}

function casesOf({ rows }: Results): Case[] {
  const work = { steps: 300_000, local: 500, bandwidth: gigabit }
  const cases = [0.1, 1].map((step): Case => {
    return { name: `full AlexNet, ${step} s a step`, bytes: alexnetBytes, step, ...work }
  })
  if (rows.length === 0) return cases
  const step = mean(rows, (row) => row.step)
  const name = `alexnet-64, ${step.toFixed(2)} s a step, as measured`
  return [...cases, { name, bytes: 4_700_000, step, ...work }]
}

function summary({ adapter, rows, setting, parts }: Results, cases: readonly Case[]): string {
  const [train = 0, val = 0, passes = 0, slots = 0, local = 0] = setting
  const [one, many] = [mean(rows, (row) => row.one), mean(rows, (row) => row.rounds)]
  const tables = cases.map((one) => {
    const alone = hours(one, 1)
    const lines = counts.map((workers) => {
      const time = hours(one, workers)
      const gain = alone / time
      const cells = [workers, time.toFixed(1), gain.toFixed(1), percent(gain / workers)]
      return `| ${cells.join(' | ')} |`
    })
    const paying = counts.filter((workers) => hours(one, workers) > 1.25 * hours(one, 2 * workers))
    const until = 2 * (paying.at(-1) ?? 0.5)
    const told =
      until < 2 * at(counts, counts.length - 1)
        ? `Up to ${until} workers, twice as many save a fifth of the time or more.`
        : `Twice the workers save a fifth of the time or more, up to ${until} and beyond.`
    return (
      `### ${one.name}\n\n| workers | hours | times as fast | of each |\n` +
      '|--:|--:|--:|--:|\n' +
      `${lines.join('\n')}\n\n${told}\n`
    )
  })
  const verdict =
    rows.length === 0
      ? '\nNot measured yet.'
      : `| mean | ${percent(one)} | ${percent(many)} | | |\n\nThe slots differ from one worker ` +
        `by ${(100 * (many - one)).toFixed(1)} points in ${rows.length} seeds; 1.5 were allowed.`
  const averaging = alexnetBytes / gigabit
  return `# Training by rounds

Written by \`npx tsx bench/rounds.ts\` on ${adapter}.

## Accuracy at equal total steps

${train} emoji to train on and ${val} to validate on, ${passes} passes, batches of \
${recipe.batchSize}, alexnet-64, everything trains, AdamW at ${recipe.lr}; ${slots} slots of \
${local} steps a round, at ${Math.sqrt(slots)} times that rate, then their mean.

| seed | one worker | ${slots} slots | steps of one | of all slots |
|--:|--:|--:|--:|--:|
${rows.map(rowText).join('\n')}
${verdict}

## Time of 1 to 64 workers, simulated

<picture>
  <source media="(prefers-color-scheme: dark)" srcset="rounds-dark.svg">
  <img alt="How many times as fast 1 to 64 workers are together" src="rounds.svg">
</picture>

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
