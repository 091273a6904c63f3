import { DataError, UsageError, WeightsError } from '../base/errors.ts'
import { option, optionText } from '../base/optionText.ts'
import { namedArrays, type StateDict } from '../base/stateDict.ts'
import { augmentationOf } from '../data/augment.ts'
import type { ImageDataset } from '../data/dataset.ts'
import type { Gpu } from '../gpu/gpu.ts'
import type { Network } from '../nn/network.ts'
import type { Parameter } from '../nn/parameter.ts'
import { WeightAverage } from '../optim/average.ts'
import type { Optimizer } from '../optim/optimizer.ts'
import type { Tensor } from '../tensor/tensor.ts'
import type { BatchSource } from './batches.ts'
import type { Checkpoint, EpochPart } from './checkpoint.ts'
import { brokenImages } from './evaluate.ts'
import type { Agenda, EpochResult, OnEvent } from './events.ts'
import type { SeededAugmentation } from './imageSource.ts'
import { prepareTraining } from './memory.ts'
import { openSource } from './openSource.ts'
import { makeOptimizer } from './optimizers.ts'
import type { FitSettings } from './options/defaults.ts'
import { decisiveOptions } from './options/resolve.ts'
import { bestEpoch } from './recipe/bestEpoch.ts'
import { resolveClassWeights } from './recipe/classWeights.ts'
import { layerGroups } from './recipe/layerGroups.ts'
import { RatePlan, type StepRates } from './recipe/rates.ts'
import { planStages, type Stage } from './recipe/stages.ts'
import { workBeforeAndFrom } from './work.ts'

/** Both parts of the data, opened for a stage. */
export interface Sources {
  readonly train: BatchSource
  readonly val: BatchSource
}

/**
 * The state of one training: the network and everything else that steps change. It can be read
 * back as a Checkpoint and restored from one. The map of the objects is in fit.ts.
 */
export class Session {
  readonly model: Network
  readonly data: ImageDataset
  readonly settings: FitSettings
  readonly optimizer: Optimizer
  readonly averages: WeightAverage | null
  readonly classWeights: Float32Array | undefined
  readonly skipped = new Set<string>()
  /** f32[1]: set to 1 by the GPU once a loss is not finite; the optimizer then changes nothing. */
  health: Tensor
  /** f32[2]: the norm of the gradients before clipping, and the factor they were scaled by. */
  norm: Tensor
  epochs: readonly EpochResult[] = []
  /** Progress within the current epoch, after its last complete step. */
  part: EpochPart | null = null
  best: Checkpoint['best'] = null
  readonly #groups: readonly (readonly Parameter[])[]
  readonly #stages: readonly Stage[]
  readonly #rates: RatePlan
  /** The sources of the current stage. */
  #open: { readonly stage: Stage; readonly sources: Sources } | null = null
  readonly #onBroken: Readonly<Record<'train' | 'val', ReturnType<typeof brokenImages>>>
  readonly #remarks = new Set<string>()
  /**
   * Values on the host of the parameters that never train, for a device that replaces a lost one.
   */
  #fixed: StateDict = {}
  /** The stage and the device that kernels were compiled for. */
  #compiled: { readonly stage: Stage; readonly gpu: Gpu } | null = null

  /** @throws UsageError when nothing is trainable, or groups and patterns do not fit the network */
  constructor(model: Network, data: ImageDataset, settings: FitSettings) {
    this.model = model
    this.data = data
    this.settings = settings
    this.#groups = layerGroups(model, settings.layerGroups)
    const groups = this.#groups.length
    this.optimizer = makeOptimizer(
      model,
      settings,
      this.#groups.map((parameters) => ({ parameters })),
    )
    const { epochs, headEpochs, unfreezeEvery, lrSpread } = settings
    requireGroups(settings, groups)
    const stages = { epochs, headEpochs, unfreezeEvery, groups }
    this.#stages = planStages(stages)
    const batches = Math.ceil(data.train.length / settings.batchSize)
    this.#rates = new RatePlan({
      ...stages,
      schedule: settings.schedule,
      lr: settings.lr,
      warmup: settings.warmup,
      floor: settings.lrFloor,
      spread: lrSpread,
      steps: Math.ceil(batches / settings.accumulate),
    })
    this.classWeights = settings.classWeights && resolveClassWeights(settings.classWeights, data)
    this.averages = settings.ema === undefined ? null : new WeightAverage([], settings.ema)
    const note: OnEvent = (event) => {
      if (event.type === 'skipped') this.skipped.add(event.name)
      settings.onEvent?.(event)
    }
    this.#onBroken = {
      train: brokenImages('train', note, settings.strict),
      val: brokenImages('val', note, settings.strict),
    }
    const { engine } = model
    this.health = engine.tensor(new Float32Array(1), [1])
    this.norm = engine.tensor(new Float32Array(2), [2])
    model.seed = settings.seed
    model.passes = 0
  }

  /** The number of the epoch in progress. */
  get epoch(): number {
    return this.epochs.length + 1
  }

  /** What is going to be done, from here on. */
  agenda(): Agenda {
    const { model, settings, data, epochs, part } = this
    const { maxSeconds = Number.POSITIVE_INFINITY, patience = null } = settings
    return {
      epochs: settings.epochs,
      done: epochs.length,
      batches: part?.batches ?? 0,
      trainImages: data.train.length,
      valImages: data.val.length,
      batchSize: settings.batchSize,
      maxSeconds: Number.isFinite(maxSeconds) ? maxSeconds : null,
      patience,
      stages: this.#stages.map((stage) => {
        const trained = this.#groups.slice(-stage.groups).flat()
        const work = workBeforeAndFrom(model, trained)
        const stored = this.#stores(stage) && !settings.augment && settings.mixup === undefined
        return { last: stage.last, stored: stored && work.frozenWork > 0, ...work }
      }),
    }
  }

  /** Learning rates and momentum of a step of the current epoch, counted from 0. */
  ratesAt(step: number): StepRates {
    return this.#rates.at(this.epoch, step)
  }

  /**
   * Prepares the current epoch's stage unless that is done: sets `trainable` flags, opens the
   * sources and compiles kernels.
   */
  async open(): Promise<Sources> {
    const { model, settings, data } = this
    const stage = this.#stages.find(({ last }) => this.epoch <= last)
    if (!stage) throw new UsageError(`epoch ${this.epoch} is past the last one, ${settings.epochs}`)
    for (const [i, group] of this.#groups.entries())
      for (const parameter of group) parameter.trainable = i >= this.#groups.length - stage.groups
    this.averages?.track(this.optimizer.parameters)
    if (this.#open?.stage !== stage) {
      await this.#close() // the earlier stage's sources are not needed again
      this.#open = { stage, sources: await this.#openSources(stage) }
    }
    const { sources } = this.#open
    if (sources.train.count === 0 || sources.val.count === 0)
      throw new DataError(`${data.root} has no image that can be decoded`)
    const { gpu } = model.engine
    if (this.#compiled?.stage !== stage || this.#compiled.gpu !== gpu)
      await this.#prepare(sources.train)
    if (this.#stages.length > 1 && this.#compiled?.stage !== stage)
      settings.onEvent?.({ type: 'stage', epoch: this.epoch, trained: this.#trainedNames() })
    this.#compiled = { stage, gpu }
    return sources
  }

  /**
   * Compiles the kernels of training and validation side by side, before the first step would
   * compile them one after the other, and lays out their memory.
   */
  #prepare({ count, from, reads }: BatchSource): Promise<void> {
    const { settings } = this
    const plan = { ...settings, pictures: count, cache: from > 0 || reads, reading: reads }
    return prepareTraining(this.model, plan, (done, total) =>
      settings.onEvent?.({ type: 'compile', done, total }),
    )
  }

  #trainedNames(): string[] {
    return this.optimizer.parameters.filter(({ trainable }) => trainable).map(({ name }) => name)
  }

  /** Whether outputs of frozen layers are stored: if a second epoch reads them. */
  #stores({ first, last }: Stage): boolean {
    return this.settings.cache && (last > first || this.#stages.length === 1)
  }

  async #openSources(stage: Stage): Promise<Sources> {
    const { settings } = this
    const { augment, mixup, seed, signal, featureCache } = settings
    const store = this.#stores(stage)
    const open = (split: 'train' | 'val', augment: SeededAugmentation | null) =>
      openSource(this.model, this.data[split], {
        // Mixup works on images, not on stored features.
        store: store && (split === 'val' || mixup === undefined || this.model.frozenPrefix === 0),
        augment,
        onBroken: this.#onBroken[split],
        onProgress: (done, total) => settings.onEvent?.({ type: 'read', split, done, total }),
        onFound: (count) =>
          settings.onEvent?.({ type: 'cached', split, count, total: this.data[split].length }),
        onRefused: (reason) => this.#remarkOnce(`features are not kept for later runs: ${reason}`),
        ...(signal ? { signal } : {}),
        ...(featureCache ? { features: featureCache } : {}),
      })
    const augmented = augment ? { augmentation: augmentationOf(augment), seed } : null
    const train = await open('train', augmented)
    try {
      return { train, val: await open('val', null) }
    } catch (error) {
      await train.close()
      throw error
    }
  }

  #remarkOnce(message: string): void {
    if (!this.#remarks.has(message)) this.settings.onEvent?.({ type: 'remark', message })
    this.#remarks.add(message)
  }

  async #close(): Promise<void> {
    const sources = this.#open?.sources
    this.#open = null
    await Promise.all([sources?.train.close(), sources?.val.close()])
  }

  /** Reads the parameters that never train back to the host, for `revive`. */
  async readFixed(): Promise<void> {
    const { parameters } = this.optimizer
    const moving: readonly Parameter[] = [...parameters, ...this.model.buffers()]
    const fixed = this.model.state().filter((one) => !moving.includes(one))
    const values = await this.model.engine.read(fixed.map(({ tensor }) => tensor))
    this.#fixed = namedArrays(fixed, values)
  }

  /**
   * Everything that training changes, as of this point of the GPU's work. Submits nothing: call the
   * result after `gpu.submit()`, when the progress within the epoch is known.
   */
  readStateLater(): (part: EpochPart | null) => Promise<Checkpoint> {
    const { model, optimizer, averages, epochs, best, settings } = this
    const changing = [...optimizer.parameters, ...model.buffers()]
    const weights = model.engine.readLater(changing.map(({ tensor }) => tensor))
    const state = optimizer.readLater()
    const average = averages && { values: averages.readLater(), updates: averages.updates }
    const { passes } = model
    return async (part) => ({
      weights: namedArrays(changing, await weights()),
      optimizer: await state(),
      averages: average && { values: await average.values(), updates: average.updates },
      best,
      epochs,
      part,
      passes: part?.passes ?? passes,
      options: decisiveOptions(settings),
    })
  }

  /** Reads the present state back, between two steps. */
  readState(): Promise<Checkpoint> {
    const collect = this.readStateLater()
    this.model.engine.gpu.submit()
    return collect(this.part)
  }

  /**
   * Adds a finished epoch, and keeps its weights if `keep` is 'best' and it is the best so far.
   * @param state the present one
   * @returns the state with the epoch in it
   */
  finishEpoch(result: EpochResult, state: Checkpoint): Checkpoint {
    const { keep, monitor, minDelta } = this.settings
    this.epochs = [...this.epochs, result]
    this.part = null
    if (keep === 'best' && bestEpoch(this.epochs, monitor, minDelta) === result.epoch)
      this.best = { epoch: result.epoch, weights: { ...state.weights, ...state.averages?.values } }
    return { ...state, epochs: this.epochs, part: null, best: this.best }
  }

  /** Returns to an earlier state. @throws WeightsError if it belongs to another network */
  restore(saved: Checkpoint): void {
    const { model, optimizer, averages } = this
    const lacking = optimizer.parameters.filter(({ name }) => !saved.weights[name])
    if (lacking.length)
      throw new WeightsError(
        `the checkpoint lacks ${lacking.map(({ name }) => name).join(', ')}: ` +
          'it belongs to another network',
      )
    model.loadStateDict(saved.weights, { strict: false })
    optimizer.zeroGrad()
    optimizer.loadStateDict(saved.optimizer)
    if (averages && saved.averages)
      averages.load(optimizer.parameters, saved.averages.values, saved.averages.updates)
    this.epochs = saved.epochs
    this.part = saved.part
    this.best = saved.best
    model.passes = saved.passes
  }

  /** `restore` on a device that replaced a lost one. */
  revive(saved: Checkpoint): void {
    const { model } = this
    for (const parameter of model.state()) {
      const values = saved.weights[parameter.name] ?? this.#fixed[parameter.name]
      if (values) parameter.revive(values.data)
    }
    this.health.dispose()
    this.norm.dispose()
    this.health = model.engine.tensor(new Float32Array(1), [1])
    this.norm = model.engine.tensor(new Float32Array(2), [2])
    this.restore(saved)
  }

  /**
   * Loads the weights that training results in into the network: those of the best epoch, the
   * averaged ones, or the last ones.
   */
  deploy({ weights, averages, best }: Checkpoint): void {
    this.model.loadStateDict(
      this.settings.keep === 'best' && best ? best.weights : { ...weights, ...averages?.values },
      { strict: false },
    )
  }

  /** Runs `body` with the averaged weights in the network, if weights are averaged. */
  async withAveragedWeights<T>(body: () => Promise<T>): Promise<T> {
    this.averages?.swap()
    try {
      return await body()
    } finally {
      this.averages?.swap()
    }
  }

  /** Frees everything but the network; what was trainable before is so again. */
  async dispose(): Promise<void> {
    for (const parameter of this.optimizer.parameters) parameter.trainable = true
    this.optimizer.zeroGrad()
    this.optimizer.dispose()
    this.averages?.dispose()
    this.health.dispose()
    this.norm.dispose()
    await this.#close()
  }
}

/** @throws UsageError for options that need more groups of layers that train than there are */
function requireGroups({ headEpochs, lrSpread, unfreezeEvery }: FitSettings, groups: number): void {
  const needless = headEpochs > 0 ? 'headEpochs' : lrSpread > 1 ? 'lrSpread' : null
  if (groups === 1 && needless)
    throw new UsageError(
      optionText`${option(needless)} needs more than one layer group that trains: unfreeze other
        layers, or leave it out`,
    )
  if (groups === 2 && unfreezeEvery > 0)
    throw new UsageError(
      optionText`${option('unfreezeEvery')} needs more than two layer groups that train: leave it
        out`,
    )
}
