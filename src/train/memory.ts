import { crossEntropy } from '../autograd/functions.ts'
import { at } from '../base/at.ts'
import { OutOfMemoryError, ShapeError } from '../base/errors.ts'
import { checkOptions } from '../base/options.ts'
import type { Network } from '../nn/network.ts'
import { WeightAverage } from '../optim/average.ts'
import { markNonFinite } from '../optim/health.ts'
import { allocate, type Shape, sizeOf } from '../tensor/ndbuffer.ts'
import { Tensor } from '../tensor/tensor.ts'
import type { OptimizerOptions } from './fitOptions.ts'
import { readingWork } from './frozenRows.ts'
import type { MemoryPlan } from './memoryPlan.ts'
import { makeOptimizer } from './optimizers.ts'
import type { FitSettings } from './options/defaults.ts'
import { fillOptions } from './options/resolve.ts'

/** The training that `planMemory` plans for: options as for `fit`. */
export interface MemoryPlanOptions extends OptimizerOptions {
  /** Images in a batch. Default 32. */
  readonly batchSize?: number
  /** Number of training images: a batch cannot be larger. Default: any number. */
  readonly pictures?: number
  /** If set, an average of the weights takes memory too. */
  readonly ema?: number
  /** If above 1, gradients are held from batch to batch. */
  readonly accumulate?: number
  /** Whether the outputs of frozen layers are computed once and kept on the host. Default true. */
  readonly cache?: boolean
  /**
   * Whether images go through the frozen layers between steps, as in a run's first epoch. Default:
   * true if their outputs are kept.
   */
  readonly reading?: boolean
  /**
   * Bytes that may be held in total. Default: those held now plus the adapter's free memory, if
   * known.
   */
  readonly limitBytes?: number
}

/** `MemoryPlanOptions` with the defaults of `fit`. */
export type MemorySettings = FitSettings &
  Pick<MemoryPlanOptions, 'pictures' | 'reading' | 'limitBytes'>

/** Steps that are rehearsed: the first one allocates the optimizer's state, later ones meet it. */
const steps = 3

const optionNames = [
  'batchSize',
  'pictures',
  'ema',
  'accumulate',
  'cache',
  'reading',
  'limitBytes',
  'optimizer',
  'lr',
  'momentum',
  'weightDecay',
] as const

/**
 * Computes the GPU memory that training takes, by rehearsing some steps without running them: with
 * the same operators and the same buffers.
 * @param model with the `trainable` flags of the training; it is not changed
 * @throws UsageError when nothing is trainable, or the optimizer does not take an option
 * @example
 * const plan = planMemory(model, { batchSize: 64, optimizer: 'adam' })
 * console.log(plan.peakBytes, plan.problem, plan.largestBatchSize)
 */
export function planMemory(model: Network, options: MemoryPlanOptions = {}): MemoryPlan {
  checkOptions('planMemory', options, optionNames)
  const { pictures, reading, limitBytes, ...ofTraining } = options
  return plan(model, { pictures, reading, limitBytes, ...fillOptions(ofTraining) })
}

/** `planMemory` for checked options. */
function plan(model: Network, options: MemorySettings): MemoryPlan {
  const { batchSize } = options
  const { engine } = model
  const free = engine.freeBytes()
  const limitBytes = options.limitBytes ?? (free === null ? null : engine.memory().liveBytes + free)
  const fitting = rehearse(model, batchSize, options, limitBytes)
  const trained = model.parameters().filter((parameter) => parameter.trainable)
  const bytes = (parameters: readonly { readonly shape: Shape }[]) =>
    parameters.reduce((sum, { shape }) => sum + 4 * sizeOf(shape), 0)
  return {
    batchSize,
    ...fitting,
    parameterBytes: bytes(model.state()),
    gradientBytes: bytes(trained),
    optimizerBytes: makeOptimizer(model, options).stateSlots * bytes(trained),
    limitBytes,
    largestBatchSize: fitting.problem
      ? largest(model, options, limitBytes, batchSize - 1)
      : batchSize,
  }
}

/**
 * Refuses training that cannot fit, before it starts.
 * @throws OutOfMemoryError naming a batch size that fits
 */
export function requireMemory(model: Network, options: MemorySettings): MemoryPlan {
  const planned = plan(model, options)
  if (!planned.problem) return planned
  const smaller = options.optimizer === 'sgd' ? '' : ' take sgd as the optimizer,'
  const remedy = planned.largestBatchSize
    ? `a batch size of ${planned.largestBatchSize} fits`
    : `not even a batch size of 1 fits: freeze layers,${smaller} or use another adapter`
  throw new OutOfMemoryError(
    `training with a batch size of ${planned.batchSize} ${planned.problem}; ${remedy}`,
  )
}

/**
 * Compiles the kernels of training and validation side by side, and lays out their memory. To be
 * called just before training.
 * @param onProgress called with how many kernels are compiled, out of how many are missing
 */
export async function prepareTraining(
  model: Network,
  options: MemorySettings,
  onProgress: (done: number, total: number) => void,
): Promise<void> {
  // Makes initial values now: if made later, they would have no place in the layout.
  for (const parameter of model.state()) void parameter.tensor
  await model.engine.gpu.prepare(
    unchanged(model, trainingWork(model, options.batchSize, options)),
    onProgress,
  )
}

/** Rehearses training: the memory it takes, and why it cannot fit. */
function rehearse(
  model: Network,
  batchSize: number,
  options: MemorySettings,
  limit: number | null,
): Pick<MemoryPlan, 'peakBytes' | 'problem'> {
  try {
    const body = unchanged(model, trainingWork(model, batchSize, options))
    // The second rehearsal uses the first one's layout, as `prepareTraining` does.
    const { peakBytes } = model.engine.gpu.rehearse(body, model.engine.gpu.rehearse(body).layout)
    const problem =
      limit !== null && peakBytes > limit
        ? `takes ${mib(peakBytes)} of memory, and there are ${mib(limit)}`
        : null
    return { peakBytes, problem }
  } catch (error) {
    if (error instanceof ShapeError)
      return { peakBytes: null, problem: `cannot run (${error.message.split(';')[0]})` }
    throw error
  }
}

/** The largest batch size up to `max` that fits. */
function largest(
  model: Network,
  options: MemorySettings,
  limit: number | null,
  max: number,
): number {
  let [fits, fails] = [0, max + 1]
  while (fails - fits > 1) {
    const middle = Math.floor((fits + fails) / 2)
    if (rehearse(model, middle, options, limit).problem) fails = middle
    else fits = middle
  }
  return fits
}

/** What some steps and one batch of the validation do on the device, for a rehearsal. */
function trainingWork(model: Network, batchSize: number, options: MemorySettings): () => void {
  const { engine } = model
  const {
    cache,
    reading = true,
    pictures: images = Number.POSITIVE_INFINITY,
    ema,
    accumulate,
  } = options
  const from = cache ? model.frozenPrefix : 0
  const rows = Math.min(batchSize, images)
  const input = () => new Tensor(engine, allocate(engine.gpu, [rows, ...at(model.shapes(), from)]))
  return () => {
    const readAhead = cache && reading ? readingWork(model, from) : null
    const optimizer = makeOptimizer(model, options)
    const averages = ema === undefined ? null : new WeightAverage(model.parameters(), ema)
    const health = new Tensor(engine, allocate(engine.gpu, [1]))
    for (let step = 0; step < steps; step++) {
      const x = input()
      const logits = model.logits(x, { training: true, from })
      const loss = crossEntropy(logits, new Int32Array(rows))
      loss.backward()
      markNonFinite(engine.gpu, loss.buffer, health.buffer)
      loss.dispose()
      if (accumulate === 1 || step > 0) {
        optimizer.step({ guard: health })
        optimizer.zeroGrad()
        averages?.update()
      }
      engine.gpu.submit()
      x.dispose()
    }
    const x = input()
    const logits = engine.noGrad(() => model.logits(x, { from }))
    const loss = engine.noGrad(() => crossEntropy(logits, new Int32Array(rows)))
    for (const tensor of [loss, logits, x]) tensor.dispose()
    readAhead?.()
  }
}

/** Runs `body` and restores the model's parameters and gradients after it. */
function unchanged(model: Network, body: () => void): () => void {
  const { engine, passes } = model
  return () => {
    const restore = model
      .state()
      .map((parameter) =>
        parameter.suppose((shape) => new Tensor(engine, allocate(engine.gpu, shape))),
      )
    try {
      body()
    } finally {
      for (const one of restore) one()
      model.passes = passes
    }
  }
}

function mib(bytes: number): string {
  return `${Math.ceil(bytes / 2 ** 20)} MiB`
}
