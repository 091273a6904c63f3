/**
 * Whether the forecasts of `auto` are calibrated: on many subsets of several datasets, the
 * validation accuracy of a training with the default options should lie in the forecast's 95 %
 * interval 19 times in 20.
 *
 *     npx tsx bench/forecasts.ts --data FOLDER [--only NAMES] [--seeds 11] [--adapter KIND]
 *
 * FOLDER holds dogs6, hymenoptera and tiny-imagenet-100; emoji come from npm, and shapes are drawn.
 * Each seed draws a number of classes, of training images and of validation images. Every pair of
 * dataset and seed is written to bench/results/forecasts.json as soon as it is done, and a later
 * call measures only those that are missing; bench/results/forecasts.md sums them up.
 */

import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { at } from '../src/base/at.ts'
import { accuracyWithInterval, percent, percentRange } from '../src/base/format.ts'
import { shareInterval } from '../src/base/interval.ts'
import { writeFileAtomic } from '../src/base/node/atomicFile.ts'
import { Random } from '../src/base/random.ts'
import type { SampleList } from '../src/data/dataset.ts'
import { openEmoji } from '../src/data/emoji.ts'
import {
  type AdapterChoice,
  alexnet,
  applyScenario,
  chooseScenario,
  createEngine,
  fit,
  headOptions,
  type ImageDataset,
  openData,
} from '../src/index.ts'
import { trainingOptions } from '../src/train/options/table.ts'
import { forecastOf } from '../src/transfer/forecast.ts'
import { drawnShapes } from '../test/support/shapes.ts'

/** One forecast and what came of it. */
interface Row {
  readonly data: string
  readonly seed: number
  readonly classes: number
  readonly train: number
  readonly val: number
  readonly scenario: string
  readonly layer: string
  /** The cross-validated accuracy of the chosen depth, extrapolated: the forecast of before. */
  readonly expected: number
  readonly value: number
  readonly low: number
  readonly high: number
  /** Validation accuracy of the training, in the epoch that is kept. */
  readonly reached: number
}

const { values } = parseArgs({
  options: {
    data: { type: 'string', default: '.' },
    only: {
      type: 'string',
      default: 'hymenoptera,emoji,shapes,dogs6,tiny-imagenet-100,hymenoptera-random',
    },
    seeds: { type: 'string', default: '11' },
    adapter: { type: 'string', default: 'auto' },
  },
})
const file = join(import.meta.dirname, 'results', 'forecasts.json')
const rows: Row[] = existsSync(file)
  ? (JSON.parse(await readFile(file, 'utf8')) as { rows: Row[] }).rows
  : []
const engine = await createEngine({ adapter: values.adapter as AdapterChoice })
for (let seed = 1; seed <= Number(values.seeds); seed++)
  for (const name of values.only.split(',')) {
    if (rows.some((row) => row.data === name && row.seed === seed)) continue
    rows.push(await measure(name, seed))
    const text = JSON.stringify({ adapter: engine.info.adapter, rows }, null, 2)
    await writeFileAtomic(file, `${text}\n`)
  }
engine.dispose()
await writeFileAtomic(join(import.meta.dirname, 'results', 'forecasts.md'), summary())

async function measure(name: string, seed: number): Promise<Row> {
  const data = subset(await open(name), seed)
  const model = await alexnet(engine, {
    variant: 'alexnet-64',
    seed,
    ...(name.endsWith('-random') ? {} : { weights: 'alexnet-64-tinyimagenet100' }),
  })
  const choice = await chooseScenario(model, data, { seed })
  const { evidence } = choice
  // Where auto would train the whole network, what a new last layer would reach is forecast here.
  const scenario = choice.forecast ? choice.scenario : 'small-similar'
  const head = headOptions(scenario, evidence)
  const end = head.replace === 'last' ? 'last hidden FC' : 'last features'
  const basis = evidence.depths.find(({ layer, part }) =>
    head.cut ? layer === head.cut : part === end,
  )
  const forecast = basis && (choice.forecast ?? forecastOf(basis, evidence))
  if (!basis || !forecast) throw new Error(`${name}, seed ${seed}: there is no forecast`)
  applyScenario(model, { scenario, classes: data.classes.length, seed, ...head })
  const { epochs, keptEpoch } = await fit(model, data, {
    epochs: trainingOptions.epochs.default,
    keep: 'best',
    seed,
  })
  model.dispose()
  const row: Row = {
    data: name,
    seed,
    classes: data.classes.length,
    train: data.train.length,
    val: data.val.length,
    scenario,
    layer: basis.layer,
    expected: basis.expected,
    ...forecast,
    reached: at(epochs, keptEpoch - 1).valAccuracy,
  }
  console.log(
    `${name} ${seed}: ${row.classes} classes, ${row.train} + ${row.val} images, ` +
      `${percentRange(row.low, row.high)} forecast, ${percent(row.reached)} reached`,
  )
  return row
}

async function open(name: string): Promise<ImageDataset> {
  if (name === 'emoji') return openEmoji({ seed: 0 })
  if (name === 'shapes') return drawnShapes({ train: 120, val: 80 })
  return openData(join(values.data, name.replace(/-random$/, '')))
}

/** Some classes of a dataset, with some of their images: all numbers are drawn by the seed. */
function subset(data: ImageDataset, seed: number): ImageDataset {
  const random = new Random(seed, 5000)
  const between = (low: number, high: number) => low * (high / low) ** random.uniform()
  const most = Math.min(data.classes.length, 20)
  const classes = Array.from(data.classes.keys())
  random.shuffle(classes)
  const kept = classes.slice(0, Math.round(between(2, most))).sort((a, b) => a - b)
  const part = (samples: SampleList, wanted: number) => {
    const each = Math.max(4, Math.round(wanted / kept.length))
    const all = [...samples]
    random.shuffle(all)
    return kept.flatMap((from, label) =>
      all
        .filter((sample) => sample.label === from)
        .slice(0, each)
        .map((sample) => ({ ...sample, label })),
    )
  }
  return {
    root: data.root,
    classes: kept.map((label) => at(data.classes, label)),
    train: part(data.train, between(40, 1200)),
    val: part(data.val, between(20, 250)),
  }
}

/** How many of the rows' intervals hold what was reached, and by how much forecasts were off. */
function summary(): string {
  const line = (name: string, some: readonly Row[]) => {
    const held = some.filter(({ low, high, reached }) => reached >= low && reached <= high).length
    const mean = (of: (row: Row) => number) =>
      some.reduce((sum, row) => sum + of(row), 0) / some.length
    const share = held / some.length
    const cells = [
      name,
      String(some.length),
      `${held}: ${accuracyWithInterval(share, shareInterval(share, some.length))}`,
      (100 * mean(({ value, reached }) => value - reached)).toFixed(1),
      (100 * mean(({ expected, reached }) => expected - reached)).toFixed(1),
      (50 * mean(({ low, high }) => high - low)).toFixed(1),
    ]
    return `| ${cells.join(' | ')} |`
  }
  const names = [...new Set(rows.map(({ data }) => data))]
  return `# Are the forecasts of auto calibrated?

Made by \`npx tsx bench/forecasts.ts\`. For each pair of dataset and seed, some classes and images
are drawn, \`auto\` forecasts the validation accuracy, and a training with the default options
follows. \`held\` counts the forecasts whose 95 % interval holds what was reached, with the 95 %
interval of that share; 95 % is the aim. \`too high by\` is the forecast less what was reached, in
points, on average; \`before\` the same for the cross-validated accuracy of the best depth,
extrapolated to all images.

| data | pairs | held | too high by | before | half the interval |
|---|---:|---:|---:|---:|---:|
${names
  .map((name) =>
    line(
      name,
      rows.filter(({ data }) => data === name),
    ),
  )
  .join('\n')}
${line('all', rows)}
`
}
