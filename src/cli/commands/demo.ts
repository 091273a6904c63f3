import { basename } from 'node:path'
import type { Command } from 'commander'
import { at } from '../../base/at.ts'
import { duration, percent } from '../../base/format.ts'
import { Random } from '../../base/random.ts'
import type { ArrayDataset, ImageDataset, Sample } from '../../data/dataset.ts'
import { openEmoji } from '../../data/emoji.ts'
import { alexnet } from '../../nn/alexnet.ts'
import type { Network } from '../../nn/network.ts'
import type { Engine } from '../../tensor/tensor.ts'
import { evaluate, predict } from '../../train/evaluate.ts'
import type { EpochResult, TrainEvent } from '../../train/events.ts'
import { type FitResult, fit } from '../../train/fit.ts'
import type { FitOptions } from '../../train/fitOptions.ts'
import { applyScenario, type Plan, type Scenario } from '../../transfer/scenario.ts'
import { describeData, describeEngine, describePlan } from '../describe.ts'
import { table } from '../lines.ts'
import { type CommonOptions, count, number, path, seedNumber, withCommon } from '../options.ts'
import { epochHeader, epochLine, Output } from '../output.ts'
import { RunWriter, writingRun } from '../runWriter.ts'
import { nextCommand } from '../shell.ts'
import { graftVersion } from '../version.ts'
import { withEngine } from '../withEngine.ts'

interface DemoOptions extends CommonOptions {
  readonly seconds: number
  readonly seed: number
  readonly each?: number
  readonly out?: string
}

export function addDemo(command: Command): void {
  command
    .option('--seconds <n>', 'time limit for each of the two trainings', number({ above: 0 }), 75)
    .option(
      '--seed <n>',
      'seeds the split, the order of images and all random values',
      seedNumber,
      1,
    )
    .option(
      '--each <n>',
      'train on at most this many images a class, and validate on a third, for a quick look',
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
Examples:
  npx graft-webgpu demo
  npx graft-webgpu demo --each 8 --seconds 10
  npx graft-webgpu demo --adapter swiftshader
  npx graft-webgpu demo --out runs/emoji`,
  )
  command.action(run)
}

const weights = 'alexnet-64-tinyimagenet100'
/** For both networks: from scratch, Adam is faster than SGD. */
const recipe = { optimizer: 'adam', lr: 1e-3, batchSize: 32 } as const
/** Epochs of the graft, unless its time ends first. */
const graftEpochs = 40

async function run(options: DemoOptions): Promise<void> {
  const { out } = options
  if (out) await writingRun(out, {}, () => demo(options))
  else await demo(options)
}

async function demo(options: DemoOptions): Promise<void> {
  const output = new Output(options.json)
  const all = await openEmoji({ seed: options.seed })
  const data = options.each ? fewer(all, options.each) : all
  await withEngine(options.adapter, output, async (engine) => {
    describeEngine(output, engine)
    describeData(output, data, 'emoji, 64x64')
    await compare(engine, data, options, output)
  })
}

/** The first few images of each class. */
function fewer(data: ArrayDataset, each: number): ArrayDataset {
  const first = (samples: readonly Sample[], n: number) =>
    data.classes.flatMap((_, label) =>
      samples.filter((sample) => sample.label === label).slice(0, n),
    )
  return { ...data, train: first(data.train, each), val: first(data.val, Math.ceil(each / 3)) }
}

async function compare(
  engine: Engine,
  data: ArrayDataset,
  options: DemoOptions,
  output: Output,
): Promise<void> {
  const { seed, seconds: maxSeconds } = options
  output.lines([
    '',
    '1. The graft: the network that was trained on photographs, its end replaced by a new layer',
  ])
  const graft = await alexnet(engine, { weights, seed })
  const grafted = await trainOne(
    { name: 'graft', model: graft, scenario: 'small-different', data, seed, output },
    { epochs: graftEpochs, maxSeconds },
  )
  output.lines([
    '',
    '2. From scratch: the same network, all weights random and all trained, ' +
      `for the same ${duration(grafted.seconds)}`,
  ])
  const scratch = await alexnet(engine, { variant: 'alexnet-64', seed })
  const scratched = await trainOne(
    { name: 'scratch', model: scratch, scenario: 'large-different', data, seed, output },
    { epochs: 100_000, maxSeconds: grafted.seconds },
  )
  scratch.dispose()

  const row = (name: string, { accuracy, epochs, seconds }: Outcome) => [
    name,
    percent(accuracy),
    epochs.toFixed(1),
    seconds.toFixed(1),
  ]
  const right = [1, 2, 3]
  const header = ['', 'validation accuracy', 'epochs', 'seconds']
  const guess = ['always the most common class', percent(mostCommonShare(data.val)), '', '']
  output.line()
  output.lines(
    table([header, row('the graft', grafted), row('from scratch', scratched), guess], {
      right,
      indent: '  ',
    }),
  )
  output.lines([
    '  Both with Adam, learning rate 0.001, batches of 32. Seconds include reading, compiling and',
    '  validating; the second training had the time that the first one took.',
  ])
  const examples = await classifySome(graft, data, seed)
  output.lines(['', 'Images that neither network was trained on, classified by the graft:'])
  output.lines(
    table(
      examples.map(({ name, actual, predicted, probability }) => [
        name,
        `is ${actual}`,
        `taken for ${predicted}`,
        percent(probability),
        actual === predicted ? 'right' : 'wrong',
        emojiOf(name),
      ]),
      { right: [3], indent: '  ' },
    ),
  )
  output.lines(['', ...remark])
  if (options.out) await keep(options.out, graft, grafted, data, engine.info.adapter, options)
  const { out } = options
  output.lines([
    '',
    'Your own images, in one folder for each class:',
    `  ${nextCommand('train', 'YOUR_FOLDER')}`,
  ])
  if (out) output.lines(['The grafted network:', `  ${nextCommand('predict', out, 'PICTURE')}`])
  output.event({
    type: 'result',
    graft: summary(grafted),
    scratch: summary(scratched),
    examples,
    ...(out ? { run: out } : {}),
  })
}

const remark = [
  'Emoji are drawings: the late features of photographs help little, so the graft uses early ones.',
  'A frozen trunk of random weights is about as good here: most of the gain is that no trunk has',
  'to be trained. On photographs the pretrained trunk makes the difference (ants and bees: 84 %',
  'with the pretrained trunk, 62 % with a random one).',
]

interface Outcome {
  readonly plan: Plan
  readonly fit: FitResult
  readonly accuracy: number
  /** Passes over the training images, with the fraction of the last, incomplete one. */
  readonly epochs: number
  readonly seconds: number
}

interface Contender {
  readonly name: 'graft' | 'scratch'
  readonly model: Network
  readonly scenario: Scenario
  readonly data: ImageDataset
  readonly seed: number
  readonly output: Output
}

/** How many epochs of a training are printed. */
const shownEpochs = 8

async function trainOne(
  { name, model, scenario, data, seed, output }: Contender,
  limits: Pick<FitOptions, 'epochs' | 'maxSeconds'>,
): Promise<Outcome> {
  const plan = applyScenario(model, { scenario, classes: data.classes.length, seed })
  // The reasons for training from scratch assume many images: not shown, these are few.
  describePlan(output, plan, { why: name === 'graft' })
  output.lines(['', epochHeader])
  // The time limit does not include the last validation: its time is measured first.
  const reserve = name === 'scratch' ? await secondsOf(() => evaluate(model, data)) : 0
  const maxSeconds = Math.max(1, (limits.maxSeconds ?? Number.POSITIVE_INFINITY) - reserve)
  const limit = 1000 * maxSeconds
  const begun = performance.now()
  let [shown, shownAt] = [0, begun]
  const show = (epoch: EpochResult) => {
    shown = epoch.epoch
    shownAt = performance.now()
    output.line(epochLine(epoch))
  }
  const onEvent = (event: TrainEvent) => {
    output.training(event, { of: name })
    const now = performance.now()
    if (event.type !== 'epoch') return
    const due =
      name === 'graft'
        ? event.epoch % (graftEpochs / shownEpochs) === 0
        : now - shownAt >= limit / shownEpochs
    if (due || event.epoch === 1) show(event)
  }
  const fitted = await fit(model, data, { ...recipe, seed, onEvent, ...limits, maxSeconds })
  output.endProgress()
  const seconds = (performance.now() - begun) / 1000
  const last = fitted.epochs.at(-1)
  if (last && last.epoch !== shown) show(last)
  const epochs = fitted.steps / Math.ceil(data.train.length / recipe.batchSize)
  const kept = at(fitted.epochs, fitted.keptEpoch - 1)
  return { plan, fit: fitted, accuracy: kept.valAccuracy, epochs, seconds }
}

async function secondsOf(work: () => Promise<unknown>): Promise<number> {
  const begun = performance.now()
  await work()
  return (performance.now() - begun) / 1000
}

function summary({ plan, fit, accuracy, epochs, seconds }: Outcome): object {
  return { valAccuracy: accuracy, epochs, steps: fit.steps, seconds, plan }
}

/** The share of the most common class. */
function mostCommonShare(samples: readonly Sample[]): number {
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
  { classes, val }: ArrayDataset,
  seed: number,
): Promise<Example[]> {
  const order = Array.from(val.keys())
  new Random(seed, exampleStream).shuffle(order)
  const picked = new Map<number, Sample>()
  for (const index of order) {
    const sample = val[index]
    if (sample && !picked.has(sample.label) && picked.size < 8) picked.set(sample.label, sample)
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

async function keep(
  folder: string,
  model: Network,
  { plan, fit }: Outcome,
  data: ImageDataset,
  adapter: string,
  options: DemoOptions,
) {
  const { seconds, seed } = options
  const run = new RunWriter(folder, {
    graft: graftVersion,
    architecture: model.architecture,
    plan,
    classes: data.classes,
    adapter,
    options: {
      data: 'emoji',
      weights,
      scenario: plan.scenario,
      ...recipe,
      epochs: graftEpochs,
      seconds,
      seed,
    },
  })
  run.resumed(fit.epochs)
  await run.finish(model)
}
