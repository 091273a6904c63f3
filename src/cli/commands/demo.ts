import { basename } from 'node:path'
import type { Command } from 'commander'
import { at } from '../../base/at.ts'
import { percent } from '../../base/format.ts'
import { Random } from '../../base/random.ts'
import {
  type ArrayDataset,
  type ImageDataset,
  type Sample,
  type SampleList,
  sampleAt,
} from '../../data/dataset.ts'
import { openEmoji } from '../../data/emoji.ts'
import { openData } from '../../data/openData.ts'
import { ignoring } from '../../data/split.ts'
import { alexnet } from '../../nn/alexnet.ts'
import type { Network } from '../../nn/network.ts'
import type { Engine } from '../../tensor/tensor.ts'
import { predict } from '../../train/evaluate.ts'
import type { TrainEvent } from '../../train/events.ts'
import { type Raced, type Racer, race } from '../../train/race.ts'
import type { Plan } from '../../transfer/scenario.ts'
import { comparisonChart } from '../charts.ts'
import { dataPlace, recordedPlace } from '../dataPlace.ts'
import { describeData, describeEngine, describePlan } from '../describe.ts'
import { table } from '../lines.ts'
import { type CommonOptions, count, number, path, seedNumber, withCommon } from '../options.ts'
import { epochHeader, epochLine, Output } from '../output.ts'
import { overfittingText, type Rival, raceRows, rivalNames, verdict } from '../raceText.ts'
import { RunWriter, writingRun } from '../runWriter.ts'
import { nextCommand } from '../shell.ts'
import { graftVersion } from '../version.ts'
import { withEngine } from '../withEngine.ts'

interface DemoOptions extends CommonOptions {
  readonly photos?: true | string
  readonly seconds: number
  readonly seed: number
  readonly each?: number
  readonly out?: string
}

/** What the demo shows without --photos. */
const emoji = 'emoji'
const defaultPhotos = 'hymenoptera'

export function addDemo(command: Command): void {
  command
    .option(
      '--photos [data]',
      `photographs instead of emoji: a dataset's name or a folder (alone: ${defaultPhotos}, ` +
        'which is fetched)',
    )
    .option(
      '--seconds <n>',
      `the graft ends with the epoch in which they end, at the latest after ${graftEpochs}`,
      number({ above: 0 }),
      60,
    )
    .option(
      '--seed <n>',
      'seeds the split, the order of images and all random values',
      seedNumber,
      1,
    )
    .option(
      '--each <n>',
      'train on at most this many images a class, and validate on a third (default: all; on ' +
        `SwiftShader ${slowEach} emoji)`,
      count,
    )
    .option(
      '--out <run>',
      'write the grafted network to a run folder (default: nothing is written)',
      path,
    )
  withCommon(command).addHelpText(
    'after',
    `
Compiling counts for none of the three: each network first trains on a few images. All train whole
epochs, with Adam, a learning rate of 0.001 and batches of 32.

Examples:
  npx graft-webgpu demo
  npx graft-webgpu demo --photos
  npx graft-webgpu demo --photos tf_flowers --each 100
  npx graft-webgpu demo --each 8 --seconds 5
  npx graft-webgpu demo --adapter swiftshader
  npx graft-webgpu demo --out runs/emoji`,
  )
  command.action(run)
}

const weights = 'alexnet-64-tinyimagenet100'
/** For all networks: from scratch, Adam is faster than SGD. */
const recipe = { optimizer: 'adam', lr: 1e-3, batchSize: 32 } as const
/** Images of a class on SwiftShader, unless somebody asks for others: a minute in all. */
const slowEach = 12
/** Epochs of the graft, unless its time ends first. */
const graftEpochs = 40

async function run(options: DemoOptions): Promise<void> {
  const { out } = options
  if (out) await writingRun(out, {}, () => demo(options))
  else await demo(options)
}

async function demo(options: DemoOptions): Promise<void> {
  const output = new Output(options.json)
  const { photos, seed } = options
  const name = photos === undefined ? emoji : photos === true ? defaultPhotos : photos
  const all =
    name === emoji
      ? await openEmoji({ seed })
      : await openData(await dataPlace(name, {}, output), ignoring({ seed }, ['seed']))
  await withEngine(options.adapter, output, async (engine) => {
    describeEngine(output, engine)
    const slow = name === emoji && engine.info.kind === 'swiftshader'
    const each = options.each ?? (slow ? slowEach : undefined)
    const data = each ? fewer(all, each) : all
    if (slow && options.each === undefined)
      output.labeled(
        '',
        `SwiftShader is slow: ${slowEach} images a class are enough here; --each takes more`,
      )
    describeData(output, data, name === emoji ? 'emoji, 64x64' : name)
    await compare({ engine, data, options, output, name })
  })
}

/** The first few images of each class. */
function fewer(data: ImageDataset, each: number): ArrayDataset {
  const first = (samples: SampleList, n: number) =>
    data.classes.flatMap((_, label) =>
      [...samples].filter((sample) => sample.label === label).slice(0, n),
    )
  return { ...data, train: first(data.train, each), val: first(data.val, Math.ceil(each / 3)) }
}

interface Race {
  readonly engine: Engine
  readonly data: ImageDataset
  readonly options: DemoOptions
  readonly output: Output
  /** What the images are called. */
  readonly name: string
}

/** What is said of each network before it trains. */
const headings: Readonly<Record<Rival, string>> = {
  graft: 'The graft: the network that was trained on photographs, its end replaced by a new layer',
  scratch:
    'From scratch: the same network, all weights random and all trained, as long as the graft',
  random: 'A frozen random trunk: as the graft, with random weights instead of trained ones',
}

/** The three networks. Drawings take early features, photographs those of all convolutions. */
function rivals({ engine, options, name }: Race): Racer<Rival>[] {
  const trunk =
    name === emoji
      ? ({ scenario: 'small-different' } as const)
      : ({ scenario: 'small-similar', replace: 'all' } as const)
  const { seed } = options
  const random = () => alexnet(engine, { variant: 'alexnet-64', seed })
  return [
    {
      name: 'graft',
      scenario: trunk,
      same: 'epochs',
      build: () => alexnet(engine, { weights, seed }),
    },
    { name: 'scratch', scenario: { scenario: 'large-different' }, same: 'seconds', build: random },
    { name: 'random', scenario: trunk, same: 'epochs', build: random },
  ]
}

async function compare(job: Race): Promise<void> {
  const { data, options, output, name } = job
  const { seed, seconds, out } = options
  const show = new Show(output)
  const raced = await race(data, rivals(job), {
    ...recipe,
    seed,
    seconds,
    epochs: graftEpochs,
    onWarmUp: show.onWarmUp,
    onPlan: show.onPlan,
    onEvent: show.onEvent,
  })
  show.end()
  const of = (rival: Rival) => {
    const found = raced.get(rival)
    if (!found) throw new TypeError(`${rival} did not train`)
    return found
  }
  const [graft, scratch, random] = [of('graft'), of('scratch'), of('random')]
  const { header, rows } = raceRows(raced)
  const mostCommon = mostCommonShare(data.val)
  const guess = percent(mostCommon)
  output.line()
  output.sentence(
    'Validation accuracy in the time of the graft (whole epochs, one or more), and in equal epochs',
  )
  output.lines(
    table([header, ...rows, ['most common class', guess, guess]], {
      right: [1, 2, 3, 4, 5],
      indent: '  ',
    }),
  )
  const curves = [...raced].map(([rival, one]) => [rivalNames[rival], one] as const)
  output.lines(['', ...comparisonChart(new Map(curves), { mostCommon }), ''])
  output.labeled('result', verdict({ graft, scratch, random }))
  for (const [rival, one] of raced)
    for (const text of overfittingText(rivalNames[rival], one)) output.labeled('overfitting', text)
  const examples = await classifySome(graft.model, data, seed)
  output.lines(['', 'Images that no network was trained on, classified by the graft:'])
  output.lines(
    table(
      examples.map(({ name: image, actual, predicted, probability }) => [
        basename(image),
        `is ${actual}`,
        `taken for ${predicted}`,
        percent(probability),
        actual === predicted ? 'right' : 'wrong',
        ...(name === emoji ? [emojiOf(image)] : []),
      ]),
      { right: [3], indent: '  ' },
    ),
  )
  if (out) await keep(out, job, graft)
  output.lines([
    '',
    'Your own images, in one folder for each class:',
    `  ${nextCommand('train', 'YOUR_FOLDER')}`,
  ])
  if (name === emoji)
    output.lines([
      'The same on photographs of ants and bees:',
      `  ${nextCommand('demo', '--photos')}`,
    ])
  if (out) output.lines(['The grafted network:', `  ${nextCommand('predict', out, 'IMAGE')}`])
  output.event({
    type: 'result',
    ...Object.fromEntries([...raced].map(([rival, one]) => [rival, summary(one)])),
    verdict: verdict({ graft, scratch, random }),
    examples,
    ...(out ? { run: out } : {}),
  })
  for (const { model } of raced.values()) model.dispose()
}

/** How many epochs of a training are printed. */
const shownEpochs = 5

/** Shows the progress of the three trainings. */
class Show {
  readonly #output: Output
  #number = 0
  #last: Extract<TrainEvent, { type: 'epoch' }> | null = null
  #shown = 0

  constructor(output: Output) {
    this.#output = output
  }

  readonly onWarmUp = (of: Rival): void => {
    this.end()
    this.#output.line()
    this.#output.sentence(`${++this.#number}. ${headings[of]}`)
    this.#output.progress('compiling', 0, 1, 'which counts for nobody')
  }

  readonly onPlan = (of: Rival, plan: Plan): void => {
    this.#output.endProgress()
    // The reasons for training from scratch assume many images: not shown, these are few.
    if (of === 'random') this.#output.event({ type: 'plan', ...plan })
    else describePlan(this.#output, plan, { why: of === 'graft' })
    this.#output.lines(['', epochHeader])
    this.#shown = 0
  }

  readonly onEvent = (of: Rival, event: TrainEvent): void => {
    this.#output.training(event, { of })
    if (event.type !== 'epoch') return
    this.#last = event
    if (event.epoch !== 1 && event.epoch % (graftEpochs / shownEpochs) !== 0) return
    this.#shown = event.epoch
    this.#output.line(epochLine(event))
  }

  /** Prints the last epoch of a training, if it was not printed yet. */
  end(): void {
    this.#output.endProgress()
    if (this.#last && this.#last.epoch !== this.#shown) this.#output.line(epochLine(this.#last))
    this.#last = null
  }
}

function summary({ plan, steps, kept, points, seconds, right }: Raced): object {
  const valAccuracy = right.reduce((sum, one) => sum + one, 0) / right.length
  return { valAccuracy, epochs: points.length, keptEpoch: kept.epoch, steps, seconds, plan }
}

/** The share of the most common class. */
function mostCommonShare(samples: SampleList): number {
  const counts = new Map<number, number>()
  for (const { label } of samples) counts.set(label, (counts.get(label) ?? 0) + 1)
  return Math.max(...counts.values()) / samples.length
}

interface Example {
  readonly name: string
  readonly actual: string
  readonly predicted: string
  readonly probability: number
}

/** Classifies a few held-out images of different classes, drawn by the seed. */
async function classifySome(
  model: Network,
  { classes, val }: ImageDataset,
  seed: number,
): Promise<Example[]> {
  const order = Array.from({ length: val.length }, (_, i) => i)
  new Random(seed, exampleStream).shuffle(order)
  const picked = new Map<number, Sample>()
  for (const index of order) {
    const sample = sampleAt(val, index)
    if (!picked.has(sample.label) && picked.size < 8) picked.set(sample.label, sample)
  }
  const samples = [...picked.values()]
  const predictions = await predict(
    model,
    samples.map(({ source }) => source),
    { topK: 1 },
  )
  return samples.map(({ name, label }, i) => {
    const best = at(at(predictions, i).top, 0)
    return {
      name,
      actual: at(classes, label),
      predicted: best.class,
      probability: best.probability,
    }
  })
}

/** A random stream of its own: the data's split and order use others. */
const exampleStream = 2000

/** The emoji itself: its file is named after its code points. */
function emojiOf(name: string): string {
  return String.fromCodePoint(
    ...basename(name, '.png')
      .split('-')
      .map((code) => Number.parseInt(code, 16)),
  )
}

async function keep(folder: string, race: Race, { model, plan, points }: Raced): Promise<void> {
  const { data, engine, options, name } = race
  const { seconds, seed } = options
  const run = new RunWriter(folder, {
    graft: graftVersion,
    architecture: model.architecture,
    plan,
    classes: data.classes,
    adapter: engine.info.adapter,
    options: {
      data: name === 'emoji' ? name : recordedPlace(data.root),
      weights,
      scenario: plan.scenario,
      ...recipe,
      epochs: graftEpochs,
      seconds,
      seed,
    },
  })
  run.resumed(points.map(({ at: _, ...epoch }) => epoch))
  await run.finish(model)
}
