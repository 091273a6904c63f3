import { DataError, UsageError, WeightsError } from '../base/errors.ts'
import type { StateDict } from '../base/stateDict.ts'
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
import type { EpochResult, OnEvent } from './events.ts'
import { decisiveOptions, type Settings } from './fitOptions.ts'
import type { SeededAugmentation } from './imageSource.ts'
import { prepareTraining } from './memory.ts'
import { openSource } from './openSource.ts'
import { makeOptimizer } from './optimizers.ts'
import { bestEpoch } from './recipe/bestEpoch.ts'
import { resolveClassWeights } from './recipe/classWeights.ts'
import { layerGroups } from './recipe/layerGroups.ts'
import { RatePlan, type StepRates } from './recipe/rates.ts'
import { planStages, type Stage } from './recipe/stages.ts'

/** Both parts of the data, as a stage reads them. */
export interface Sources {
  readonly train: BatchSource
  readonly val: BatchSource
}

/**
 * One training: the network with everything beside it that steps change, and how to take all of
 * that down and put it back.
 */
export class Session {
  readonly model: Network
  readonly data: ImageDataset
  readonly settings: Settings
  readonly optimizer: Optimizer
  readonly averages: WeightAverage | null
  readonly classWeights: Float32Array | undefined
  readonly skipped = new Set<string>()
  /** Set by the device once a loss was not finite; the optimizer then changes nothing more. */
  health: Tensor
  /** The gradients' norm before clipping, and what they were multiplied by. */
  norm: Tensor
  epochs: readonly EpochResult[] = []
  /** The epoch in progress, after its last whole step. */
  part: EpochPart | null = null
  best: Checkpoint['best'] = null
  readonly #groups: readonly (readonly Parameter[])[]
  readonly #stages: readonly Stage[]
  readonly #rates: RatePlan
  #open: { readonly stage: Stage; readonly sources: Sources } | null = null
  readonly #onBroken: Readonly<Record<'train' | 'val', ReturnType<typeof brokenImages>>>
  readonly #remarks = new Set<string>()
  #fixed: StateDict = {}
  #ready: { readonly stage: Stage; readonly gpu: Gpu } | null = null

  /** @throws UsageError when nothing is trainable, or groups and patterns do not fit the network */
  constructor(model: Network, data: ImageDataset, settings: Settings) {
    this.model = model
    this.data = data
    this.settings = settings
    this.#groups = layerGroups(model, settings.layerGroups)
    this.optimizer = makeOptimizer(
      model,
      settings,
      this.#groups.map((parameters) => ({ parameters })),
    )
    const groups = this.#groups.length
    const needless =
      settings.headEpochs > 0 ? 'headEpochs' : settings.lrSpread > 1 ? 'lrSpread' : null
    if (groups === 1 && needless)
      throw new UsageError(
        `${needless} needs more than one layer group that trains: unfreeze other layers, or leave it out`,
      )
    const {
      epochs,
      headEpochs,
      unfreezeEvery,
      batchSize,
      accumulate,
      schedule,
      lr,
      warmup,
      lrFloor: floor,
      lrSpread: spread,
    } = settings
    this.#stages = planStages({ epochs, headEpochs, unfreezeEvery, groups })
    const steps = Math.ceil(Math.ceil(data.train.length / batchSize) / accumulate)
    this.#rates = new RatePlan({
      epochs,
      headEpochs,
      unfreezeEvery,
      groups,
      schedule,
      lr,
      warmup,
      floor,
      spread,
      steps,
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

  /** What a step is taken with; counted from 0 in its epoch. */
  ratesAt(step: number): StepRates {
    return this.#rates.at(this.epoch, step)
  }

  /**
   * Sets the flags of the epoch's stage, and opens and compiles what it needs, unless all that is
   * done.
   */
  async open(): Promise<Sources> {
    const { model, settings, data } = this
    const stage = this.#stages.find(({ last }) => this.epoch <= last)
    if (!stage) throw new UsageError(`there is no epoch ${this.epoch} of ${settings.epochs}`)
    for (const [i, group] of this.#groups.entries())
      for (const parameter of group) parameter.trainable = i >= this.#groups.length - stage.groups
    this.averages?.track(this.optimizer.parameters)
    if (this.#open?.stage !== stage) {
      await this.#close() // An earlier stage's are not needed again.
      this.#open = { stage, sources: await this.#openSources(stage) }
    }
    const { sources } = this.#open
    if (sources.train.count === 0 || sources.val.count === 0)
      throw new DataError(`${data.root} has no image that can be decoded`)
    const { gpu } = model.engine
    if (this.#ready?.stage !== stage || this.#ready.gpu !== gpu) await this.#prepare(sources.train)
    if (this.#stages.length > 1 && this.#ready?.stage !== stage)
      settings.onEvent?.({ type: 'stage', epoch: this.epoch, trained: this.#trainedNames() })
    this.#ready = { stage, gpu }
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

  async #openSources({ first, last }: Stage): Promise<Sources> {
    const { settings } = this
    const { augment, mixup, cache, seed, signal, featureCache } = settings
    // Features pay from the second epoch on, and only while images stay as they are.
    const store = cache && (last > first || this.#stages.length === 1)
    const open = (
      split: 'train' | 'val',
      augment: SeededAugmentation | null,
    ): Promise<BatchSource> =>
      openSource(this.model, this.data[split], {
        // Images are mixed, not features.
        store: store && (split === 'val' || mixup === undefined || this.model.frozenPrefix === 0),
        augment,
        onBroken: this.#onBroken[split],
        onProgress: (done, total) => settings.onEvent?.({ type: 'read', split, done, total }),
        ...(signal ? { signal } : {}),
        ...(featureCache ? { features: featureCache } : {}),
        onFound: (count) =>
          settings.onEvent?.({ type: 'cached', split, count, total: this.data[split].length }),
        onRefused: (reason) => this.#remarkOnce(`features are not kept for later runs: ${reason}`),
      })
    const train = await open(
      'train',
      augment ? { augmentation: augmentationOf(augment), seed } : null,
    )
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
    const open = this.#open
    this.#open = null
    if (open) await Promise.all([open.sources.train.close(), open.sources.val.close()])
  }

  /** Keeps on the host what never trains, so that another device can be given it. */
  async keepFixed(): Promise<void> {
    const fixed = this.model
      .parameters()
      .filter((parameter) => !this.optimizer.parameters.includes(parameter))
    const values = await this.model.engine.read(fixed.map(({ tensor }) => tensor))
    this.#fixed = Object.fromEntries(
      fixed.map(({ name, shape }, i) => [name, { shape, data: values[i] ?? new Float32Array(0) }]),
    )
  }

  /**
   * Everything that training changes, as of this point of the work. Submits nothing: call the
   * result after `gpu.submit()`, when the epoch's part is known.
   */
  later(): (part: EpochPart | null) => Promise<Checkpoint> {
    const { model, optimizer, averages, epochs, best, settings } = this
    const { parameters } = optimizer
    const weights = model.engine.readLater(parameters.map(({ tensor }) => tensor))
    const [state, average, updates] = [
      optimizer.readLater(),
      averages?.readLater(),
      averages?.updates ?? 0,
    ]
    const { passes } = model
    return async (part) => {
      const values = await weights()
      return {
        ...{
          epochs,
          best,
          part,
          passes: part?.passes ?? passes,
          options: decisiveOptions(settings),
        },
        weights: Object.fromEntries(
          parameters.map(({ name, shape }, i) => [
            name,
            { shape, data: values[i] ?? new Float32Array(0) },
          ]),
        ),
        optimizer: await state(),
        averages: average ? { values: await average(), updates } : null,
      }
    }
  }

  /** Reads the present state back, between two steps. */
  now(): Promise<Checkpoint> {
    const collect = this.later()
    this.model.engine.gpu.submit()
    return collect(this.part)
  }

  /**
   * Notes a finished epoch, and its weights where it is the best so far and the best is kept.
   * @param state as it is now
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

  /** Goes back to a state. @throws WeightsError when it belongs to another network */
  restore(saved: Checkpoint): void {
    const { model, optimizer, averages } = this
    const lacking = optimizer.parameters.filter(({ name }) => !saved.weights[name])
    if (lacking.length)
      throw new WeightsError(
        `the checkpoint lacks ${lacking.map(({ name }) => name).join(', ')}: it belongs to another network`,
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
    for (const parameter of model.parameters()) {
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
   * Gives the network the weights that an epoch's end stands for: the best epoch's, the averaged
   * ones, or as they were.
   */
  deploy({ weights, averages, best }: Checkpoint): void {
    this.model.loadStateDict(
      this.settings.keep === 'best' && best ? best.weights : { ...weights, ...averages?.values },
      { strict: false },
    )
  }

  /** Runs `body` with the averaged weights in the network. */
  async averaged<T>(body: () => Promise<T>): Promise<T> {
    this.averages?.swap()
    try {
      return await body()
    } finally {
      this.averages?.swap()
    }
  }

  /** Frees everything but the network, and makes trainable what was. */
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
