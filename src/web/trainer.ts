import { GraftError, UsageError, WeightsError } from '../base/errors.ts'
import type { LoadOptions } from '../base/stateDict.ts'
import { type ImageDataset, withClassesOf } from '../data/dataset.ts'
import { alexnet, variants } from '../nn/alexnet.ts'
import type { Network } from '../nn/network.ts'
import type { Engine, EngineInfo } from '../tensor/tensor.ts'
import { chooseScenario } from '../train/chooseScenario.ts'
import { type Comparison, compareScenarios } from '../train/compareScenarios.ts'
import { findLearningRate, suggestedRate } from '../train/findLearningRate.ts'
import { keptEpochOf } from '../train/kept.ts'
import { shippedWeights } from '../train/options/setup.ts'
import { networkOfRun } from '../train/runConfig.ts'
import type { Choice } from '../transfer/decide.ts'
import type { WeightsFile } from '../weights/safetensors.ts'
import { fileOf } from './downloads.ts'
import { answersOf, heatMapOf, inspectionOf } from './explore.ts'
import { judge } from './judge.ts'
import { MemoryFeatures } from './memoryFeatures.ts'
import { prepare } from './prepare.ts'
import { classesChanged, datasetOf, type Project } from './project.ts'
import { openProject, projectArchive } from './projectFile.ts'
import { loadOptions, pageMessage, rateOptions, type Settings } from './settings.ts'
import { type Tell, type Trained, trainRun } from './trainRun.ts'
import type { Answer, Download, HeatMap, Opened, Prepared, Result } from './workerApi.ts'

type LoadWeights = (source: string | File, options: LoadOptions) => Promise<WeightsFile>

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
  #trained: Trained | null = null
  readonly #features = new MemoryFeatures()
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
  use(project: Project, options: { readonly split: number; readonly seed: number }): Promise<void> {
    return this.#alone(async () => {
      this.#data = datasetOf(project, options)
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
        this.#forget()
        const model = await this.#build(engine, settings)
        try {
          const features = this.#features
          const job = { model, data, settings, measured, features, signal, tell }
          const { result, trained } = await trainRun({ ...job, version: this.#version })
          this.#trained = trained
          return result
        } catch (error) {
          model.dispose()
          throw error
        }
      }),
    )
  }

  /** Trains in all four ways, each as many epochs as the settings say, and keeps none. */
  compare(settings: Settings, tell: Tell): Promise<Comparison> {
    return this.#stoppable((signal) =>
      this.#alone((engine, data) => {
        const { epochs, batchSize, seed } = settings
        let of = ''
        return compareScenarios(() => this.#build(engine, settings), data, {
          epochs,
          batchSize,
          seed,
          signal,
          onEvent: (scenario, event) => {
            if (scenario !== of) tell({ type: 'contestant', scenario })
            of = scenario
            tell(event)
          },
        })
      }),
    )
  }

  /** Ends what `choose`, `findRate` or `train` is doing; the last finished epoch is kept. */
  stop(): void {
    this.#stop?.abort()
  }

  /** Classifies images with the trained network. */
  classify(images: readonly File[], tell: Tell): Promise<Answer[]> {
    return this.#alone(() =>
      answersOf(this.#requireTrained(), images, (done) =>
        tell({ type: 'part', done, total: images.length }),
      ),
    )
  }

  /** Where the answer to an image comes from. */
  heatMap(image: File): Promise<HeatMap> {
    return this.#alone(() => heatMapOf(this.#requireTrained(), image))
  }

  /** A training step on an image, recorded, as the inspector's page reads it. */
  inspect(image: File, tell: Tell): Promise<string> {
    return this.#alone(() =>
      inspectionOf(this.#requireTrained(), image, (done, total) =>
        tell({ type: 'part', done, total }),
      ),
    )
  }

  /** Images and network as one file, which `open` of the page takes. */
  save(project: Project): Promise<Blob> {
    return this.#alone(() => projectArchive(project, this.#trained))
  }

  /** Opens a saved project; its network replaces the one that was trained before. */
  load(file: File, options: { readonly split: number; readonly seed: number }): Promise<Opened> {
    return this.#alone(async (engine) => {
      const { project, run } = await openProject(file)
      this.#forget()
      if (!run) return { project, result: null, problem: null }
      const { config, epochs, timings } = run
      const problem = classesChanged(project, config.classes)
      if (problem) return { project, result: null, problem }
      const model = await networkOfRun(engine, config, run.weights.tensors, 'run')
      model.classNames = config.classes
      try {
        const opened = datasetOf(project, options)
        const data = withClassesOf(opened, config.classes, 'the network', 'network')
        const { judged, trust } = await judge(model, data, () => {})
        const weights = await model.stateDict()
        const name = `${data.root}-${config.plan.scenario}`
        this.#trained = { model, run: { name, config, epochs, timings, weights, trust } }
        const kept = { keptEpoch: keptEpochOf(epochs), aborted: false, stoppedEarly: false }
        const { plan, choice = null } = config
        const { reading, compiling, training, validating } = timings
        const seconds = reading + compiling + training + validating
        const result = { ...judged, ...kept, epochs, problem: null, seconds, skipped: [] }
        return { project, result: { ...result, plan, choice }, problem }
      } catch (error) {
        model.dispose()
        throw error
      }
    })
  }

  /** Calls the classes that the network knows by other names, in the order of its outputs. */
  rename(classes: readonly string[]): void {
    if (!this.#trained) return
    const { model, run } = this.#trained
    model.classNames = classes
    this.#trained = { model, run: { ...run, config: { ...run.config, classes } } }
  }

  /** The trained network as a file. */
  download(format: Download): Promise<{ readonly name: string; readonly blob: Blob }> {
    return this.#alone(() => {
      const { model, run } = this.#requireTrained()
      return fileOf(format, model, run)
    })
  }

  #forget(): void {
    this.#trained?.model.dispose()
    this.#trained = null
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
    for (const parameter of model.state()) {
      const kept = run.weights[parameter.name]
      if (kept) parameter.revive(kept.data)
    }
  }
}

function named(name: string, message: string): Error {
  return Object.assign(new Error(message), { name })
}
