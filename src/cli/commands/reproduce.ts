import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { type Command, InvalidArgumentError, Option } from 'commander'
import { UsageError } from '../../base/errors.ts'
import { counted, duration, percent, percentRange } from '../../base/format.ts'
import { shareInterval } from '../../base/interval.ts'
import { augmentationOf } from '../../data/augment.ts'
import { countByClass, type ImageDataset, joined, withClassesOf } from '../../data/dataset.ts'
import { openData } from '../../data/openData.ts'
import { namedPart } from '../../data/partNames.ts'
import { alexnet, type Variant } from '../../nn/alexnet.ts'
import { isAddress } from '../../store/node/address.ts'
import type { Engine } from '../../tensor/tensor.ts'
import { evaluate } from '../../train/evaluate.ts'
import type { TrainEvent } from '../../train/events.ts'
import { type Experiment, experiments, reported } from '../../train/experiments.ts'
import { fit } from '../../train/fit.ts'
import type { RunImages } from '../../train/runFolder.ts'
import { applyScenario } from '../../transfer/scenario.ts'
import { checkCopies } from '../copies.ts'
import { dataPlace, recordedPlace } from '../dataPlace.ts'
import { describeData, describeEngine, describeNetwork, describePlan } from '../describe.ts'
import type { Stop } from '../interrupt.ts'
import { table } from '../lines.ts'
import {
  type CommonOptions,
  count,
  dataHelp,
  divisionOf,
  offlineOption,
  path,
  typedOptions,
  withCommon,
} from '../options.ts'
import { epochHeader, epochLine, Output } from '../output.ts'
import { imagesOf } from '../runImages.ts'
import { type ExistingRun, RunWriter, writingRun } from '../runWriter.ts'
import { inSession } from '../session.ts'
import { dataName, nextCommand } from '../shell.ts'
import { tableOption } from '../tableOptions.ts'
import { graftVersion } from '../version.ts'

interface ReproduceOptions extends CommonOptions {
  readonly weights: string
  readonly variant?: Variant
  readonly only?: string
  readonly epochs?: number
  readonly budget?: number
  readonly seed: number
  readonly split: number
  readonly resume?: boolean
  readonly force?: boolean
  readonly offline?: boolean
  readonly out?: string
}

const defaultData = 'dog-breeds'
const defaultWeights = 'torchvision/alexnet'
const names = experiments.map(({ name }) => name)

export function addReproduce(command: Command): void {
  command
    .argument('[dir]', dataHelp, defaultData)
    .addOption(
      new Option('--weights <name|path>', 'the pretrained network').default(defaultWeights),
    )
    .addOption(tableOption('variant'))
    .addOption(new Option('--only <which>', 'one of the two trainings').choices(names))
    .option(
      '--epochs <n>',
      `passes over the images of each (default: ${experiments
        .map(({ name, epochs }) => `${name} ${epochs}`)
        .join(', ')})`,
      count,
    )
    .option(
      '--budget <time>',
      'shorten it: about this much time for all trainings of this call, such as 90s, 30m or 2h',
      budgetSeconds,
    )
    .addOption(tableOption('split'))
    .addOption(tableOption('seed'))
    .addOption(offlineOption())
    .option('--resume', 'continue the runs of an earlier call')
    .option('--force', 'replace the runs of an earlier call')
    .option(
      '--out <folder>',
      'the folder of both runs (default: runs/<name of DIR>-reproduce)',
      path,
    )
  withCommon(command).addHelpText(
    'after',
    `
The settings are those of the notebook by the article's author: batches of 64, random crops of 8 to
100 % of the area, and flips; frozen with SGD at 0.005 without momentum for 50 epochs, from scratch
with Adam at 0.001 for 200. The best epoch by validation loss is kept, and measured on the images to
test with where the data have such a part. The notebook also changes brightness and contrast, at
random once for all images, and validates on the middle of images that it does not resize: here
they are resized as the network expects.

At full length this takes long, above all on a CPU: --budget shortens it, and --resume goes on
later.

Examples:
  npx graft-webgpu reproduce --budget 2h
  npx graft-webgpu reproduce stanford-dogs --only frozen
  npx graft-webgpu reproduce photos --weights alexnet-64-tinyimagenet100 --budget 5m
  npx graft-webgpu reproduce --resume`,
  )
  command.action(reproduce)
}

/** '90s', '30m' or '2h' in seconds. */
export function budgetSeconds(text: string): number {
  const [, number, unit] = /^(\d+(?:\.\d+)?)(s|m|min|h)$/.exec(text) ?? []
  const seconds = Number(number) * ({ s: 1, m: 60, min: 60, h: 3600 }[unit ?? ''] ?? Number.NaN)
  if (!(seconds > 0))
    throw new InvalidArgumentError('It takes a time above 0 with its unit, such as 90s, 30m or 2h.')
  return seconds
}

interface Job {
  readonly data: ImageDataset
  readonly images: RunImages
  /** The images to test with, if the data have such a part. */
  readonly test: ImageDataset | null
  readonly dir: string
  readonly options: ReproduceOptions
  readonly output: Output
  readonly stop: Stop
}

/** How an experiment ended. */
interface Finished {
  readonly experiment: Experiment
  readonly run: string
  readonly accuracy: number
  /** How many images it was measured on. */
  readonly of: number
  readonly part: 'test' | 'val'
  readonly keptEpoch: number
  readonly epochs: number
  readonly wanted: number
  readonly seconds: number
}

async function reproduce(
  given: string,
  options: ReproduceOptions,
  command: Command,
): Promise<void> {
  const output = new Output(options.json)
  if (isAddress(given))
    throw new UsageError(
      `${given} is an address, and reproduce reads a folder: its test part lies beside train/ ` +
        'and val/ there',
    )
  const dir = await dataPlace(given, options, output)
  const data = await openData(dir, divisionOf(options, command))
  const test = await openTest(dir, data)
  const folder = options.out ?? join('runs', `${dataName(dir)}-reproduce`)
  const chosen = experiments.filter(({ name }) => (options.only ?? name) === name)
  const finished: Finished[] = []
  await inSession(options.weights, options, output, async (engine, stop) => {
    describeEngine(output, engine)
    describeData(output, data)
    if (test) output.labeled('test', `${counted(test.val.length, 'image')} apart, to test with`)
    const images = imagesOf(data, await checkCopies(output, data))
    const job = { data, images, test, dir, options, output, stop }
    let left = options.budget
    for (const [i, experiment] of chosen.entries()) {
      const run = join(folder, experiment.name)
      const share = left === undefined ? undefined : left / (chosen.length - i)
      const done = await writingRun(run, options, (before) =>
        trainOne(engine, experiment, run, { ...job, before, seconds: share }),
      )
      finished.push(done)
      // What one did not need is left for the next.
      if (left !== undefined) left = Math.max(1, left - done.seconds)
    }
  })
  report(output, finished, { given, data, folder, options, command })
}

/** The images to test with: those of a folder beside train/ and val/. */
async function openTest(dir: string, data: ImageDataset): Promise<ImageDataset | null> {
  const folders = await readdir(dir, { withFileTypes: true }).catch(() => [])
  const isTest = (name: string) => {
    const named = namedPart(name)
    return named?.part === 'test' && named.of === ''
  }
  const found = folders.find((entry) => entry.isDirectory() && isTest(entry.name))
  if (!found || data.classes.includes(found.name)) return null
  const opened = await openData(join(dir, found.name), { testSet: true })
  const { train, val, ...rest } = withClassesOf(opened, data.classes, dir, 'run')
  return { ...rest, train: [], val: joined(train, val) }
}

async function trainOne(
  engine: Engine,
  experiment: Experiment,
  folder: string,
  job: Job & { readonly before: ExistingRun; readonly seconds: number | undefined },
): Promise<Finished> {
  const { data, dir, options, output, stop, before } = job
  const { seed, weights, variant } = options
  const { scenario, recipe, augment } = experiment
  const epochs = options.epochs ?? experiment.epochs
  output.line()
  output.sentence(`${experiment.name}: ${experiment.what}, ${counted(epochs, 'epoch')}`)
  const model = await alexnet(engine, { weights, seed, ...(variant ? { variant } : {}) })
  try {
    const plan = applyScenario(model, { ...scenario, classes: data.classes.length, seed })
    describeNetwork(output, model, plan.startsFrom === 'random' ? null : weights)
    describePlan(output, plan, { missing: model.missing, why: false })
    requireSame(folder, options, before)
    const kept = { weights, variant, seed, split: options.split, ...scenario, ...recipe, augment }
    const run = new RunWriter(
      folder,
      {
        graft: graftVersion,
        architecture: model.architecture,
        plan,
        classes: data.classes,
        pictures: job.images,
        options: { ...defined(kept), epochs, data: recordedPlace(dir) },
        adapter: engine.info.adapter,
      },
      { replace: options.force },
    )
    const begun = performance.now()
    run.stopwatch.start()
    output.lines(['', epochHeader])
    const onEvent = (event: TrainEvent) => {
      run.stopwatch.note(event)
      output.training(event, { of: experiment.name })
      if (event.type !== 'epoch') return
      const { type: _, ...result } = event
      run.epoch(result)
      output.line(epochLine(event, epochs))
    }
    const result = await fit(model, data, {
      ...recipe,
      epochs,
      seed,
      augment: augmentationOf(augment),
      checkpoint: run.checkpoints,
      beforeCheckpoint: () => run.begin(),
      resume: before.resumable,
      ...(job.seconds === undefined ? {} : { maxSeconds: job.seconds, wholeEpochs: true }),
      signal: stop.signal,
      onEvent,
      onResume: (done, batches) => {
        run.resumed(done)
        output.event({ type: 'resume', of: experiment.name, epochs: done.length, batches })
        output.labeled('resumed', `after ${counted(done.length, 'epoch')}`)
      },
    }).finally(() => output.endProgress())
    if (result.epochs.length > 0) await run.finish(model)
    if (result.aborted)
      throw stop.error(
        `stopped: ${counted(result.epochs.length, 'epoch')} of ${experiment.name} are kept in ` +
          `${folder}; --resume continues`,
      )
    const measured = job.test ?? data
    output.progress('testing', 0, 1)
    const { accuracy, count: of } = await evaluate(model, measured, {
      batchSize: recipe.batchSize,
      onEvent: (event) => output.training(event),
    }).finally(() => output.endProgress())
    return {
      experiment,
      run: folder,
      accuracy,
      of,
      part: job.test ? 'test' : 'val',
      keptEpoch: result.keptEpoch,
      epochs: result.epochs.length,
      wanted: experiment.epochs,
      seconds: (performance.now() - begun) / 1000,
    }
  } finally {
    model.dispose()
  }
}

/** @throws UsageError where a run is to be continued with other options than its own */
function requireSame(folder: string, options: ReproduceOptions, { config }: ExistingRun): void {
  for (const name of ['weights', 'variant', 'seed', 'split'] as const) {
    const before = config?.options[name]
    if (!config || before === options[name]) continue
    const started = before === undefined ? `without --${name}` : `with --${name} ${String(before)}`
    throw new UsageError(
      `${folder} was started ${started}: give the same to continue it, ` +
        'or another folder with --out',
    )
  }
}

const defined = (values: object) =>
  Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined))

function report(
  output: Output,
  finished: readonly Finished[],
  {
    given,
    data,
    folder,
    options,
    command,
  }: {
    readonly given: string
    readonly data: ImageDataset
    readonly folder: string
    readonly options: ReproduceOptions
    readonly command: Command
  },
): void {
  const again = typedOptions(command, ['budget', 'epochs', 'out', 'resume', 'force'])
  const share = (value: number | null) => (value === null ? '-' : `${Math.round(100 * value)} %`)
  const rows = reported.map(({ what, experiment, article, notebook }) => {
    const mine = finished.find(({ experiment: { name } }) => name === experiment)
    const interval = mine && shareInterval(mine.accuracy, mine.of)
    return [
      what,
      mine ? percent(mine.accuracy) : '-',
      interval ? percentRange(interval.low, interval.high) : '',
      share(article),
      share(notebook),
    ]
  })
  output.line()
  output.lines(
    table([['', 'here', '95 %', 'article', 'notebook'], ...rows], {
      right: [1, 2, 3, 4],
      indent: '  ',
    }),
  )
  const [first] = finished
  if (first)
    output.line(
      `  Here: accuracy on ${counted(first.of, 'image')} ` +
        (first.part === 'test' ? 'to test with.' : 'held out for validation.'),
    )
  for (const { remark } of reported) if (remark) output.labeled('  note', remark)
  const counts = countByClass(data.val, data.classes.length)
  output.labeled(
    '  chance',
    `${percent(1 / data.classes.length)} by guessing among ` +
      `${counted(data.classes.length, 'class', 'classes')}, ` +
      `${percent(Math.max(...counts) / data.val.length)} by always naming the most common one`,
  )
  if (given !== defaultData || options.weights !== defaultWeights)
    output.labeled(
      '  other',
      `the figures beside are of Udacity's 133 breeds and ImageNet's AlexNet; these are of ` +
        `${given} and ${options.weights}`,
    )
  for (const { experiment, epochs, wanted, seconds } of finished)
    if (epochs < wanted)
      output.labeled(
        'shortened',
        `${experiment.name}: ${epochs} of ${counted(wanted, 'epoch')}, in ${duration(seconds)}`,
      )
  for (const [i, { run }] of finished.entries())
    output.command(i === 0 ? 'next' : '', nextCommand('report', run))
  if (finished.some(({ epochs, wanted }) => epochs < wanted))
    output.command('', nextCommand('reproduce', given, '--out', folder, ...again, '--resume'))
  output.event({
    type: 'result',
    experiments: finished.map(({ experiment, ...rest }) => ({ name: experiment.name, ...rest })),
    reported,
  })
}
