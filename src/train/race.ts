import { at } from '../base/at.ts'
import { type ImageDataset, type SampleList, sampleAt } from '../data/dataset.ts'
import type { Network } from '../nn/network.ts'
import { applyScenario, type Plan, type ScenarioOptions } from '../transfer/scenario.ts'
import type { Point } from './compareScenarios.ts'
import type { TrainEvent } from './events.ts'
import { fit } from './fit.ts'
import type { FitOptions } from './fitOptions.ts'
import { outcomesOf, predictedOf } from './outcomes.ts'

/** A network that is trained beside others on the same images. */
export interface Racer<Name extends string> {
  readonly name: Name
  readonly scenario: Omit<ScenarioOptions, 'classes' | 'seed'>
  readonly build: () => Promise<Network>
  /**
   * What it is given of the first one's training: the same seconds, in whole epochs and at least
   * one, or the same number of epochs. The first one has the race's own limits.
   */
  readonly same: 'seconds' | 'epochs'
}

export interface RaceOptions<Name extends string>
  extends Pick<FitOptions, 'optimizer' | 'lr' | 'signal'> {
  readonly batchSize: number
  readonly seed: number
  /** The first racer ends after so many epochs, or with the epoch in which so many seconds end. */
  readonly epochs: number
  readonly seconds: number
  /** Called before a network is warmed up, which counts for nobody. */
  readonly onWarmUp?: (of: Name) => void
  /** Called with what was done to a network, before it is trained. */
  readonly onPlan?: (of: Name, plan: Plan) => void
  readonly onEvent?: (of: Name, event: TrainEvent) => void
}

/** How a network did. */
export interface Raced {
  /** With the weights of the epoch that was kept; the caller's to dispose of. */
  readonly model: Network
  readonly plan: Plan
  /** Its epochs, all whole, each with the seconds from the start to its end. */
  readonly points: readonly Point[]
  /** The epoch whose weights it has: the best in validation. */
  readonly kept: Point
  /** For each validation image that was decoded, in their order: 1 if it is right, else 0. */
  readonly right: Uint8Array
  readonly seconds: number
  readonly steps: number
}

/** No time allows so many. */
const anyEpochs = 1_000_000

/**
 * Trains networks one after the other on the same images, with the same settings. Compiling counts
 * for nobody: each one first trains on a few images, which makes all kernels. Reading, the outputs
 * of frozen layers and validating do count.
 * @returns as many as were trained when `signal` aborted
 * @throws the errors of `fit`
 */
export async function race<Name extends string>(
  data: ImageDataset,
  racers: readonly Racer<Name>[],
  options: RaceOptions<Name>,
): Promise<Map<Name, Raced>> {
  const { batchSize, seed, signal, optimizer, lr, onWarmUp, onPlan, onEvent } = options
  const recipe = { batchSize, seed, signal, optimizer, lr }
  const done = new Map<Name, Raced>()
  let first: Raced | null = null
  for (const racer of racers) {
    onWarmUp?.(racer.name)
    const warm = await prepared(racer, data, seed)
    try {
      const few = {
        ...data,
        train: some(data.train, batchSize, true),
        val: some(data.val, batchSize),
      }
      const note = (event: TrainEvent) => {
        if (event.type === 'compile') onEvent?.(racer.name, event)
      }
      await fit(warm.model, few, { ...recipe, epochs: 1, onEvent: note })
      if (signal?.aborted) break
    } finally {
      warm.model.dispose()
    }
    const { model, plan } = await prepared(racer, data, seed)
    onPlan?.(racer.name, plan)
    const points: Point[] = []
    const begun = performance.now()
    const limits = first
      ? racer.same === 'epochs'
        ? { epochs: first.points.length }
        : { epochs: anyEpochs, maxSeconds: first.seconds, wholeEpochs: true }
      : { epochs: options.epochs, maxSeconds: options.seconds, wholeEpochs: true }
    const fitted = await fit(model, data, {
      ...recipe,
      ...limits,
      onEvent: (event) => {
        if (event.type === 'epoch') {
          const { type: _, ...result } = event
          points.push({ ...result, at: (performance.now() - begun) / 1000 })
        }
        onEvent?.(racer.name, event)
      },
    })
    if (fitted.aborted) {
      model.dispose()
      break
    }
    const seconds = at(points, points.length - 1).at
    const kept = at(points, fitted.keptEpoch - 1)
    const outcomes = await outcomesOf(model, data)
    const right = Uint8Array.from(outcomes, (outcome) =>
      Number(predictedOf(outcome) === outcome.sample.label),
    )
    const raced = { model, plan, points, kept, right, seconds, steps: fitted.steps }
    done.set(racer.name, raced)
    first ??= raced
    model.engine.gpu.trim()
  }
  return done
}

async function prepared(
  { build, scenario }: Racer<string>,
  { classes }: ImageDataset,
  seed: number,
): Promise<{ readonly model: Network; readonly plan: Plan }> {
  const model = await build()
  return { model, plan: applyScenario(model, { ...scenario, classes: classes.length, seed }) }
}

/** As many samples as the last batch of an epoch has, after a `whole` one if that is wanted too. */
function some(samples: SampleList, batchSize: number, whole = false): SampleList {
  const last = samples.length % batchSize
  const count = Math.min(samples.length, last + (whole || last === 0 ? batchSize : 0))
  return Array.from({ length: count }, (_, i) => sampleAt(samples, i))
}
