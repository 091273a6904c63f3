import { at } from '../base/at.ts'
import { DeviceLostError, GraftError, UsageError, WeightsError } from '../base/errors.ts'
import { wilson } from '../base/interval.ts'
import type { LoadOptions } from '../base/stateDict.ts'
import type { ImageDataset } from '../data/dataset.ts'
import { filesDataset, type PlacedFile } from '../data/filesDataset.ts'
import { ignoring } from '../data/split.ts'
import { alexnet, variants } from '../nn/alexnet.ts'
import type { Network } from '../nn/network.ts'
import { classFigures, confusionOf, lossOf, topLossOf, worstOf } from '../report/statistics.ts'
import type { Engine, EngineInfo } from '../tensor/tensor.ts'
import { BrokenClasses } from '../train/brokenClasses.ts'
import { chooseScenario } from '../train/chooseScenario.ts'
import { type Prediction, predict } from '../train/evaluate.ts'
import type { EpochResult, Skipped } from '../train/events.ts'
import { findLearningRate, suggestedRate } from '../train/findLearningRate.ts'
import { type FitResult, fit } from '../train/fit.ts'
import { keptEpochOf } from '../train/kept.ts'
import { shippedWeights } from '../train/options/setup.ts'
import { outcomesOf } from '../train/outcomes.ts'
import { Stopwatch } from '../train/timings.ts'
import type { Choice } from '../transfer/decide.ts'
import type { WeightsFile } from '../weights/safetensors.ts'
import { type FinishedRun, fileOf } from './downloads.ts'
import { prepare } from './prepare.ts'
import {
  fitOptions,
  loadOptions,
  pageMessage,
  rateOptions,
  runOptions,
  type Settings,
} from './settings.ts'
import type { Download, Prepared, Result, WorkEvent } from './workerApi.ts'

type Tell = (event: WorkEvent) => void
type LoadWeights = (source: string | File, options: LoadOptions) => Promise<WeightsFile>

/** How many of the images with the largest losses are shown. */
const shownLosses = 6

/**
 * The work of the page's worker: it holds one engine, one dataset, and the network that was trained
 * last. Calls run one after another, except for `stop`.
 */
export class Trainer {
  readonly #createEngine: () => Promise<Engine>
  readonly #loadWeights: LoadWeights
  readonly #version: string
  #engine: Engine | null = null
  #data: ImageDataset | null = null
  #read: (LoadOptions & { readonly source: string | File; readonly file: WeightsFile }) | null =
    null
  #trained: { readonly model: Network; readonly run: FinishedRun } | null = null
  #stop: AbortController | null = null
  #last: Promise<unknown> = Promise.resolve()

  constructor(createEngine: () => Promise<Engine>, loadWeights: LoadWeights, version: string) {
    this.#createEngine = createEngine
    this.#loadWeights = loadWeights
    this.#version = version
  }

  /** Opens the GPU. */
  open(): Promise<EngineInfo> {
    return this.#alone(async () => {
      this.#engine = await this.#createEngine()
      return this.#engine.info
    })
  }

  /** Takes the images to work on. */
  use(
    files: readonly PlacedFile[],
    options: { readonly root: string; readonly split: number; readonly seed: number },
  ): Promise<void> {
    return this.#alone(async () => {
      this.#data = filesDataset(files, ignoring(options, ['split', 'seed']))
    })
  }

  /** Shows what these settings will do to the network. */
  prepare(settings: Settings, choice: Choice | null): Promise<Prepared> {
    return this.#onNetwork(settings, async (model, data) => prepare(model, data, settings, choice))
  }

  /** Measures which scenario suits the images. */
  choose(settings: Settings, tell: Tell): Promise<Choice> {
    return this.#stoppable((signal) =>
      this.#onNetwork(settings, (model, data) =>
        chooseScenario(model, data, { seed: settings.seed, signal, onEvent: tell }),
      ),
    )
  }

  /** Tries a hundred learning rates, and returns the suggested one, to two digits. */
  findRate(settings: Settings, choice: Choice | null, tell: Tell): Promise<number> {
    return this.#stoppable((signal) =>
      this.#onNetwork(settings, async (model, data) => {
        prepare(model, data, settings, choice)
        const options = { ...rateOptions(settings), signal, onEvent: tell }
        return suggestedRate(await findLearningRate(model, data, options))
      }),
    )
  }

  /** Trains, and evaluates the result, which replaces the network that was trained before. */
  train(settings: Settings, measured: Choice | null, tell: Tell): Promise<Result> {
    return this.#stoppable((signal) =>
      this.#alone(async (engine, data) => {
        this.#trained?.model.dispose()
        this.#trained = null
        const model = await this.#build(engine, settings)
        try {
          const { result, run } = await this.#trainOn(model, data, settings, measured, signal, tell)
          this.#trained = { model, run }
          return result
        } catch (error) {
          model.dispose()
          throw error
        }
      }),
    )
  }

  /** Ends what `choose`, `findRate` or `train` is doing; the last finished epoch is kept. */
  stop(): void {
    this.#stop?.abort()
  }

  /** Classifies an image with the trained network. */
  classify(image: File): Promise<Prediction> {
    return this.#alone(async () => {
      const [prediction] = await predict(this.#requireTrained().model, [image])
      if (!prediction) throw new UsageError('there is no image')
      return prediction
    })
  }

  /** The trained network as a file. */
  download(format: Download): Promise<{ readonly name: string; readonly blob: Blob }> {
    return this.#alone(() => {
      const { model, run } = this.#requireTrained()
      return fileOf(format, model, run)
    })
  }

  /** Runs work on a new network, and disposes of the network afterwards. */
  #onNetwork<T>(
    settings: Settings,
    work: (model: Network, data: ImageDataset) => Promise<T>,
  ): Promise<T> {
    return this.#alone(async (engine, data) => {
      const model = await this.#build(engine, settings)
      try {
        return await work(model, data)
      } finally {
        model.dispose()
      }
    })
  }

  async #build(engine: Engine, settings: Settings): Promise<Network> {
    const { start, file, variant, seed } = settings
    if (start === 'random') return alexnet(engine, { variant: variant ?? 'alexnet-64', seed })
    const source = start === 'file' ? file : shippedWeights
    if (!source) throw new UsageError('choose a file of weights first')
    const where = loadOptions(settings)
    const known = this.#read
    const isSame =
      known?.source === source &&
      known.weightsKey === where.weightsKey &&
      known.weightsPrefix === where.weightsPrefix
    const read = isSame ? known.file : await this.#loadWeights(source, where)
    this.#read = { source, ...where, file: read }
    const { tensors, metadata, remarks = [] } = read
    const own =
      start === 'shipped'
        ? 'alexnet-64'
        : (variant ?? variants.find((name) => name === metadata.architecture))
    try {
      const model = await alexnet(engine, {
        weights: tensors,
        seed,
        ...(own ? { variant: own } : {}),
      })
      model.remarks = [...remarks, ...model.remarks]
      return model
    } catch (cause) {
      if (!(cause instanceof WeightsError) || typeof source === 'string') throw cause
      throw new WeightsError(cause.after(`${source.name}: `), { cause })
    }
  }

  async #trainOn(
    model: Network,
    data: ImageDataset,
    settings: Settings,
    measured: Choice | null,
    signal: AbortSignal,
    tell: Tell,
  ): Promise<{ readonly result: Result; readonly run: FinishedRun }> {
    const auto = settings.scenario === 'auto'
    // Broken images are reported only once, by the training.
    const probing: Tell = (event) => event.type === 'read' && tell(event)
    const choice = auto
      ? (measured ??
        (await chooseScenario(model, data, { seed: settings.seed, signal, onEvent: probing })))
      : null
    if (choice) tell({ type: 'choice', choice })
    const prepared = prepare(model, data, settings, choice)
    const { plan } = prepared
    if (!plan) throw new UsageError('auto takes a choice')
    tell({ type: 'prepared', prepared })
    const stopwatch = new Stopwatch({ choosing: choice?.evidence.seconds ?? 0 })
    const broken = new BrokenClasses(data)
    const [epochs, skipped]: [EpochResult[], Skipped[]] = [[], []]
    const onEvent: Tell = (event) => {
      if (event.type === 'choice' || event.type === 'prepared' || event.type === 'judging') return
      stopwatch.note(event)
      if (event.type === 'epoch') epochs.push(event)
      tell(event)
      if (event.type !== 'skipped') return
      skipped.push(event)
      broken.note(event)
    }
    const begun = performance.now()
    const { fitted, problem } = await fitOrRescue(
      model,
      data,
      { settings, signal, onEvent },
      epochs,
    )
    if (epochs.length === 0)
      throw new GraftError(
        'stopped',
        'stopped before the first epoch was finished: nothing is kept',
      )
    tell({ type: 'judging' })
    const seconds = (performance.now() - begun) / 1000
    const judged = await this.#judge(model, data)
    const run: FinishedRun = {
      name: `${data.root}-${plan.scenario}`,
      config: {
        graft: this.#version,
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
      },
      run,
    }
  }

  async #judge(model: Network, data: ImageDataset) {
    const { classes } = data
    const outcomes = await outcomesOf(model, data)
    const confusion = confusionOf(outcomes, classes.length)
    const hits = confusion.reduce((sum, row, c) => sum + at(row, c), 0)
    return {
      classes,
      confusion,
      perClass: classFigures(classes, confusion),
      accuracy: wilson(hits, outcomes.length),
      loss: outcomes.reduce((sum, outcome) => sum + lossOf(outcome), 0) / outcomes.length,
      topLosses: worstOf(outcomes, shownLosses).map((outcome) => topLossOf(outcome, classes)),
    }
  }

  #requireTrained() {
    if (!this.#trained) throw new UsageError('nothing is trained yet')
    return this.#trained
  }

  /** Runs work that `stop` can end. */
  async #stoppable<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const controller = new AbortController()
    this.#stop = controller
    try {
      return await work(controller.signal)
    } catch (error) {
      if (controller.signal.aborted && !(error instanceof Error && error.name === 'stopped'))
        throw named('stopped', 'stopped: nothing is kept')
      throw error
    } finally {
      this.#stop = null
    }
  }

  /**
   * Runs one piece of work after the ones before it. Errors reach the page with their code as their
   * name: their class is lost between worker and page.
   */
  #alone<T>(work: (engine: Engine, data: ImageDataset) => Promise<T>): Promise<T> {
    const mine = this.#last.then(async () => {
      try {
        await this.#revive()
        // The page calls nothing that needs the engine or images before they are there.
        return await work(this.#engine as Engine, this.#data as ImageDataset)
      } catch (error) {
        if (error instanceof GraftError) throw named(error.code, pageMessage(error))
        throw error
      }
    })
    this.#last = mine.catch(() => {})
    return mine
  }

  /** Opens another device if one was lost between two calls. */
  async #revive(): Promise<void> {
    if (!this.#engine?.gpu.lost) return
    await this.#engine.reopen()
    if (!this.#trained) return
    const { model, run } = this.#trained
    for (const parameter of model.parameters()) {
      const kept = run.weights[parameter.name]
      if (kept) parameter.revive(kept.data)
    }
  }
}

/** Trains; after an error the weights of the last finished epoch are kept, if there is one. */
async function fitOrRescue(
  model: Network,
  data: ImageDataset,
  {
    settings,
    signal,
    onEvent,
  }: { readonly settings: Settings; readonly signal: AbortSignal; readonly onEvent: Tell },
  epochs: readonly EpochResult[],
): Promise<{ readonly fitted: FitResult | null; readonly problem: string | null }> {
  try {
    return {
      fitted: await fit(model, data, { ...fitOptions(settings), signal, onEvent }),
      problem: null,
    }
  } catch (error) {
    if (!(error instanceof GraftError) || error instanceof DeviceLostError || epochs.length === 0)
      throw error
    return { fitted: null, problem: pageMessage(error) }
  }
}

function named(name: string, message: string): Error {
  return Object.assign(new Error(message), { name })
}
