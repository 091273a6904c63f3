import { DeviceLostError, GraftError, UsageError } from '../base/errors.ts'
import type { ImageDataset } from '../data/dataset.ts'
import type { Network } from '../nn/network.ts'
import { BrokenClasses } from '../train/brokenClasses.ts'
import { chooseScenario } from '../train/chooseScenario.ts'
import type { EpochResult, Skipped } from '../train/events.ts'
import { type FitResult, fit } from '../train/fit.ts'
import type { FitOptions } from '../train/fitOptions.ts'
import { keptEpochOf } from '../train/kept.ts'
import { Stopwatch } from '../train/timings.ts'
import type { Choice } from '../transfer/decide.ts'
import type { FinishedRun } from './downloads.ts'
import { judge } from './judge.ts'
import type { MemoryFeatures } from './memoryFeatures.ts'
import { prepare } from './prepare.ts'
import { Preview } from './preview.ts'
import { fitOptions, pageMessage, runOptions, type Settings } from './settings.ts'
import type { Result, WorkEvent } from './workerApi.ts'

export type Tell = (event: WorkEvent) => void

/** A network that was trained, and all that is known of it. */
export interface Trained {
  readonly model: Network
  readonly run: FinishedRun
}

interface Job {
  readonly model: Network
  readonly data: ImageDataset
  readonly settings: Settings
  /** What 'auto' measured before; null if it has to measure now. */
  readonly measured: Choice | null
  readonly features: MemoryFeatures
  readonly version: string
  readonly signal: AbortSignal
  readonly tell: Tell
}

/** Trains a network as the settings say, and evaluates it. */
export async function trainRun(
  job: Job,
): Promise<{ readonly result: Result; readonly trained: Trained }> {
  const { model, data, settings, signal, tell, version } = job
  const choice = settings.scenario === 'auto' ? (job.measured ?? (await choose(job))) : null
  if (choice) tell({ type: 'choice', choice })
  const prepared = prepare(model, data, settings, choice)
  const { plan } = prepared
  if (!plan) throw new UsageError('auto takes a choice')
  tell({ type: 'prepared', prepared })
  const stopwatch = new Stopwatch({ choosing: choice?.evidence.seconds ?? 0 })
  const broken = new BrokenClasses(data)
  const preview = new Preview(model, data, tell)
  const [epochs, skipped]: [EpochResult[], Skipped[]] = [[], []]
  const onEvent: FitOptions['onEvent'] = (event) => {
    stopwatch.note(event)
    if (event.type === 'epoch') epochs.push(event)
    tell(event)
    if (event.type === 'step' || event.type === 'epoch') preview.step()
    if (event.type !== 'skipped') return
    skipped.push(event)
    broken.note(event)
  }
  const begun = performance.now()
  const options = { ...fitOptions(settings), featureCache: job.features, signal, onEvent }
  const { fitted, problem } = await fitOrRescue(model, data, options, epochs).finally(() =>
    preview.idle(),
  )
  if (epochs.length === 0)
    throw new GraftError('stopped', 'stopped before the first epoch was finished: nothing is kept')
  tell({ type: 'judging' })
  const seconds = (performance.now() - begun) / 1000
  const onPart = (done: number, total: number) => tell({ type: 'part', done, total })
  const { judged, trust } = await judge(model, data, onPart)
  const run: FinishedRun = {
    name: `${data.root}-${plan.scenario}`,
    config: {
      graft: version,
      architecture: model.architecture,
      plan,
      ...(choice ? { choice } : {}),
      classes: data.classes,
      options: runOptions(settings, data.root),
      adapter: model.engine.info.adapter,
    },
    epochs: fitted?.epochs ?? epochs,
    timings: stopwatch.timings,
    weights: await model.stateDict(),
    trust,
  }
  const kept = keptEpochOf(epochs, fitOptions(settings))
  const { keptEpoch = kept, aborted = false, stoppedEarly = false } = fitted ?? {}
  return {
    result: {
      ...judged,
      epochs: run.epochs,
      keptEpoch,
      aborted,
      stoppedEarly,
      problem,
      seconds,
      skipped,
      plan,
      choice,
    },
    trained: { model, run },
  }
}

/** Broken images are reported only once, by the training. */
function choose({ model, data, settings, signal, tell }: Job): Promise<Choice> {
  return chooseScenario(model, data, {
    seed: settings.seed,
    signal,
    onEvent: (event) => event.type === 'read' && tell(event),
  })
}

/** Trains; after an error the weights of the last finished epoch are kept, if there is one. */
async function fitOrRescue(
  model: Network,
  data: ImageDataset,
  options: FitOptions,
  epochs: readonly EpochResult[],
): Promise<{ readonly fitted: FitResult | null; readonly problem: string | null }> {
  try {
    return { fitted: await fit(model, data, options), problem: null }
  } catch (error) {
    if (!(error instanceof GraftError) || error instanceof DeviceLostError || epochs.length === 0)
      throw error
    return { fitted: null, problem: pageMessage(error) }
  }
}
