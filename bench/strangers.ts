/**
 * Which rule tells images of other kinds best? For each dataset a network is trained; half of the
 * images held out set the threshold of each rule, such that one in twenty images of the classes is
 * refused, and the other half and the strangers are judged by it.
 *
 *     npx tsx bench/strangers.ts --data FOLDER [--only NAMES] [--readings FOLDER] [--bvlc FILE]
 *
 * FOLDER holds dogs6, hymenoptera and tiny-imagenet-100; emoji come from npm, and shapes, noise and
 * plain colors are drawn. FILE has the convolutions of AlexNet. What the networks make of the
 * images is kept in the folder of --readings, so that a rule is compared in seconds. What is
 * measured is added to bench/results/strangers.json, and
 * bench/results/strangers.md sums it up.
 */

import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import sharp from 'sharp'
import { at } from '../src/base/at.ts'
import { writeFileAtomic } from '../src/base/node/atomicFile.ts'
import { Random } from '../src/base/random.ts'
import type { SampleList } from '../src/data/dataset.ts'
import { openEmoji } from '../src/data/emoji.ts'
import {
  type AdapterChoice,
  alexnet,
  applyScenario,
  createEngine,
  fit,
  type ImageDataset,
  openData,
  type Scenario,
} from '../src/index.ts'
import { type LabeledReading, readingsOf } from '../src/train/readings.ts'
import { defaultRefused } from '../src/train/trust.ts'
import { drawnShapes } from '../test/support/shapes.ts'
import { type Rule, rules } from './strangerRules.ts'

interface Row {
  readonly data: string
  readonly scenario: Scenario
  readonly strangers: string
  readonly rule: string
  /** Shares of the strangers and of the other images of the classes. */
  readonly refused: number
  readonly friendsRefused: number
  readonly auroc: number
}

const { values } = parseArgs({
  options: {
    data: { type: 'string', default: '.' },
    only: {
      type: 'string',
      default:
        'hymenoptera,dogs6,emoji,tiny-imagenet-10,hymenoptera-few,dogs6-few,emoji-few,' +
        'tiny-imagenet-10-few,hymenoptera-large,dogs6-large,hymenoptera-bvlc',
    },
    readings: { type: 'string', default: tmpdir() },
    bvlc: { type: 'string', default: '' },
    adapter: { type: 'string', default: 'auto' },
  },
})
/** Images of a part, at most. */
const most = { train: 400, val: 240, strangers: 120 }
/** Images of a class in a dataset of few. */
const few = 10
/** How often the images held out are divided anew. */
const divisions = 5

const file = join(import.meta.dirname, 'results', 'strangers.json')
const rows: Row[] = existsSync(file)
  ? (JSON.parse(await readFile(file, 'utf8')) as { rows: Row[] }).rows
  : []
for (const name of values.only.split(',')) {
  const missing = rules.filter(
    (rule) => !rows.some((row) => row.data === name && row.rule === rule.name),
  )
  if (missing.length === 0) continue
  rows.push(...(await measure(name, missing)))
  await writeFileAtomic(file, `${JSON.stringify({ rows })}\n`)
}
await writeFileAtomic(join(import.meta.dirname, 'results', 'strangers.md'), summary())

/** What a network makes of the images: of those of its classes, and of strangers. */
interface Readings {
  readonly trained: readonly LabeledReading[]
  readonly heldOut: readonly LabeledReading[]
  readonly strangers: readonly (readonly [string, readonly LabeledReading[]])[]
}

async function measure(name: string, missing: readonly Rule[]): Promise<Row[]> {
  const { trained, heldOut, strangers } = await readingsFor(name.replace(/-few$/, ''))
  const known = { trained: name.endsWith('-few') ? fewOf(trained) : trained, heldOut }
  const rows = missing.flatMap((rule) => judge(rule, known, strangers))
  return rows.map((row) => ({ data: name, scenario: scenarioOf(name), ...row }))
}

function scenarioOf(name: string): Scenario {
  return name.endsWith('-large') ? 'large-similar' : 'small-similar'
}

/** The first images of each class. */
function fewOf(trained: readonly LabeledReading[]): LabeledReading[] {
  const counts = new Map<number, number>()
  return trained.filter(({ sample: { label } }) => {
    const before = counts.get(label) ?? 0
    counts.set(label, before + 1)
    return before < few
  })
}

/** The readings of a network that is trained now, or was before. */
async function readingsFor(name: string): Promise<Readings> {
  const path = join(values.readings, `${name}.json`)
  if (!existsSync(path)) await writeFileAtomic(path, JSON.stringify(await trainAndRead(name)))
  const stored = JSON.parse(await readFile(path, 'utf8')) as Awaited<
    ReturnType<typeof trainAndRead>
  >
  const read = (all: readonly StoredReading[]) =>
    all.map(({ label, logits, features, look }) => ({
      sample: { source: '', name: '', label },
      logits: Float32Array.from(logits),
      features: Float32Array.from(features),
      look: Float32Array.from(look),
    }))
  return {
    trained: read(stored.trained),
    heldOut: read(stored.heldOut),
    strangers: stored.strangers.map(([of, all]) => [of, read(all)] as const),
  }
}

interface StoredReading {
  readonly label: number
  readonly logits: readonly number[]
  readonly features: readonly number[]
  readonly look: readonly number[]
}

async function trainAndRead(name: string) {
  const engine = await createEngine({ adapter: values.adapter as AdapterChoice })
  const data = await open(name.replace(/-(large|bvlc)$/, ''))
  const scenario = scenarioOf(name)
  const model = await alexnet(engine, {
    seed: 1,
    ...(name.endsWith('-bvlc')
      ? { variant: 'bvlc', weights: values.bvlc }
      : { weights: 'alexnet-64-tinyimagenet100' }),
  })
  applyScenario(model, { scenario, classes: data.classes.length, seed: 1 })
  await fit(model, data, { epochs: scenario === 'large-similar' ? 4 : 15, seed: 1 })
  const read = async (samples: SampleList): Promise<StoredReading[]> =>
    (await readingsOf(model, samples)).map(({ sample, logits, features, look }) => ({
      label: sample.label,
      logits: rounded(logits),
      features: rounded(features),
      look: rounded(look),
    }))
  const [trained, heldOut] = [await read(data.train), await read(data.val)]
  const strangers: [string, StoredReading[]][] = []
  for (const [of, samples] of await strangersTo(name)) strangers.push([of, await read(samples)])
  model.dispose()
  engine.dispose()
  return { trained, heldOut, strangers }
}

function rounded(all: Float32Array): number[] {
  return Array.from(all, (value) => Number(value.toPrecision(6)))
}

/** What a rule makes of the strangers, on average over the divisions of the images held out. */
function judge(
  { name, scoring }: Rule,
  { trained, heldOut }: Omit<Readings, 'strangers'>,
  strangers: Readings['strangers'],
) {
  const random = new Random(1, 7000)
  const score = scoring({ trained, heldOut })
  const friends = heldOut.map(score)
  const others = strangers.map(([of, readings]) => ({ of, scores: readings.map(score) }))
  const sums = others.map(() => ({ refused: 0, friendsRefused: 0 }))
  for (let i = 0; i < divisions; i++) {
    random.shuffle(friends)
    const half = Math.floor(friends.length / 2)
    const judges = friends.slice(0, half).sort((a, b) => a - b)
    const limit = at(judges, Math.min(half, Math.ceil((half + 1) * (1 - defaultRefused))) - 1)
    const share = (scores: readonly number[]) =>
      scores.filter((one) => one > limit).length / scores.length
    for (const [k, { scores }] of others.entries()) {
      at(sums, k).refused += share(scores) / divisions
      at(sums, k).friendsRefused += share(friends.slice(half)) / divisions
    }
  }
  return others.map(({ of, scores }, k) => ({
    strangers: of,
    rule: name,
    ...at(sums, k),
    auroc: auroc(friends, scores),
  }))
}

/** How often a stranger lies farther out than an image of the classes. */
function auroc(friends: readonly number[], strangers: readonly number[]): number {
  let wins = 0
  for (const one of strangers)
    for (const friend of friends) wins += one > friend ? 1 : one === friend ? 0.5 : 0
  return wins / friends.length / strangers.length
}

async function open(name: string): Promise<ImageDataset> {
  if (name === 'emoji') return small(await openEmoji({ seed: 0 }))
  if (name !== 'tiny-imagenet-10') return small(await openData(join(values.data, name)))
  const all = await openData(join(values.data, 'tiny-imagenet-100'))
  const known = (samples: SampleList) => [...samples].filter(({ label }) => label % 10 === 3)
  const part = (samples: SampleList) =>
    known(samples).map((sample) => ({ ...sample, label: Math.floor(sample.label / 10) }))
  const classes = all.classes.filter((_, label) => label % 10 === 3)
  return small({ ...all, classes, train: part(all.train), val: part(all.val) })
}

function small(data: ImageDataset): ImageDataset {
  return { ...data, train: some(data.train, most.train), val: some(data.val, most.val) }
}

/** Samples drawn by a seed. */
function some(samples: SampleList, count: number): SampleList {
  const all = [...samples]
  new Random(1, 7001).shuffle(all)
  return all.slice(0, count)
}

/** Strangers to the classes of a dataset, by what they are. */
async function strangersTo(name: string): Promise<[string, SampleList][]> {
  const folder = async (of: string) => (await openData(join(values.data, of))).val
  const near = (await openData(join(values.data, 'tiny-imagenet-100'))).val
  const others = [...near].filter(({ label }) => label % 10 !== 3)
  const all: [string, SampleList][] = [
    ['dogs', await folder('dogs6')],
    ['insects', await folder('hymenoptera')],
    ['other photographs', others],
    ['emoji', (await openEmoji({ seed: 0 })).val],
    ['drawn shapes', (await drawnShapes({ train: 1, val: 40 })).val],
    ['noise', await drawn((random) => 255 * random.uniform())],
    [
      'gray noise',
      await drawn((random, i) => (i % 3 === 0 ? 108 + 40 * random.uniform() : null), 1),
    ],
    ['plain colors', await drawn((random, i) => (i < 3 ? 255 * random.uniform() : null))],
  ]
  const own = ['dogs', 'insects', 'emoji'].find((of) =>
    ({ dogs: 'dogs6', insects: 'hymenoptera', emoji: 'emoji' })[of]?.startsWith(
      name.replace(/-.*/, ''),
    ),
  )
  return all.filter(([of]) => of !== own).map(([of, list]) => [of, some(list, most.strangers)])
}

/** Images of 64 × 64 pixels. @param value null repeats the value `back` numbers before */
async function drawn(value: (random: Random, i: number) => number | null, back = 3) {
  const random = new Random(1, 7002)
  return Promise.all(
    Array.from({ length: 50 }, async (_, k) => {
      const data = new Uint8Array(64 * 64 * 3)
      for (const i of data.keys()) data[i] = value(random, i) ?? at(data, i - back)
      const raw = { width: 64, height: 64, channels: 3 } as const
      return { source: await sharp(data, { raw }).png().toBuffer(), name: `${k}.png`, label: 0 }
    }),
  )
}

function summary(): string {
  const mean = (some: readonly Row[], of: (row: Row) => number) =>
    some.reduce((sum, row) => sum + of(row), 0) / some.length
  const names = rules.map(({ name }) => name)
  const percents = (some: readonly Row[], of: (row: Row) => number) =>
    (100 * mean(some, of)).toFixed(1)
  const overall = names.map((name) => {
    const own = rows.filter(({ rule }) => rule === name)
    const cells = [
      name,
      percents(own, ({ refused }) => refused),
      percents(own, ({ friendsRefused }) => friendsRefused),
      mean(own, ({ auroc }) => auroc).toFixed(3),
    ]
    return `| ${cells.join(' | ')} |`
  })
  const pairs = rows.filter(({ rule }) => rule === names[0])
  const each = pairs.map(({ data, strangers }) => {
    const cells = names.map((name) => {
      const own = rows.filter(
        (row) => row.rule === name && row.data === data && row.strangers === strangers,
      )
      const area = mean(own, ({ auroc }) => auroc).toFixed(2)
      return `${percents(own, ({ refused }) => refused)} (${area})`
    })
    return `| ${[data, strangers, ...cells].join(' | ')} |`
  })
  const refused = 100 * defaultRefused
  return `# Which rule tells images of other kinds?

Made by \`npx tsx bench/strangers.ts\`. A network is trained on each dataset (\`-large\`: all of its
layers; \`-few\`: the rule learns from ${few} images of each class; \`-bvlc\`: the convolutions of
AlexNet; \`tiny-imagenet-10\`: ten classes, and strangers of the other ninety). Half of the images
held out set the threshold of each rule, such that ${refused} % of the images of the classes are
refused; the table has the shares of strangers and of the other half that are refused, in percent,
and how often a stranger scores higher than an image of the classes (AUROC).

**\`spread of both\` is the rule of Graft**: the Mahalanobis distance to the nearest class's mean,
by the channel means of all convolutions (which count twice) and by the input of the last layer. The
covariance has eight directions and an equal rest (\`src/train/spread.ts\`), so that its file has
one byte for each number. It was chosen by the mean share of strangers refused. Its weights and the
number of directions were chosen on the first four datasets, so its own figures there are a little
too good.

| rule | strangers refused | own images refused | AUROC |
|---|---:|---:|---:|
${overall.join('\n')}

Strangers refused in percent, and AUROC, for each pair:

| trained on | strangers | ${names.join(' | ')} |
|---|---|${names.map(() => '---:').join('|')}|
${each.join('\n')}
`
}
