/**
 * Does the rate that `graft lr-find` suggests train at least as well as the default one? For each
 * dataset, scenario, optimizer and seed, a search and then real trainings of a few epochs: at the
 * default rate, at the suggestion, and at fastai's two rules.
 *
 *     npx tsx bench/learningRates.ts --data FOLDER [--only NAMES] [--scenarios NAMES]
 *       [--optimizers NAMES] [--seeds 1] [--minutes M] [--adapter KIND]
 *
 * FOLDER holds dogs6 and hymenoptera; emoji come from npm. Every case is written to
 * bench/results/learning-rates.json as soon as it is done, and a later call measures only those
 * that are missing, and begins no more of them after --minutes; bench/results/learning-rates.md
 * sums them up.
 */

import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { at } from '../src/base/at.ts'
import { percent } from '../src/base/format.ts'
import { writeFileAtomic } from '../src/base/node/atomicFile.ts'
import { Random } from '../src/base/random.ts'
import type { SampleList } from '../src/data/dataset.ts'
import { openEmoji } from '../src/data/emoji.ts'
import {
  type AdapterChoice,
  alexnet,
  applyScenario,
  createEngine,
  findLearningRate,
  fit,
  type ImageDataset,
  type Network,
  NonFiniteError,
  openData,
  type Scenario,
} from '../src/index.ts'
import { defaultOf } from '../src/train/options/defaults.ts'
import { type RatePoint, steepest, suggestRate, valley } from '../src/train/recipe/suggest.ts'

type Kind = 'sgd' | 'adam' | 'adamw'

/** What a training of a few epochs came to. */
interface Trained {
  readonly lr: number
  /** Of the last epoch; null where the loss became infinite. */
  readonly trainLoss: number | null
  readonly valLoss: number | null
  readonly valAccuracy: number
}

interface Row {
  readonly data: string
  readonly scenario: Scenario
  readonly optimizer: Kind
  readonly seed: number
  readonly train: number
  readonly val: number
  readonly epochs: number
  /** Steps of the search: rates and losses. */
  readonly search: readonly (readonly [lr: number, loss: number, smoothed: number])[]
  readonly trained: Trained[]
}

const { values } = parseArgs({
  options: {
    data: { type: 'string', default: '.' },
    only: { type: 'string', default: 'hymenoptera,emoji,dogs6' },
    scenarios: { type: 'string', default: 'large-similar,large-different,small-similar' },
    optimizers: { type: 'string', default: 'sgd,adamw' },
    seeds: { type: 'string', default: '1' },
    minutes: { type: 'string', default: '600' },
    adapter: { type: 'string', default: 'auto' },
  },
})
/** Steps of a search. */
const steps = 100
/** Images of a part that are used, at most. */
const most = { train: 480, val: 300 }
const epochs = 4
const batchSize = 32

const file = join(import.meta.dirname, 'results', 'learning-rates.json')
const rows: Row[] = existsSync(file)
  ? (JSON.parse(await readFile(file, 'utf8')) as { rows: Row[] }).rows
  : []
const end = performance.now() + 60_000 * Number(values.minutes)
const engine = await createEngine({ adapter: values.adapter as AdapterChoice })
for (let seed = 1; seed <= Number(values.seeds); seed++)
  for (const scenario of values.scenarios.split(',') as Scenario[])
    for (const data of values.only.split(','))
      for (const optimizer of values.optimizers.split(',') as Kind[])
        await measure(data, scenario, optimizer, seed)
engine.dispose()
await writeFileAtomic(join(import.meta.dirname, 'results', 'learning-rates.md'), summary())

/** One case: what is measured already is kept. */
async function measure(name: string, scenario: Scenario, optimizer: Kind, seed: number) {
  let row = rows.find(
    (one) =>
      one.data === name &&
      one.scenario === scenario &&
      one.optimizer === optimizer &&
      one.seed === seed,
  )
  const data = subset(await open(name), seed)
  const options = { optimizer, batchSize, seed }
  if (!row) {
    if (performance.now() > end) return
    const model = await network(scenario, data, seed)
    const { points } = await findLearningRate(model, data, { ...options, steps })
    model.dispose()
    row = {
      data: name,
      scenario,
      optimizer,
      seed,
      train: data.train.length,
      val: data.val.length,
      epochs,
      search: points.map(({ lr, loss, smoothed }) => [lr, loss, smoothed] as const),
      trained: [],
    }
    rows.push(row)
    await save()
  }
  for (const lr of Object.values(ratesOf(row))) {
    if (lr === null || row.trained.some((one) => one.lr === lr) || performance.now() > end) continue
    row.trained.push(await trainAt(lr))
    await save()
  }

  async function trainAt(lr: number): Promise<Trained> {
    const model = await network(scenario, data, seed)
    try {
      const last = at(
        (await fit(model, data, { ...options, epochs, lr, keep: 'last' })).epochs,
        epochs - 1,
      )
      const { trainLoss, valLoss, valAccuracy } = last
      console.log(`${name} ${scenario} ${optimizer} ${seed}: ${lr} gave ${percent(valAccuracy)}`)
      return { lr, trainLoss, valLoss, valAccuracy }
    } catch (error) {
      if (!(error instanceof NonFiniteError)) throw error
      return { lr, trainLoss: null, valLoss: null, valAccuracy: 1 / data.classes.length }
    } finally {
      model.dispose()
    }
  }
}

/** The rates that are compared, to two digits; those of a search are derived anew. */
function ratesOf({ search, optimizer }: Row) {
  const points = search.map(([lr, loss, smoothed]): RatePoint => ({ lr, loss, smoothed }))
  const rounded = (rate: number | null) => (rate === null ? null : Number(rate.toPrecision(2)))
  return {
    default: defaultOf('lr', { optimizer }) as number,
    suggestion: rounded(suggestRate(points, steps).rate),
    valley: rounded(valley(points, steps)),
    steepest: rounded(steepest(points, steps)),
  }
}

async function save(): Promise<void> {
  const text = JSON.stringify({ adapter: engine.info.adapter, batchSize, rows }, null, 1)
  await writeFileAtomic(file, `${text}\n`)
}

async function network(scenario: Scenario, data: ImageDataset, seed: number): Promise<Network> {
  const model = await alexnet(engine, { weights: 'alexnet-64-tinyimagenet100', seed })
  applyScenario(model, { scenario, classes: data.classes.length, seed })
  return model
}

async function open(name: string): Promise<ImageDataset> {
  return name === 'emoji' ? openEmoji({ seed: 0 }) : openData(join(values.data, name))
}

/** Some images of each part, drawn by the seed. */
function subset(data: ImageDataset, seed: number): ImageDataset {
  const random = new Random(seed, 6000)
  const some = (samples: SampleList, count: number) => {
    const all = [...samples]
    random.shuffle(all)
    return all.slice(0, count)
  }
  return { ...data, train: some(data.train, most.train), val: some(data.val, most.val) }
}

function summary(): string {
  const names = ['default', 'suggestion', 'valley', 'steepest'] as const
  const lines = rows.map((row) => {
    const rates = ratesOf(row)
    const cells = names.map((name) => {
      const one = row.trained.find(({ lr }) => lr === rates[name])
      if (!one) return '–'
      const loss = one.valLoss === null ? 'diverged' : `loss ${one.valLoss.toFixed(2)}`
      return `${one.lr}: ${percent(one.valAccuracy)}, ${loss}`
    })
    return `| ${[row.data, row.scenario, row.optimizer, row.seed, ...cells].join(' | ')} |`
  })
  const compared = names.slice(1).map((name) => {
    const pairs = rows.flatMap((row) => {
      const rates = ratesOf(row)
      const one = row.trained.find(({ lr }) => lr === rates[name])
      const other = row.trained.find(({ lr }) => lr === rates.default)
      return one && other ? [{ gain: one.valAccuracy - other.valAccuracy, val: row.val }] : []
    })
    // Two standard errors of the difference of two shares near a half, of the same images.
    const worse = pairs.filter(({ gain, val }) => gain < -2 * Math.sqrt(0.5 / val)).length
    const better = pairs.filter(({ gain, val }) => gain > 2 * Math.sqrt(0.5 / val)).length
    const mean = pairs.reduce((sum, { gain }) => sum + gain, 0) / pairs.length
    return `| ${name} | ${pairs.length} | ${(100 * mean).toFixed(1)} | ${better} | ${worse} |`
  })
  return `# Does the suggested learning rate train as well as the default one?

Made by \`npx tsx bench/learningRates.ts\`. For each case a search of ${steps} steps, then trainings of
${epochs} epochs with batches of ${batchSize}, on up to ${most.train} images: at the default rate, at the one that
\`lr-find\` suggests, and at those of fastai's rules. A cell has the rate, the validation accuracy
after the last epoch, and the validation loss.

| compared with the default | cases | mean gain, points | clearly better | clearly worse |
|---|---:|---:|---:|---:|
${compared.join('\n')}

Clearly: by more than two standard errors of the difference.

| data | scenario | optimizer | seed | default | suggestion | valley | steepest |
|---|---|---|---:|---|---|---|---|
${lines.join('\n')}
`
}
