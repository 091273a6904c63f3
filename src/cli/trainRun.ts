import { GraftError } from '../base/errors.ts'
import { counted, duration } from '../base/format.ts'
import { augmentationOf } from '../data/augment.ts'
import type { ImageDataset } from '../data/dataset.ts'
import type { FeatureCache } from '../data/featureCache.ts'
import { alexnet } from '../nn/alexnet.ts'
import type { Network } from '../nn/network.ts'
import type { Engine } from '../tensor/tensor.ts'
import { BrokenClasses } from '../train/brokenClasses.ts'
import type { EpochResult, TrainEvent } from '../train/events.ts'
import { type FitResult, fit } from '../train/fit.ts'
import { keptEpochOf, keptText } from '../train/kept.ts'
import { learnTrust } from '../train/learnTrust.ts'
import type { RoundOptions } from '../train/options/rounds.ts'
import { type RunImages, readRunTimings, writeRunTrust } from '../train/runFolder.ts'
import { fitOptionsOf, scenarioOf, type TrainSettings } from '../train/settings.ts'
import type { Timings } from '../train/timings.ts'
import type { Choice } from '../transfer/decide.ts'
import { applyScenario, type Plan } from '../transfer/scenario.ts'
import { choose } from './choose.ts'
import { findRate } from './commands/lrFind.ts'
import { recordedPlace } from './dataPlace.ts'
import {
  describeAugmentation,
  describeEngine,
  describeMemory,
  describeNetwork,
  describePlan,
  shortPath,
} from './describe.ts'
import { describeChoice } from './describeChoice.ts'
import type { Stop } from './interrupt.ts'
import type { JobOptions } from './jobOptions.ts'
import { epochHeader, epochLine, type Output } from './output.ts'
import { roundsOf, roundTrain } from './roundTrain.ts'
import { type ExistingRun, RunWriter } from './runWriter.ts'
import { inSession } from './session.ts'
import { nextCommand } from './shell.ts'
import { spreadTrain } from './spreadTrain.ts'
import type { chooseNetwork, TrainOptions } from './trainSettings.ts'
import { graftVersion } from './version.ts'

/** A training that was typed, with its images opened. */
export interface Job {
  readonly dir: string
  readonly data: ImageDataset
  /** Which images they are. */
  readonly images: RunImages
  readonly folder: string
  readonly settings: TrainSettings
  readonly network: ReturnType<typeof chooseNetwork>
  readonly options: TrainOptions & JobOptions & RoundOptions
  /** How many epochs the run has, and whether it has a checkpoint. */
  readonly before: ExistingRun
  readonly output: Output
}

interface Running extends Job {
  readonly stop: Stop
  /** Outputs of frozen layers that workers have computed. */
  readonly featureCache?: FeatureCache | undefined
}

interface Planned extends Running {
  readonly plan: Plan
}

/** Trains, and writes the run folder. */
export async function trainRun(job: Job): Promise<void> {
  const { network, options, output } = job
  await inSession(network.weights, options, output, (engine, stop) =>
    trainOn(engine, { ...job, stop }),
  )
}

async function trainOn(engine: Engine, job: Running): Promise<void> {
  const { dir, data, folder, network, options, output, stop } = job
  describeEngine(output, engine)
  const model = await alexnet(engine, { ...network, seed: job.settings.seed })
  describeNetwork(output, model, network.weights ?? null)
  const choice =
    job.settings.scenario === 'auto'
      ? (job.before.config?.choice ?? (await choose(model, job)))
      : undefined
  if (choice) describeChoice(output, choice)
  const plan = applyScenario(model, scenarioOf(job.settings, choice, data.classes.length))
  describePlan(output, plan, { missing: model.missing, why: !choice })
  if (job.settings.augment)
    output.labeled('augment', describeAugmentation(augmentationOf(job.settings.augment)))
  const settings =
    job.settings.lr === 'find' ? { ...job.settings, lr: await findRate(model, job) } : job.settings
  const started = performance.now()
  const spread = options.queue && !options.rounds
  const featureCache = spread ? await spreadTrain(model, options, { ...job, plan }) : undefined
  const run = new RunWriter(
    folder,
    {
      graft: graftVersion,
      architecture: model.architecture,
      plan,
      ...(choice ? { choice } : {}),
      classes: data.classes,
      pictures: job.images,
      options: { ...settings, ...roundsOf(options), data: recordedPlace(dir) },
      adapter: engine.info.adapter,
    },
    { replace: options.force, timings: await timingsBefore(job, choice) },
  )
  const result = await fitAndKeep(model, { ...job, settings, featureCache, plan }, run)
  const last = result.epochs.at(-1)
  const where = options.rounds && options.store ? ['--store', options.store] : []
  const goOn = nextCommand('train', dir, '--out', folder, '--resume', ...where)
  if (!last)
    throw stop.error(
      result.keptBatches
        ? `stopped in the first epoch: ${counted(result.keptBatches, 'step')} are kept in ` +
            `${folder}; '${goOn}' continues`
        : 'stopped before the first epoch was finished: nothing was written',
    )
  await run.finish(model)
  const seconds = (performance.now() - started) / 1000
  if (result.skipped)
    output.labeled('skipped', `${counted(result.skipped, 'broken image')} left out of training`)
  if (!result.aborted) await judge(model, job)
  report(job, result, plan, seconds)
  if (!result.aborted) return
  throw stop.error(`stopped: epoch ${result.keptEpoch} is kept in ${folder}; '${goOn}' continues`, {
    hasResult: true,
  })
}

/** Learns, and keeps in the run, when `predict` is to say "none of these". */
async function judge(model: Network, { data, folder, output, stop }: Running): Promise<void> {
  const trust = await learnTrust(model, data, {
    signal: stop.signal,
    onRead: (done, total) => output.progress('judging', done, total, `${done} of ${total} images`),
  }).catch((error: unknown) => {
    if (!stop.signal.aborted && !(error instanceof GraftError)) throw error
    const reason = error instanceof GraftError ? error.message : 'stopped'
    output.warn(`predict will not know images of other kinds: ${reason}`)
    return null
  })
  output.endProgress()
  await writeRunTrust(folder, trust)
}

/** The times that the run's timings start with in this session. */
async function timingsBefore(
  { folder, before }: Job,
  choice: Choice | undefined,
): Promise<Partial<Timings>> {
  if (before.resumable) return (await readRunTimings(folder)) ?? {}
  return { choosing: choice?.evidence.seconds ?? 0 }
}

/** Trains, and writes the files of every epoch as soon as it is finished. */
async function fitAndKeep(model: Network, job: Planned, run: RunWriter): Promise<FitResult> {
  const { data, settings, options, output, stop, before, featureCache } = job
  const { epochs } = settings
  const idle = before.epochs >= epochs
  let total = epochs
  const broken = new BrokenClasses(data)
  let header = false
  run.stopwatch.start()
  const onEvent = (event: TrainEvent) => {
    run.stopwatch.note(event)
    output.training(event)
    if (event.type === 'memory') describeMemory(output, event)
    if (event.type === 'skipped') broken.note(event)
    if (event.type !== 'epoch') return
    const { type: _, ...result } = event
    run.epoch(result)
    if (!header) output.lines(['', epochHeader])
    header = true
    output.line(epochLine(event, total))
  }
  const { checkpoints } = run
  if (options.resume && !before.resumable && !options.rounds)
    output.line('there is no checkpoint to continue from: starting over')
  try {
    if (options.rounds) {
      await run.begin()
      const onRounds = (rounds: number) => {
        total = rounds
      }
      return await roundTrain(
        model,
        options,
        { ...job, onRounds },
        { ...fitOptionsOf(settings), signal: stop.signal, onEvent },
      )
    }
    return await fit(model, data, {
      ...fitOptionsOf(settings),
      ...(featureCache ? { featureCache } : {}),
      checkpoint: checkpoints,
      checkpointSeconds: options.checkpointSeconds,
      beforeCheckpoint: () => run.begin(),
      resume: before.resumable,
      signal: stop.signal,
      onEvent,
      onResume: (finished, batches) => {
        resumed(output, run, finished, batches)
        if (idle) output.line(`all ${epochs} epochs are trained already: more with --epochs`)
      },
    })
  } catch (error) {
    output.endProgress()
    if (await run.rescue(model)) {
      const kept = keptEpochOf(run.epochs, fitOptionsOf(settings))
      output.warn(
        `epoch ${kept} of the ${run.epochs.length} finished ones is kept in ${run.folder}`,
      )
    }
    throw error
  } finally {
    output.endProgress()
  }
}

function resumed(
  output: Output,
  run: RunWriter,
  epochs: readonly EpochResult[],
  batches: number,
): void {
  run.resumed(epochs)
  output.event({ type: 'resume', epochs: epochs.length, batches })
  const where = batches
    ? `in epoch ${epochs.length + 1}, after step ${batches}`
    : `after epoch ${epochs.length}`
  output.labeled('resumed', `${where}, from ${run.checkpoints}`)
}

function report(
  { data, folder, settings, options, output }: Job,
  result: FitResult,
  plan: Plan,
  seconds: number,
): void {
  const { epochs, keptEpoch, aborted, stoppedEarly, recovered, skipped } = result
  const last = epochs.at(-1)
  if (!last) return
  const best = epochs.reduce((a, b) => (b.valAccuracy > a.valAccuracy ? b : a))
  const kept = epochs.find(({ epoch }) => epoch === keptEpoch) ?? last
  const { valAccuracy } = kept
  const outcome = {
    valAccuracy,
    keptEpoch: kept.epoch,
    bestValAccuracy: best.valAccuracy,
    bestEpoch: best.epoch,
  }
  output.event({
    type: 'result',
    run: folder,
    aborted,
    stoppedEarly,
    recovered,
    epochs,
    ...outcome,
    skipped,
    seconds,
    plan,
  })
  const sample = data.val.at(0)?.source
  output.line()
  if (stoppedEarly)
    output.labeled('stopped', `early: no better epoch in the last ${settings.patience}`)
  output.labeled('result', keptText(epochs, fitOptionsOf(settings)))
  output.labeled('time', `${duration(seconds)} in all`)
  output.labeled(
    'run',
    `${folder}: the weights of epoch ${kept.epoch}, the figures of every epoch, the options` +
      (options.rounds ? '' : ' and a checkpoint'),
  )
  if (aborted) return
  output.command('next', nextCommand('report', folder))
  output.command(
    '',
    nextCommand('predict', folder, typeof sample === 'string' ? shortPath(sample) : 'IMAGE'),
  )
  output.command('', nextCommand('evaluate', folder))
}
