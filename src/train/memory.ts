import { crossEntropy } from '../autograd/functions.ts'
import { OutOfMemoryError, ShapeError, UsageError } from '../base/errors.ts'
import { checkOptions } from '../base/options.ts'
import type { Network } from '../nn/network.ts'
import { WeightAverage } from '../optim/average.ts'
import { markNonFinite } from '../optim/health.ts'
import { allocate, type Shape, sizeOf } from '../tensor/ndbuffer.ts'
import { Tensor } from '../tensor/tensor.ts'
import { makeOptimizer, type OptimizerOptions } from './optimizers.ts'
import { readingWork } from './storedSource.ts'

/** The training that `planMemory` plans for. */
export interface MemoryPlanOptions extends OptimizerOptions {
  /** Images a step. Default 32. */
  readonly batchSize?: number
  /** How many there are to train on: where they are fewer than a batch, it is them. */
  readonly pictures?: number
  /** As for `fit`: averages of the weights are held beside them. */
  readonly ema?: number
  /** As for `fit`: gradients are held from batch to batch. */
  readonly accumulate?: number
  /**
   * Whether what frozen layers give is computed once and kept on the host, as `fit` does. Default
   * true.
   */
  readonly cache?: boolean
  /**
   * Whether images still go through frozen layers in front beside the steps, as in a run's first
   * epoch. Default: where their outputs are kept.
   */
  readonly reading?: boolean
  /**
   * Bytes that may be held in all. Default: those held now and those the adapter has free, where it
   * says.
   */
  readonly limitBytes?: number
}

/** What training will hold on the GPU, known before anything is allocated. */
export interface MemoryPlan {
  readonly batchSize: number
  /**
   * The most held at once, in bytes, what is held already included. Null where a launch would bind
   * or allocate more than the adapter can.
   */
  readonly peakBytes: number | null
  /** Every parameter's values. */
  readonly parameterBytes: number
  /** The gradients of those that train. */
  readonly gradientBytes: number
  /** What the optimizer keeps for them. */
  readonly optimizerBytes: number
  /** What may be held in all, where the adapter says; null on a GPU. */
  readonly limitBytes: number | null
  /** Why it cannot fit, else null. */
  readonly problem: string | null
  /** The largest batch size, up to this one, that fits; 0 where not even a single image does. */
  readonly largestBatchSize: number
}

/**
 * Steps that are gone through: the optimizer's state comes with the first, and the second meets all
 * of it.
 */
const steps = 3

/**
 * The GPU memory that training takes, by going through its steps without a device: the same
 * operators, the same buffers.
 * @param model with its `trainable` flags as they will be; nothing of it changes
 * @throws UsageError when nothing trains, or an option is not the optimizer's
 * @example
 * const { peakBytes, problem, largestBatchSize } = planMemory(model, { batchSize: 64, optimizer:
 * 'adam' })
 */
export function planMemory(model: Network, options: MemoryPlanOptions = {}): MemoryPlan {
  checkOptions('planMemory', options, [
    ...(['batchSize', 'pictures', 'ema', 'accumulate', 'cache', 'reading', 'limitBytes'] as const),
    ...(['optimizer', 'lr', 'momentum', 'weightDecay'] as const),
  ])
  return plan(model, options)
}

/** `planMemory` for options that may be more than its own, as `fit` has them. */
function plan(model: Network, options: MemoryPlanOptions): MemoryPlan {
  const { batchSize = 32 } = options
  if (!Number.isSafeInteger(batchSize) || batchSize < 1)
    throw new UsageError(`batchSize is a positive integer, not ${batchSize}`)
  const { engine } = model
  const free = engine.freeBytes()
  const limitBytes = options.limitBytes ?? (free === null ? null : engine.memory().liveBytes + free)
  const judged = judge(model, batchSize, options, limitBytes)
  const trained = model.parameters().filter((parameter) => parameter.trainable)
  const bytes = (parameters: readonly { readonly shape: Shape }[]) =>
    parameters.reduce((sum, { shape }) => sum + 4 * sizeOf(shape), 0)
  return {
    batchSize,
    ...judged,
    parameterBytes: bytes(model.parameters()),
    gradientBytes: bytes(trained),
    optimizerBytes: makeOptimizer(model, options).stateSlots * bytes(trained),
    limitBytes,
    largestBatchSize: judged.problem
      ? largest(model, options, limitBytes, batchSize - 1)
      : batchSize,
  }
}

/**
 * Refuses training that cannot fit, before it begins.
 * @throws OutOfMemoryError that names the batch size that would fit
 */
export function requireMemory(model: Network, options: MemoryPlanOptions): MemoryPlan {
  const planned = plan(model, options)
  if (!planned.problem) return planned
  const remedy = planned.largestBatchSize
    ? `a batch size of ${planned.largestBatchSize} fits`
    : 'not even a batch size of 1 fits: freeze layers, take sgd with a momentum of 0, or another adapter'
  throw new OutOfMemoryError(
    `training with a batch size of ${planned.batchSize} ${planned.problem}; ${remedy}`,
  )
}

/**
 * Compiles what steps and validation will launch, side by side, and lays out the memory they will
 * take: to be called just before.
 * @param onProgress told how many kernels are compiled, out of how many are missing
 */
export async function prepareTraining(
  model: Network,
  options: MemoryPlanOptions,
  onProgress: (done: number, total: number) => void,
): Promise<void> {
  // first values that were not made yet have no place in the layout
  for (const parameter of model.parameters()) void parameter.tensor
  await model.engine.gpu.prepare(
    supposed(model, trainingWork(model, options.batchSize ?? 32, options)),
    onProgress,
  )
}

function judge(
  model: Network,
  batchSize: number,
  options: MemoryPlanOptions,
  limit: number | null,
): Pick<MemoryPlan, 'peakBytes' | 'problem'> {
  try {
    const body = supposed(model, trainingWork(model, batchSize, options))
    // laid out as `prepare` does
    const { peakBytes } = model.engine.gpu.rehearse(body, model.engine.gpu.rehearse(body).layout)
    const problem =
      limit !== null && peakBytes > limit
        ? `takes ${mib(peakBytes)} of memory, and there are ${mib(limit)}`
        : null
    return { peakBytes, problem }
  } catch (error) {
    if (error instanceof ShapeError)
      return { peakBytes: null, problem: `cannot be launched (${error.message.split(';')[0]})` }
    throw error
  }
}

/** The largest batch size up to `most` that fits. */
function largest(
  model: Network,
  options: MemoryPlanOptions,
  limit: number | null,
  most: number,
): number {
  let [fits, fails] = [0, most + 1]
  while (fails - fits > 1) {
    const middle = Math.floor((fits + fails) / 2)
    if (judge(model, middle, options, limit).problem) fails = middle
    else fits = middle
  }
  return fits
}

/** What runs on the device in some steps and a batch of the validation, for a rehearsal. */
function trainingWork(model: Network, batchSize: number, options: MemoryPlanOptions): () => void {
  const { engine } = model
  const {
    cache = true,
    reading = true,
    pictures: images = Number.POSITIVE_INFINITY,
    ema,
    accumulate = 1,
  } = options
  const from = cache ? model.frozenPrefix : 0
  const rows = Math.min(batchSize, images)
  const input = () =>
    new Tensor(engine, allocate(engine.gpu, [rows, ...(model.shapes()[from] ?? [])]))
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
    for (const tensor of [
      engine.noGrad(() => crossEntropy(logits, new Int32Array(rows))),
      logits,
      x,
    ])
      tensor.dispose()
    readAhead?.()
  }
}

/** `body`, with whatever parameters and gradients there are left as they were. */
function supposed(model: Network, body: () => void): () => void {
  const { engine, passes } = model
  return () => {
    const restore = model
      .parameters()
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
