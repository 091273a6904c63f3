import { dirname, join } from 'node:path'
import type { Command } from 'commander'
import { at } from '../../base/at.ts'
import { UsageError } from '../../base/errors.ts'
import { counted, percent } from '../../base/format.ts'
import { writeFileAtomic } from '../../base/node/atomicFile.ts'
import { makeFolder } from '../../base/node/folder.ts'
import type { LoadOptions } from '../../base/stateDict.ts'
import { openData } from '../../data/openData.ts'
import type { Job } from '../../jobs/job.ts'
import { putValues } from '../../jobs/node/models.ts'
import { type TrainingTask, trainingKind } from '../../jobs/node/training.ts'
import type { Outcome } from '../../jobs/runner.ts'
import { type Variant, variants } from '../../nn/alexnet.ts'
import { nodeHost } from '../../nodeHost.ts'
import type { Store } from '../../store/store.ts'
import { resolveOptions } from '../../train/options/resolve.ts'
import { fitOptionsOf, type TrainSettings } from '../../train/settings.ts'
import { bestRow, type Sweep, sweepRow } from '../../train/sweep.ts'
import { writeSafetensors } from '../../weights/safetensors.ts'
import { sweepChart } from '../charts.ts'
import { dataPlace } from '../dataPlace.ts'
import { describeData, shortPath } from '../describe.ts'
import { exitCodes } from '../errors.ts'
import { type Combination, combinations, type GridAxis, gridAxis } from '../grid.ts'
import { Stop } from '../interrupt.ts'
import { type JobOptions, withJobs, withRunner } from '../jobOptions.ts'
import { JobProgress } from '../jobProgress.ts'
import { table } from '../lines.ts'
import { count, dataHelp, divisionOf, path, withCommon } from '../options.ts'
import { Output } from '../output.ts'
import { dataName, nextCommand } from '../shell.ts'
import { addressOf } from '../spreadTrain.ts'
import {
  checkSettings,
  chooseNetwork,
  settingsOf,
  type TrainOptions,
  withTrainOptions,
} from '../trainSettings.ts'
import { graftVersion } from '../version.ts'
import { fetchAbsent } from './weights.ts'

interface SweepOptions extends TrainOptions, JobOptions {
  readonly grid: readonly string[]
  readonly seeds: number
}

/** No sweep has more trainings. */
const mostTrainings = 10_000

export function addSweep(command: Command): void {
  command
    .argument('<dir>', dataHelp)
    .requiredOption(
      '--grid <name=a,b>',
      "values of an option of 'train' to compare: lr=1e-4,1e-3; may be given again for another " +
        'option, and then every choice of values is trained',
      (text: string, before: readonly string[] = []) => [...before, text],
    )
    .option('--seeds <n>', 'train each choice with so many seeds, from --seed on', count, 1)
    .option('--out <file>', 'the page (default: runs/<name of DIR>-sweep.html)', path)
  withTrainOptions(command)
  withJobs(
    command,
    'have the workers of this queue train, one training at a time each',
    'where the runs and the marks of what is done lie (default: runs/<name of DIR>-sweep)',
  )
  withCommon(command).addHelpText(
    'after',
    `
Every training is one of 'train' with the same options and that seed. What is done is found when the
same command is given again: a sweep that was stopped goes on where it was. Each training leaves a
run folder in --store, for report, predict and evaluate.

Examples:
  npx graft-webgpu sweep photos --scenario small-similar --grid lr=1e-4,1e-3 --seeds 3
  npx graft-webgpu sweep photos --grid 'augment=light|strong,flip=0' --epochs 20
  npx graft-webgpu sweep s3://photos --grid lr=1e-4,1e-3 --queue redis://host --store s3://work`,
  )
  command.action(run)
}

/** One training of the sweep. */
interface Training {
  readonly row: number
  readonly settings: TrainSettings
}

async function run(given: string, options: SweepOptions, command: Command): Promise<void> {
  const output = new Output(options.json)
  if (options.queue && options.store === undefined)
    throw new UsageError('--queue needs --store ADDRESS: a place that all workers reach')
  const axes = options.grid.map(gridAxis)
  const choices = combinations(axes)
  if (choices.length * options.seeds > mostTrainings)
    throw new UsageError(
      `a sweep has at most ${mostTrainings} trainings, not ${choices.length * options.seeds}`,
    )
  const trainings = choices.flatMap((choice, row) => trainingsOf(choice, row, options))
  const dir = await dataPlace(given, options, output)
  const address = addressOf(dir)
  const stop = new Stop(() => output.warn('stopping; what is done is kept'))
  try {
    const division = divisionOf({ ...options, ...at(trainings, 0).settings }, command)
    const data = await openData(address, division)
    describeData(output, data, shortPath(dir))
    output.labeled(
      'sweep',
      `${counted(choices.length, 'choice')} of ${axes.map(({ flag }) => flag).join(', ')}, ` +
        `${counted(options.seeds, 'seed')} each: ${counted(trainings.length, 'training')}`,
    )
    const images = data.train.length + data.val.length
    const place = options.store ?? join('runs', `${dataName(dir)}-sweep`)
    const outcomes = await withRunner(options, options.adapter, async ({ runner, store }) => {
      const work = await store(place)
      const networks = new Networks(work, options, output, stop)
      const typed = command.getOptionValueSource('split') === 'cli'
      const ignores = typed ? (['seed'] as const) : (['split', 'seed'] as const)
      const jobs: Job[] = []
      for (const { settings } of trainings)
        jobs.push(await jobOf(settings, { address, ignores, images, work, networks }))
      const progress = new JobProgress(output, 'sweeping', images * jobs.length)
      return runner.run(jobs, {
        total: jobs.length,
        signal: stop.signal,
        sameAdapter: options.sameAdapter,
        onEvent: progress.onEvent,
      })
    })
    output.endProgress()
    await report(output, { dir, place, axes, choices, trainings, outcomes, options })
  } catch (error) {
    if (!stop.signal.aborted) throw error
    throw stop.error('stopped: the trainings that are done are kept, and the same command goes on')
  } finally {
    output.endProgress()
    stop.done()
  }
}

/** The trainings of one choice. @throws UsageError for options that do not go together */
function trainingsOf(choice: Combination, row: number, options: SweepOptions): Training[] {
  const common: TrainSettings = { ...settingsOf(options), ...choice.settings }
  if (common.lr === 'find')
    throw new UsageError('--lr find is for one training: give numbers, --grid lr=1e-4,1e-3')
  checkSettings(common)
  resolveOptions(fitOptionsOf(common))
  return Array.from({ length: options.seeds }, (_, i) => {
    return { row, settings: { ...common, seed: common.seed + i } }
  })
}

async function jobOf(
  settings: TrainSettings,
  about: {
    readonly address: string
    readonly ignores: TrainingTask['ignores']
    readonly images: number
    readonly work: Store
    readonly networks: Networks
  },
): Promise<Job> {
  const {
    weights: _,
    weightsKey: _key,
    weightsPrefix: _prefix,
    variant: _variant,
    ...rest
  } = settings
  const task: TrainingTask = {
    data: about.address,
    ignores: about.ignores,
    settings: rest,
    ...(await about.networks.of(settings)),
    graft: graftVersion,
  }
  return {
    kind: trainingKind.name,
    work: about.work.address,
    images: about.images,
    task: { ...task },
  }
}

/** The weights that trainings start from, each read once and put where workers find it. */
class Networks {
  readonly #put = new Map<string, Promise<Pick<TrainingTask, 'weights' | 'variant'>>>()
  readonly #work: Store
  readonly #options: SweepOptions
  readonly #output: Output
  readonly #stop: Stop

  constructor(work: Store, options: SweepOptions, output: Output, stop: Stop) {
    this.#work = work
    this.#options = options
    this.#output = output
    this.#stop = stop
  }

  of(settings: TrainSettings): Promise<Pick<TrainingTask, 'weights' | 'variant'>> {
    const network = chooseNetwork(settings)
    const key = JSON.stringify(network)
    const put = this.#put.get(key) ?? this.#read(network)
    this.#put.set(key, put)
    return put
  }

  async #read({
    weights,
    variant,
    ...where
  }: LoadOptions & { readonly weights?: string; readonly variant?: Variant }) {
    if (weights === undefined) return variant === undefined ? {} : { variant }
    await fetchAbsent(weights, this.#options, this.#output, this.#stop)
    const { tensors, metadata } = await nodeHost.loadWeights(weights, where)
    const own = variants.find((one) => one === metadata.architecture)
    const known = variant ?? own
    return {
      weights: await putValues(this.#work, writeSafetensors(tensors)),
      ...(known === undefined ? {} : { variant: known }),
    }
  }
}

async function report(
  output: Output,
  about: {
    readonly dir: string
    readonly place: string
    readonly axes: readonly GridAxis[]
    readonly choices: readonly Combination[]
    readonly trainings: readonly Training[]
    readonly outcomes: readonly Outcome[]
    readonly options: SweepOptions
  },
): Promise<void> {
  const { dir, place, axes, choices, trainings, outcomes, options } = about
  const ended = trainings.map((training, i) => ({ ...training, outcome: at(outcomes, i) }))
  const sweep: Sweep = {
    options: axes.map(({ flag }) => flag),
    seeds: options.seeds,
    rows: choices.map(({ texts }, row) => {
      const own = ended.filter((one) => one.row === row)
      const accuracies = own.flatMap(({ outcome }) =>
        'result' in outcome ? [Number(outcome.result.facts.valAccuracy)] : [],
      )
      return sweepRow(texts, accuracies, own.length - accuracies.length)
    }),
  }
  const best = bestRow(sweep)
  const rows = sweep.rows.map(({ values, mean, deviation, accuracies, failed }, i) => [
    i === best ? '>' : '',
    ...values,
    accuracies.length ? percent(mean) : 'none',
    deviation === null ? '' : `± ${(100 * deviation).toFixed(1)}`,
    accuracies.length,
    ...(failed > 0 ? [`${failed} failed`] : []),
  ])
  output.line()
  output.lines(
    table([['', ...sweep.options, 'accuracy', 'points', 'seeds'], ...rows], { indent: '  ' }),
  )
  output.lines([
    '  Mean accuracy of the kept epochs, and the standard deviation over the seeds.',
    '',
    ...sweepChart(sweep),
    '',
  ])
  const { sweepPage } = await import('../../report/sweep.tsx')
  const page = options.out ?? join('runs', `${dataName(dir)}-sweep.html`)
  await makeFolder(dirname(page))
  await writeFileAtomic(page, sweepPage(sweep, { data: shortPath(dir) }))
  output.labeled('page', shortPath(page))
  output.labeled('runs', `${place}: a run folder for each training, in runs`)
  const top =
    best === null ? null : ended.find(({ row, outcome }) => row === best && 'result' in outcome)
  if (top && !/^\w+:/.test(place))
    output.command('next', nextCommand('report', join(place, 'runs', top.outcome.id)))
  output.event({
    type: 'result',
    ...sweep,
    best: best === null ? null : at(sweep.rows, best).values,
    page,
    runs: ended.map(({ row, settings, outcome }) => {
      const what = 'result' in outcome ? outcome.result.facts : { failure: outcome.failure }
      return {
        run: `runs/${outcome.id}`,
        values: at(choices, row).texts,
        seed: settings.seed,
        ...what,
      }
    }),
  })
  const failed = outcomes.filter((one) => 'failure' in one)
  for (const { id, failure } of failed.slice(0, 20)) output.complain(`training ${id}: ${failure}`)
  if (failed.length > 0) process.exitCode = exitCodes.failure
}
