import { at } from '../base/at.ts'
import { UsageError } from '../base/errors.ts'
import { checkOptions } from '../base/options.ts'
import type { ImageDataset } from '../data/dataset.ts'
import type { Network } from '../nn/network.ts'
import { type Choice, headOptions } from '../transfer/decide.ts'
import { applyScenario, type Plan, type Scenario, scenarios } from '../transfer/scenario.ts'
import { chooseScenario } from './chooseScenario.ts'
import type { EpochResult, TrainEvent } from './events.ts'
import { fit } from './fit.ts'
import { defaultBatchSize, type FitOptions } from './fitOptions.ts'
import { keptEpochOf } from './kept.ts'

/** Options of `compareScenarios`: the budget of each scenario, and how they train. */
export interface CompareOptions
  extends Pick<FitOptions, 'batchSize' | 'lr' | 'optimizer' | 'augment' | 'seed' | 'signal'> {
  /**
   * Training time of each scenario in seconds, with reading, compiling and all validations but the
   * last. Default: three times what reading all images takes, judged by the probe, and at least a
   * minute.
   */
  readonly seconds?: number
  /** Number of epochs of each scenario, instead of `seconds`. */
  readonly epochs?: number
  /** Called for every event of the probe ('auto') and of the four trainings. */
  readonly onEvent?: (of: Scenario | 'auto', event: TrainEvent) => void
  /** Called with the probe's choice and the budget of each scenario, before anything trains. */
  readonly onChoice?: (choice: Choice, budget: Budget) => void
  /** Called with the plan of each scenario before it trains. */
  readonly onPlan?: (plan: Plan) => void
}

/** The budget of each scenario: seconds or epochs, the other one is null. */
export interface Budget {
  readonly seconds: number | null
  readonly epochs: number | null
  /** Seconds that reading all images once through the frozen layers takes, judged by the probe. */
  readonly reading: number
}

/** One epoch, with its time since the start of its training. */
export interface Point extends EpochResult {
  /** Seconds from the start of the training to the epoch's last step. */
  readonly at: number
}

/** How one scenario did. */
export interface Contestant {
  readonly plan: Plan
  readonly points: readonly Point[]
  /**
   * Validation accuracy, in 0..1, of the epoch that `fit` keeps, the best one. A head on frozen
   * layers makes hundreds of epochs in the time of one epoch of the whole network; overfitting in
   * the last ones must not count against it.
   */
  readonly valAccuracy: number
  /** The number of that epoch, counted from 1. */
  readonly bestEpoch: number
  /** Passes over the images, including a fraction of the one that was cut short. */
  readonly epochs: number
  /** Training time without the last validation. */
  readonly seconds: number
  readonly steps: number
}

/** The result of `compareScenarios`. */
export interface Comparison {
  /** What `chooseScenario` chooses. */
  readonly choice: Choice
  readonly budget: Budget
  /** In the order of training; an aborted comparison lacks the last ones. */
  readonly scenarios: ReadonlyMap<Scenario, Contestant>
}

/** The number of epochs if time is the limit: more than any time allows. */
const unlimitedEpochs = 1_000_000

/**
 * Trains all four scenarios on the same images with the same budget. Each one cuts the network
 * where the probe of `chooseScenario` found it best for that scenario.
 * @param build makes a new network; called five times
 * @throws UsageError if both `seconds` and `epochs` are given
 * @throws the errors of `chooseScenario` and `fit`
 * @example
 * const build = () => alexnet(engine, { weights })
 * const { scenarios, choice } = await compareScenarios(build, data, { seconds: 60 })
 * console.log(scenarios.get(choice.scenario)?.valAccuracy)
 */
export async function compareScenarios(
  build: () => Promise<Network>,
  data: ImageDataset,
  options: CompareOptions,
): Promise<Comparison> {
  checkOptions('compareScenarios', options, [
    'batchSize',
    'lr',
    'optimizer',
    'augment',
    'seed',
    'signal',
    'seconds',
    'epochs',
    'onEvent',
    'onChoice',
    'onPlan',
  ])
  const { seconds, epochs, onEvent, onChoice, onPlan, ...recipe } = options
  if (seconds !== undefined && epochs !== undefined)
    throw new UsageError('a comparison takes either seconds or epochs: leave one of them out')
  const probed = await build()
  const { seed, signal } = options
  const choice = await chooseScenario(probed, data, {
    seed,
    signal,
    onEvent: (event) => onEvent?.('auto', event),
  }).finally(() => probed.dispose())
  const budget = budgetOf(options, choice, data)
  onChoice?.(choice, budget)
  const results = new Map<Scenario, Contestant>()
  for (const scenario of scenarios) {
    if (signal?.aborted) break
    const model = await build()
    try {
      const plan = applyScenario(model, {
        scenario,
        classes: data.classes.length,
        seed: seed ?? model.seed,
        ...headOptions(scenario, choice.evidence),
      })
      onPlan?.(plan)
      const clock = new Clock((event) => onEvent?.(scenario, event))
      const { steps, aborted } = await fit(model, data, {
        ...recipe,
        epochs: budget.epochs ?? unlimitedEpochs,
        ...(budget.seconds === null ? {} : { maxSeconds: budget.seconds }),
        onEvent: clock.onEvent,
      })
      const last = clock.points.at(-1)
      if (aborted || !last) break
      const best = at(clock.points, keptEpochOf(clock.points) - 1)
      const perEpoch = Math.ceil(data.train.length / (recipe.batchSize ?? defaultBatchSize))
      results.set(scenario, {
        plan,
        points: clock.points,
        valAccuracy: best.valAccuracy,
        bestEpoch: best.epoch,
        epochs: steps / perEpoch,
        seconds: last.at,
        steps,
      })
    } finally {
      model.dispose()
      model.engine.gpu.trim()
    }
  }
  return { choice, budget, scenarios: results }
}

/** At least a minute, so that a scenario that trains the whole network makes some steps. */
const minSeconds = 60

function budgetOf(
  { seconds, epochs }: CompareOptions,
  { evidence }: Choice,
  data: ImageDataset,
): Budget {
  const reading = (evidence.readSeconds / evidence.sampled) * (data.train.length + data.val.length)
  if (epochs !== undefined) return { seconds: null, epochs, reading }
  return {
    seconds: seconds ?? Math.max(minSeconds, Math.ceil(3 * reading)),
    epochs: null,
    reading,
  }
}

/** Records when each epoch made its last step. */
class Clock {
  readonly points: Point[] = []
  readonly #started = performance.now()
  readonly #pass: (event: TrainEvent) => void
  #step = 0

  constructor(pass: (event: TrainEvent) => void) {
    this.#pass = pass
  }

  readonly onEvent = (event: TrainEvent): void => {
    if (event.type === 'step') this.#step = (performance.now() - this.#started) / 1000
    if (event.type === 'epoch') {
      const { type: _, ...result } = event
      this.points.push({ ...result, at: this.#step })
    }
    this.#pass(event)
  }
}
