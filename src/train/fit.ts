import { crossEntropy } from '../autograd/functions.ts'
import { type Augmentation, type AugmentationName, augmentationOf } from '../data/augment.ts'
import type { ImageDataset } from '../data/dataset.ts'
import type { FeatureCache } from '../data/featureCache.ts'
import { DataError, UsageError } from '../gpu/errors.ts'
import type { Network } from '../nn/network.ts'
import { markNonFinite } from '../optim/health.ts'
import type { Optimizer } from '../optim/optimizer.ts'
import { sizeOf } from '../tensor/ndbuffer.ts'
import { Random } from '../tensor/philox.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { type Batch, type BatchSource, openSource, type SeededAugmentation } from './batches.ts'
import { type Checkpoint, readCheckpoint, takeCheckpoint, writeCheckpoint } from './checkpoint.ts'
import { diagnose } from './diagnose.ts'
import { brokenPictures, checkClasses, evaluateSource } from './evaluate.ts'
import type { EpochResult, OnEvent } from './events.ts'
import { countCorrect } from './metrics.ts'
import { makeOptimizer, type OptimizerOptions, optimizers } from './optimizers.ts'

export interface FitOptions extends OptimizerOptions {
  readonly epochs: number
  /** Pictures a step. Default 32. */
  readonly batchSize?: number
  /** Target probability spread over all classes, in 0..1. Default 0. */
  readonly labelSmoothing?: number
  /** How pictures to train on are changed, anew in every epoch: by name ('light', 'standard', 'strong'), or field by field; true for 'standard'. Default false. */
  readonly augment?: boolean | AugmentationName | Augmentation
  /** Keep what frozen layers give, and decoded pictures, from epoch to epoch. Default true. */
  readonly cache?: boolean
  /** Keeps what frozen layers give on disk too, for later runs on the same pictures. */
  readonly featureCache?: FeatureCache
  /** Seeds the order of pictures, augmentation and dropout. Default 0. */
  readonly seed?: number
  /** Whether a broken picture is an error rather than left out. Default false. */
  readonly strict?: boolean
  readonly onEvent?: OnEvent
  /** A folder to write a checkpoint to after every epoch. */
  readonly checkpoint?: string
  /** Go on from the checkpoint in that folder, where there is one. Default false. */
  readonly resume?: boolean
  /** Told which epochs a checkpoint held, when one is gone on from. */
  readonly onResume?: (epochs: readonly EpochResult[]) => void
  /** Aborting stops after the running step and puts the weights back to the end of the last finished epoch. */
  readonly signal?: AbortSignal
  /** Stop after the step in which this much time has passed; the epoch it belongs to is validated as far as it came. */
  readonly maxSeconds?: number
}

export interface FitResult {
  readonly epochs: readonly EpochResult[]
  /** Whether `signal` ended it before the last epoch. */
  readonly aborted: boolean
  /** Training pictures that could not be decoded. */
  readonly skipped: number
  /** Training steps taken, those of an epoch that was cut short included. */
  readonly steps: number
}

/** Steps whose losses may be on their way back while the next one is encoded: enough for the device never to wait. */
const stepsInFlight = 1

/**
 * Trains the parameters whose `trainable` flag is set. Frozen layers in front run once, and their outputs are kept, unless pictures
 * are augmented or `cache` is off. The same seed on the same adapter gives the same bits.
 * @throws UsageError for options that do not fit, or when nothing is trainable
 * @throws NonFiniteError when the loss is NaN or infinite; the weights are those from before that step
 * @example
 * const run = await fit(model, data, { epochs: 40, batchSize: 32, lr: 1e-3 })
 * console.log(run.epochs.at(-1)?.valAccuracy)
 */
export async function fit(model: Network, data: ImageDataset, options: FitOptions): Promise<FitResult> {
  checkOptions(options)
  checkClasses(model, data)
  const {
    epochs,
    batchSize = 32,
    seed = 0,
    augment = false,
    cache = true,
    strict = false,
    onEvent,
    checkpoint,
    resume = false,
    signal,
  } = options
  const optimizer = makeOptimizer(model, options)
  const skippedNames = new Set<string>()
  const noteSkipped: OnEvent = (event) => {
    if (event.type === 'skipped') skippedNames.add(event.name)
    onEvent?.(event)
  }
  let remarked = false
  const remarkOnce = (reason: string) => {
    if (!remarked) onEvent?.({ type: 'remark', message: `features are not kept for later runs: ${reason}` })
    remarked = true
  }
  const open = (split: 'train' | 'val', augment: SeededAugmentation | null): Promise<BatchSource> =>
    openSource(model, data[split], {
      store: cache,
      augment,
      onBroken: brokenPictures(split, noteSkipped, strict),
      onProgress: (done, total) => onEvent?.({ type: 'read', split, done, total }),
      ...(signal ? { signal } : {}),
      ...(options.featureCache ? { features: options.featureCache } : {}),
      onFound: (count) => onEvent?.({ type: 'cached', split, count, total: data[split].length }),
      onRefused: remarkOnce,
    })
  const results: EpochResult[] = []
  const sources: BatchSource[] = []
  let last: Checkpoint | null = null
  let steps = 0
  const health = model.engine.tensor(new Float32Array(1), [1])
  try {
    model.seed = seed
    model.passes = 0
    if (checkpoint && resume) {
      const saved = await readCheckpoint(checkpoint)
      if (saved) {
        await restore(model, optimizer, saved)
        results.push(...saved.epochs)
        options.onResume?.(saved.epochs)
      }
    }
    const deadline = performance.now() + 1000 * (options.maxSeconds ?? Number.POSITIVE_INFINITY)
    last = signal || checkpoint ? await takeCheckpoint(model, optimizer, results) : null
    const train = await open('train', augment ? { augmentation: augmentationOf(augment), seed } : null)
    sources.push(train)
    const val = await open('val', null)
    sources.push(val)
    if (train.count === 0 || val.count === 0) throw new DataError(`${data.root} has no picture that can be decoded`)
    await compileStep(model, train.from, Math.min(batchSize, train.count), (done, total) => onEvent?.({ type: 'compile', done, total }))
    for (let epoch = results.length + 1; epoch <= epochs && !signal?.aborted; epoch++) {
      const begun = performance.now()
      const trained = await trainEpoch({ model, optimizer, source: train, health, epoch, batchSize, seed, deadline, options })
      if (!trained) break
      const validation = await evaluateSource(model, val, data.classes, batchSize, {
        signal,
        what: `training stopped in the validation of epoch ${epoch}`,
      })
      if (signal?.aborted) break
      const result: EpochResult = {
        epoch,
        trainLoss: trained.loss,
        trainAccuracy: trained.accuracy,
        valLoss: validation.loss,
        valAccuracy: validation.accuracy,
        seconds: (performance.now() - begun) / 1000,
      }
      results.push(result)
      steps += trained.steps
      if (last) last = await takeCheckpoint(model, optimizer, results)
      // An epoch that was cut short is no place to go on from to the same bits.
      if (checkpoint && last && !trained.cutShort) await writeCheckpoint(checkpoint, last)
      onEvent?.({ type: 'epoch', ...result })
      if (trained.cutShort || performance.now() >= deadline) break
    }
  } catch (error) {
    if (!signal?.aborted) throw error
  } finally {
    if (signal?.aborted && last) await restore(model, optimizer, last)
    model.classNames = data.classes
    optimizer.zeroGrad()
    optimizer.dispose()
    health.dispose()
    await Promise.all(sources.map((source) => source.close()))
  }
  return { epochs: results, aborted: signal?.aborted ?? false, skipped: skippedNames.size, steps }
}

interface EpochContext {
  readonly model: Network
  readonly optimizer: Optimizer
  readonly source: BatchSource
  /** Set by the device once a loss was not finite; the optimiser then changes nothing more. */
  readonly health: Tensor
  readonly epoch: number
  readonly batchSize: number
  readonly seed: number
  /** When to stop, on the clock of `performance.now`. */
  readonly deadline: number
  readonly options: FitOptions
}

interface TrainedEpoch {
  /** Mean over the pictures seen. */
  readonly loss: number
  readonly accuracy: number
  readonly steps: number
  /** Whether time ended it before its last step. */
  readonly cutShort: boolean
}

/** One pass over the training pictures, or null when it was aborted. At least one step is made. */
async function trainEpoch(context: EpochContext): Promise<TrainedEpoch | null> {
  const { model, source, epoch, batchSize, seed, deadline, options } = context
  const order = Uint32Array.from({ length: source.count }, (_, i) => i)
  new Random(seed, epoch).shuffle(order)
  const steps = Math.ceil(source.count / batchSize)
  const inFlight: StepInFlight[] = []
  const total = { loss: 0, correct: 0, count: 0, step: 0 }
  const finish = async (step: StepInFlight) => {
    const [loss = Number.NaN, logits] = await step.values()
    if (!Number.isFinite(loss))
      throw await diagnose(model, { ...step, from: source.from, what: `training stopped in epoch ${epoch}, step ${total.step + 1}` })
    step.batch.x.dispose()
    const count = step.batch.targets.length
    total.loss += loss * count
    total.correct += countCorrect(logits, step.batch.targets)
    total.count += count
    total.step++
    options.onEvent?.({ type: 'step', epoch, step: total.step, steps, loss, accuracy: total.correct / total.count })
  }
  try {
    for await (const batch of source.batches(order, batchSize, epoch)) {
      if (options.signal?.aborted) {
        batch.x.dispose()
        return null
      }
      inFlight.push(trainStep(context, batch))
      if (performance.now() >= deadline) break
      if (inFlight.length > stepsInFlight) await finish(inFlight[0] as StepInFlight).then(() => inFlight.shift())
    }
    for (let step = inFlight[0]; step; step = inFlight[0]) {
      await finish(step)
      inFlight.shift()
    }
    if (options.signal?.aborted) return null
  } finally {
    for (const { batch } of inFlight) batch.x.dispose()
  }
  return {
    loss: total.loss / total.count,
    accuracy: total.correct / total.count,
    steps: total.step,
    cutShort: total.count < source.count && performance.now() >= deadline,
  }
}

/** Compiles the kernels of forward and backward side by side before the first step would compile them one by one. */
async function compileStep(
  model: Network,
  from: number,
  batchSize: number,
  onProgress: (done: number, total: number) => void,
): Promise<void> {
  const { engine, passes } = model
  const shape = [batchSize, ...(model.shapes()[from] ?? [])]
  await engine.gpu.prepare(() => {
    const x = engine.tensor(new Float32Array(sizeOf(shape)), shape)
    const loss = crossEntropy(model.logits(x, { training: true, from }), new Int32Array(batchSize))
    loss.backward()
    for (const parameter of model.parameters()) parameter.dropGrad()
    for (const tensor of [loss, x]) tensor.dispose()
  }, onProgress)
  model.passes = passes
}

interface StepInFlight {
  readonly batch: Batch
  /** Which training pass it was. */
  readonly pass: number
  /** Loss and logits, once the device has them. */
  readonly values: () => Promise<readonly [number, Float32Array]>
}

/** Encodes one step and hands it over in one submit. */
function trainStep({ model, optimizer, source, health, options }: EpochContext, batch: Batch): StepInFlight {
  const { engine } = model
  const pass = model.passes
  const logits = model.logits(batch.x, { training: true, from: source.from })
  const loss = crossEntropy(logits, batch.targets, { labelSmoothing: options.labelSmoothing ?? 0 })
  const collect = engine.readLater([loss, logits])
  loss.backward()
  markNonFinite(engine.gpu, loss.buffer, health.buffer)
  optimizer.step({ guard: health })
  optimizer.zeroGrad()
  loss.dispose()
  engine.gpu.submit()
  const values = collect().then(([value, row]) => [value?.[0] ?? Number.NaN, row ?? new Float32Array(0)] as const)
  // Errors are met where the values are awaited; until then they must not count as unhandled.
  values.catch(() => {})
  return { batch, pass, values: () => values }
}

async function restore(model: Network, optimizer: Optimizer, saved: Checkpoint): Promise<void> {
  model.loadStateDict(saved.weights, { strict: false })
  optimizer.loadStateDict(saved.optimizer)
  model.passes = saved.passes
}

function checkOptions(options: FitOptions): void {
  const known: Record<keyof FitOptions, true> = {
    epochs: true,
    batchSize: true,
    lr: true,
    optimizer: true,
    momentum: true,
    weightDecay: true,
    labelSmoothing: true,
    augment: true,
    cache: true,
    featureCache: true,
    seed: true,
    strict: true,
    onEvent: true,
    checkpoint: true,
    resume: true,
    onResume: true,
    signal: true,
    maxSeconds: true,
  }
  const unknown = Object.keys(options).filter((key) => !(key in known))
  if (unknown.length) throw new UsageError(`fit has no option ${unknown.join(', ')}; it takes ${Object.keys(known).join(', ')}`)
  const { epochs, batchSize = 1, optimizer = 'adam', seed = 0, resume, checkpoint } = options
  if (!Number.isSafeInteger(epochs) || epochs < 1) throw new UsageError(`epochs is a positive integer, not ${epochs}`)
  if (!Number.isSafeInteger(batchSize) || batchSize < 1) throw new UsageError(`batchSize is a positive integer, not ${batchSize}`)
  if (!Number.isSafeInteger(seed) || seed < 0) throw new UsageError(`seed is an integer of 0 or more, not ${seed}`)
  if (!optimizers.includes(optimizer)) throw new UsageError(`there is no optimizer '${optimizer}'; there are ${optimizers.join(', ')}`)
  if (options.augment) augmentationOf(options.augment)
  if (resume && !checkpoint) throw new UsageError('resume needs checkpoint, the folder to go on from')
}
