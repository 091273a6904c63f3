/**
 * Which rule finds a good learning rate in a search, and does `graft lr-find` suggest one that
 * trains at least as well as the default one? For each dataset, scenario, optimizer and seed, one
 * search, and real trainings of a few epochs at the rates of all rules, or at --rates.
 *
 *     npx tsx bench/learningRates.ts --data FOLDER [--only NAMES] [--scenarios NAMES]
 *       [--optimizers NAMES] [--seeds 1] [--rates R,R] [--minutes M] [--adapter KIND]
 *
 * FOLDER holds dogs6 and hymenoptera; emoji come from npm. Every case is written to
 * bench/results/learning-rates.json as soon as it is done. A later call derives all rates anew from
 * the searches, trains only where no rate within a quarter was trained, and begins nothing more
 * after --minutes; bench/results/learning-rates.md sums them up.
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
    optimizers: { type: 'string', default: 'sgd,adam,adamw' },
    seeds: { type: 'string', default: '1' },
    rates: { type: 'string', default: '' },
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
  const wanted = values.rates ? values.rates.split(',').map(Number) : Object.values(ratesOf(row))
  for (const lr of wanted) {
    if (lr === null || nearest(row, lr) || performance.now() > end) continue
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

/** The training at the rate that is nearest, if they differ by less than a quarter. */
function nearest({ trained }: Row, lr: number): Trained | undefined {
  const distance = (one: Trained) => Math.abs(Math.log(one.lr / lr))
  const [first] = [...trained].sort((a, b) => distance(a) - distance(b))
  return first && distance(first) < Math.log(1.25) ? first : undefined
}

/** The rate of each rule, to two digits, derived anew from the search. */
function ratesOf({ search, optimizer }: Row): Record<string, number | null> {
  const points = search.map(([lr, loss, smoothed]): RatePoint => ({ lr, loss, smoothed }))
  const { fall } = suggestRate(points, steps)
  const lowest = fall && at(points, fall.end).lr
  const rates = {
    default: defaultOf('lr', { optimizer }) as number,
    suggestion: suggestRate(points, steps).rate,
    'half of the fall': suggestRate(points, steps, 0.5).rate,
    'three quarters of the fall': suggestRate(points, steps, 0.75).rate,
    'a half of the lowest': lowest && lowest / 2,
    'a third of the lowest': lowest && lowest / 3,
    'a tenth of the lowest': lowest && lowest / 10,
    "fastai's valley": valley(points, steps),
    "fastai's steep": steepest(points, steps),
  }
  return Object.fromEntries(
    Object.entries(rates).map(([name, rate]) => [name, rate && Number(rate.toPrecision(2))]),
  )
}

/** The accuracy at a rate: between trained ones by the logarithm of the rate. */
function accuracyAt({ trained }: Row, lr: number): number | undefined {
  const sorted = [...trained].sort((a, b) => a.lr - b.lr)
  const next = sorted.findIndex((one) => one.lr >= lr * 0.8)
  const above = sorted[next]
  if (!above || above.lr <= lr * 1.25) return above?.valAccuracy
  const below = sorted[next - 1]
  if (!below) return undefined
  const share = Math.log(lr / below.lr) / Math.log(above.lr / below.lr)
  return below.valAccuracy + share * (above.valAccuracy - below.valAccuracy)
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
  const named = (row: Row) => `${row.data} ${row.scenario} ${row.optimizer} ${row.seed}`
  const names = Object.keys(ratesOf(at(rows, 0)))
  const compared = names.slice(1).map((name) => {
    const pairs = rows.flatMap((row) => {
      const rates = ratesOf(row)
      const [one, other] = [rates[name], rates.default].map((lr) => lr && accuracyAt(row, lr))
      const diverged = row.trained.some((run) => run.lr === rates.default && run.valLoss === null)
      return one && other ? [{ gain: one - other, val: row.val, diverged }] : []
    })
    // Two standard errors of the difference of two shares near a half, of the same images.
    const worse = pairs.filter(({ gain, val }) => gain < -2 * Math.sqrt(0.5 / val)).length
    const better = pairs.filter(({ gain, val }) => gain > 2 * Math.sqrt(0.5 / val)).length
    const mean = pairs.reduce((sum, { gain }) => sum + gain, 0) / pairs.length
    const rest = pairs.filter(({ diverged }) => !diverged)
    const meanOfRest = rest.reduce((sum, { gain }) => sum + gain, 0) / rest.length
    const worst = Math.min(...pairs.map(({ gain }) => gain))
    const points = (gain: number) => (100 * gain).toFixed(1)
    const gains = [mean, meanOfRest, worst].map(points)
    return `| ${[name, pairs.length, ...gains, better, worse].join(' | ')} |`
  })
  const rates = rows.map((row) => {
    const cells = Object.values(ratesOf(row)).map((rate) => rate ?? 'none')
    return `| ${[named(row), ...cells].join(' | ')} |`
  })
  const trained = rows.map((row) => {
    const cells = [...row.trained]
      .sort((a, b) => a.lr - b.lr)
      .map(({ lr, valAccuracy, valLoss }) =>
        valLoss === null
          ? `${lr}: diverged`
          : `${lr}: ${percent(valAccuracy)}, ${valLoss.toFixed(2)}`,
      )
    return `| ${named(row)} | ${cells.join(' <br> ')} |`
  })
  return `# Which rule finds a good learning rate?

Made by \`npx tsx bench/learningRates.ts\`. For each case a search of ${steps} steps, and
trainings of ${epochs} epochs with batches of ${batchSize}, on up to ${most.train} images. All rules read
the same search, smoothed to both sides and with losses that diverge limited; fastai's read the
exponential average. The suggestion of \`lr-find\` is the rate at which nine tenths of the fall are
done. "The lowest" is the
rate with the lowest smoothed loss.

## Compared with the default rate

The gain is in points of validation accuracy after the last epoch. Where a rule's rate was not
trained (within a quarter), the accuracy is interpolated between the nearest trained rates, over the
logarithm of the rate; a case without any on both sides is left out. Clearly: by more than two
standard errors of the difference.

| rule | cases | mean gain | without a diverging default | worst | clearly better | clearly worse |
|---|---:|---:|---:|---:|---:|---:|
${compared.join('\n')}

Nine tenths of the fall and a third of the lowest are alike where the default rate trains. In
the case from random weights the loss starts far above, and a large rate at once is too much for
it: the default diverges, and nine tenths of the fall train better than the lowest's third. One
rule serves all optimizers, since their searches differ by as much as the rates that train well.
All cases are of one seed, and the rule was chosen on them.

## The rate of each rule

| case | ${names.join(' | ')} |
|---|${'---:|'.repeat(names.length)}
${rates.join('\n')}

## The trainings

Validation accuracy and loss at each rate. A case is data, scenario, optimizer and seed.

| case | rate: accuracy, loss |
|---|---|
${trained.join('\n')}
`
}
