/**
 * How good the choices of `chooseScenario` are: trains all four scenarios for the same time on each
 * dataset, with several seeds, and compares the scenario that auto picks with the best one.
 *
 *     npx tsx bench/choose.ts --data FOLDER [--only dogs6,emoji,hymenoptera,tiny-imagenet-100]
 *         [--bvlc FILE] [--seeds 3] [--seconds 20] [--each N] [--val-each N]
 *         [--weights pretrained|random] [--adapter KIND]
 *
 * FOLDER holds the datasets under these names; FILE holds bvlc's convolutions, for hymenoptera.
 * --each limits the training images of a class, --val-each the validation images. Each comparison
 * is written to bench/results/choose-<adapter>.json as soon as it is done. A later call measures
 * only those that are missing.
 */

import { existsSync } from 'node:fs'
import { mkdir, readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { parseArgs } from 'node:util'
import { at } from '../src/base/at.ts'
import { writeFileAtomic } from '../src/base/node/atomicFile.ts'
import { Random } from '../src/base/random.ts'
import type { SampleList } from '../src/data/dataset.ts'
import { openEmoji } from '../src/data/emoji.ts'
import {
  type AdapterChoice,
  alexnet,
  compareScenarios,
  createEngine,
  type ImageDataset,
  openData,
  type Scenario,
} from '../src/index.ts'

/** One comparison. */
interface Row {
  readonly data: string
  readonly weights: string
  readonly seed: number
  readonly seconds: number
  /** Images of a class to train on, 'Infinity' for all. */
  readonly each: string
  readonly train: number
  readonly val: number
  readonly auto: Scenario
  readonly reason: string
  readonly probeSeconds: number
  readonly scenarios: Readonly<
    Record<
      string,
      { readonly valAccuracy: number; readonly seconds: number; readonly epochs: number }
    >
  >
}

const { values } = parseArgs({
  options: {
    data: { type: 'string', default: '.' },
    only: { type: 'string', default: 'dogs6,emoji,hymenoptera,tiny-imagenet-100' },
    bvlc: { type: 'string' },
    seeds: { type: 'string', default: '3' },
    seconds: { type: 'string', default: '20' },
    each: { type: 'string', default: 'Infinity' },
    'val-each': { type: 'string', default: 'Infinity' },
    weights: { type: 'string', default: 'pretrained' },
    adapter: { type: 'string', default: 'auto' },
  },
})
const seconds = Number(values.seconds)
const engine = await createEngine({ adapter: values.adapter as AdapterChoice })
const file = join(import.meta.dirname, 'results', `choose-${engine.info.kind}.json`)
const rows: Row[] = existsSync(file)
  ? (JSON.parse(await readFile(file, 'utf8')) as { rows: Row[] }).rows
  : []
for (let seed = 1; seed <= Number(values.seeds); seed++)
  for (const name of values.only.split(',')) {
    const known = (row: Row) =>
      row.data === name &&
      row.weights === values.weights &&
      row.seed === seed &&
      row.seconds === seconds &&
      row.each === values.each
    if (rows.some(known)) continue
    rows.push(await compareOn(name, seed))
    await mkdir(dirname(file), { recursive: true })
    await writeFileAtomic(
      file,
      `${JSON.stringify({ adapter: engine.info.adapter, rows }, null, 2)}\n`,
    )
  }
engine.dispose()
summarize()

async function compareOn(name: string, seed: number): Promise<Row> {
  const whole =
    name === 'emoji' ? await openEmoji({ seed }) : await openData(join(values.data, name), { seed })
  const data = fewer(whole, Number(values.each), Number(values['val-each']), seed)
  const bvlc = name === 'hymenoptera'
  const weights =
    values.weights === 'random' ? undefined : bvlc ? values.bvlc : 'alexnet-64-tinyimagenet100'
  const build = () =>
    alexnet(engine, {
      variant: bvlc ? 'bvlc' : 'alexnet-64',
      seed,
      ...(weights ? { weights } : {}),
    })
  const { choice, scenarios } = await compareScenarios(build, data, { seconds, seed })
  const row: Row = {
    data: name,
    weights: values.weights,
    seed,
    seconds,
    each: values.each,
    train: data.train.length,
    val: data.val.length,
    auto: choice.scenario,
    reason: choice.reason,
    probeSeconds: choice.evidence.seconds,
    scenarios: Object.fromEntries(
      [...scenarios].map(([scenario, { valAccuracy, seconds, epochs }]) => [
        scenario,
        { valAccuracy, seconds, epochs },
      ]),
    ),
  }
  const described = Object.entries(row.scenarios).map(
    ([scenario, { valAccuracy, epochs, seconds }]) =>
      `${scenario} ${(100 * valAccuracy).toFixed(1)} % ` +
      `(${epochs.toFixed(1)} epochs, ${seconds.toFixed(0)} s)`,
  )
  console.log(
    `${name} ${values.weights} seed ${seed}, probe ${row.probeSeconds.toFixed(0)} s: ` +
      `${described.join(', ')}; auto: ${row.auto}`,
  )
  return row
}

/** The dataset with a limited number of images of each class, drawn by the seed. */
function fewer(data: ImageDataset, each: number, valEach: number, seed: number): ImageDataset {
  const pick = (samples: SampleList, count: number) => {
    const all = [...samples]
    new Random(seed, 1).shuffle(all)
    return data.classes.flatMap((_, label) =>
      all.filter((sample) => sample.label === label).slice(0, count),
    )
  }
  return { ...data, train: pick(data.train, each), val: pick(data.val, valEach) }
}

function accuracyOf({ scenarios }: Row, scenario: string): number {
  const found = scenarios[scenario]
  if (!found) throw new Error(`the comparison has no scenario ${scenario}`)
  return found.valAccuracy
}

/** Prints means over seeds. */
function summarize(): void {
  const groups = new Map<string, Row[]>()
  for (const row of rows) {
    const key = `${row.data}, ${row.weights} weights, ${row.train} images, ${row.seconds} s`
    groups.set(key, [...(groups.get(key) ?? []), row])
  }
  const mean = (numbers: readonly number[]) =>
    (100 * numbers.reduce((a, b) => a + b, 0)) / numbers.length
  for (const [key, group] of groups) {
    const of = (scenario: string) => mean(group.map((row) => accuracyOf(row, scenario)))
    const means = Object.keys(at(group, 0).scenarios).map((scenario) => ({
      scenario,
      accuracy: of(scenario),
    }))
    const auto = mean(group.map((row) => accuracyOf(row, row.auto)))
    const best = Math.max(...means.map(({ accuracy }) => accuracy))
    const described = means
      .map(({ scenario, accuracy }) => `${scenario} ${accuracy.toFixed(1)}`)
      .join(', ')
    console.log(
      `${key}, ${group.length} seeds: ${described}; ` +
        `auto ${auto.toFixed(1)}, ${(best - auto).toFixed(1)} below the best`,
    )
  }
}
