/**
 * Transfer accuracy on real images against PyTorch's figures for the same recipe: a new FC layer on
 * frozen features, Adam 1e-3, batch 32, 40 epochs, Xavier uniform, no augmentation; the mean over
 * seeds of the last epoch's validation accuracy.
 *
 *     npx tsx bench/accuracy.ts --data FOLDER [--only dogs6,emoji,hymenoptera]
 *         [--bvlc FILE] [--seeds 3] [--adapter KIND]
 *
 * FOLDER holds hymenoptera/ and dogs6/ as image folders; FILE holds bvlc's convolutions. The
 * rows go to bench/results/accuracy-<adapter>.json, next to the rows of earlier runs.
 */

import { existsSync } from 'node:fs'
import { mkdir, readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { parseArgs } from 'node:util'
import { at } from '../src/base/at.ts'
import { writeFileAtomic } from '../src/base/node/atomicFile.ts'
import { openEmoji } from '../src/data/emoji.ts'
import {
  type AdapterChoice,
  alexnet,
  applyScenario,
  createEngine,
  fit,
  type ImageDataset,
  openImageFolder,
  type ScenarioOptions,
} from '../src/index.ts'

interface Row extends Setting {
  readonly mean: number
  readonly accuracies: readonly number[]
  /** How far the mean is outside PyTorch's range, in percentage points; 0 inside it. */
  readonly gap: number
  readonly seconds: number
}

interface Setting {
  readonly data: string
  readonly head: 'all' | 'last' | 'cut 8'
  readonly trunk: 'pretrained' | 'random'
  /** PyTorch's range over its seeds, percent. */
  readonly pytorch: readonly [number, number]
}

const row = (
  data: string,
  head: Setting['head'],
  trunk: Setting['trunk'],
  low: number,
  high = low,
): Setting => ({
  data,
  head,
  trunk,
  pytorch: [low, high],
})

const rows: readonly Setting[] = [
  row('hymenoptera', 'all', 'pretrained', 86, 88),
  row('hymenoptera', 'all', 'random', 60, 63),
  row('dogs6', 'all', 'pretrained', 35, 36),
  row('dogs6', 'last', 'pretrained', 39, 40),
  row('dogs6', 'cut 8', 'pretrained', 43, 45),
  row('dogs6', 'all', 'random', 24, 28),
  row('dogs6', 'last', 'random', 24, 26),
  row('dogs6', 'cut 8', 'random', 30, 38),
  row('emoji', 'all', 'pretrained', 73),
  row('emoji', 'last', 'pretrained', 72),
  row('emoji', 'cut 8', 'pretrained', 75, 77),
  row('emoji', 'all', 'random', 65, 68),
  row('emoji', 'last', 'random', 60, 64),
  row('emoji', 'cut 8', 'random', 74, 78),
]

const { values } = parseArgs({
  options: {
    data: { type: 'string' },
    only: { type: 'string' },
    bvlc: { type: 'string' },
    seeds: { type: 'string', default: '3' },
    epochs: { type: 'string', default: '40' },
    adapter: { type: 'string', default: 'auto' },
  },
})
const engine = await createEngine({ adapter: values.adapter as AdapterChoice })
console.log(`adapter: ${engine.info.adapter} (${engine.info.kind})`)
const folder = values.data
const only = values.only?.split(',')
const file = join(import.meta.dirname, 'results', `accuracy-${engine.info.kind}.json`)
const results = await earlier(file)
for (const wanted of rows) {
  if (only && !only.includes(wanted.data)) continue
  if (wanted.data !== 'emoji' && folder === undefined) continue
  const accuracies: number[] = []
  const begun = performance.now()
  for (let seed = 1; seed <= Number(values.seeds); seed++)
    accuracies.push(await accuracy(wanted, seed))
  const mean = (100 * accuracies.reduce((a, b) => a + b, 0)) / accuracies.length
  const [low, high] = wanted.pytorch
  const gap = mean < low ? mean - low : mean > high ? mean - high : 0
  const seconds = (performance.now() - begun) / 1000
  results.set(keyOf(wanted), { ...wanted, mean, accuracies, gap, seconds })
  const each = accuracies.map((a) => (100 * a).toFixed(1)).join(', ')
  console.log(
    `${keyOf(wanted)}: ${mean.toFixed(1)} % (${each}), PyTorch ${low}-${high} %, ` +
      `outside by ${gap.toFixed(1)}, ${seconds.toFixed(0)} s`,
  )
}
await mkdir(dirname(file), { recursive: true })
const kept = rows.flatMap((wanted) => results.get(keyOf(wanted)) ?? []) // [] if it never ran
await writeFileAtomic(
  file,
  `${JSON.stringify({ adapter: engine.info.adapter, rows: kept }, null, 2)}\n`,
)
engine.dispose()

async function accuracy({ data: name, head, trunk }: Setting, seed: number): Promise<number> {
  const data: ImageDataset =
    name === 'emoji' || folder === undefined
      ? await openEmoji({ seed })
      : await openImageFolder(join(folder, name))
  const bvlc = name === 'hymenoptera'
  const weights = trunk === 'random' ? undefined : bvlc ? values.bvlc : 'alexnet-64-tinyimagenet100'
  const model = await alexnet(engine, {
    variant: bvlc ? 'bvlc' : 'alexnet-64',
    seed,
    ...(weights ? { weights } : {}),
  })
  const classes = data.classes.length
  const scenario: ScenarioOptions =
    head === 'cut 8'
      ? { scenario: 'small-different', classes, cut: 'features.7' }
      : { scenario: 'small-similar', classes, replace: head }
  applyScenario(model, scenario)
  const run = await fit(model, data, {
    epochs: Number(values.epochs),
    batchSize: 32,
    lr: 1e-3,
    seed,
  })
  model.dispose()
  engine.gpu.trim()
  return at(run.epochs, run.epochs.length - 1).valAccuracy
}

function keyOf({ data, head, trunk }: Setting): string {
  return `${data} ${head} ${trunk}`
}

/** The rows that the file has already. */
async function earlier(path: string): Promise<Map<string, Row>> {
  if (!existsSync(path)) return new Map()
  const { rows: found } = JSON.parse(await readFile(path, 'utf8')) as {
    readonly rows: readonly Row[]
  }
  return new Map(found.map((wanted) => [keyOf(wanted), wanted]))
}
