import { UsageError } from '../base/errors.ts'
import { checkOptions } from '../base/options.ts'
import type { ImageDataset } from '../data/dataset.ts'
import type { Network } from '../nn/network.ts'
import { type Choice, headOptions } from '../transfer/decide.ts'
import { applyScenario, type Plan, type Scenario, scenarios } from '../transfer/scenario.ts'
import { type ChooseOptions, chooseScenario } from './chooseScenario.ts'
import type { EpochResult, TrainEvent } from './events.ts'
import { fit } from './fit.ts'
import type { FitOptions } from './fitOptions.ts'

/** What `compareScenarios` is told: a budget for each scenario, and how they train. */
export interface CompareOptions
  extends Pick<FitOptions, 'batchSize' | 'lr' | 'optimizer' | 'augment' | 'seed' | 'signal'> {
  /**
   * Training time of each, in seconds: reading, compiling and the validations between epochs count,
   * the last validation does not. Default: three times what reading all images takes, by the
   * probe's pace, and a minute at the least.
   */
  readonly seconds?: number
  /** Or so many epochs of each. */
  readonly epochs?: number
  /** Told of everything that the probe and the four trainings tell. */
  readonly onEvent?: (of: Scenario | 'auto', event: TrainEvent) => void
  /** Told what the probe found and the budget of each, before anything trains. */
  readonly onChoice?: (choice: Choice, budget: Budget) => void
  /** Told what each scenario made of the network, before it trains. */
  readonly onPlan?: (plan: Plan) => void
}

/** What each scenario is given: one of the two. */
export interface Budget {
  readonly seconds: number | null
  readonly epochs: number | null
  /**
   * Seconds that reading all images once and running the frozen layers over them takes, by the
   * probe's pace.
   */
  readonly reading: number
}

/** One epoch on the clock of its training. */
export interface Point extends EpochResult {
  /** From the beginning of the training to the epoch's last step. */
  readonly at: number
}

/** How one scenario did. */
export interface Contestant {
  readonly plan: Plan
  readonly points: readonly Point[]
  /**
   * Validation accuracy, in 0..1, after the epoch of the least validation loss: a head on frozen
   * layers has hundreds of epochs in the time of one of the whole network, and must not lose by the
   * overfitting of the last of them.
   */
  readonly valAccuracy: number
  /** That epoch, counted from 1. */
  readonly bestEpoch: number
  /** Passes over the images, with the part of the one that time cut short. */
  readonly epochs: number
  /** Training time, the last validation left out. */
  readonly seconds: number
  readonly steps: number
}

/** What `compareScenarios` found. */
export interface Comparison {
  /** What `chooseScenario` picks. */
  readonly choice: Choice
  readonly budget: Budget
  /** In the order of training; a comparison that was stopped lacks the last ones. */
  readonly scenarios: ReadonlyMap<Scenario, Contestant>
}

/** More epochs than any time allows. */
const untilTimeIsUp = 1_000_000

/**
 * Trains all four scenarios on the same images under one budget. Each cuts where, and keeps the FC
 * layers that, the probe of `chooseScenario` found best for it.
 * @param build makes the network afresh; called five times
 * @throws UsageError where both `seconds` and `epochs` are given
 * @throws whatever `chooseScenario` and `fit` throw
 * @example
 * const { scenarios, choice } = await compareScenarios(() => alexnet(engine, { weights }), data, {
 * seconds: 60 }) console.log(scenarios.get(choice.scenario)?.valAccuracy)
 */
export async function compareScenarios(
  build: () => Promise<Network>,
  data: ImageDataset,
  options: CompareOptions,
): Promise<Comparison> {
  checkOptions('compareScenarios', options, [
    ...(['batchSize', 'lr', 'optimizer', 'augment', 'seed', 'signal'] as const),
    ...(['seconds', 'epochs', 'onEvent', 'onChoice', 'onPlan'] as const),
  ])
  const { seconds, epochs, onEvent, onChoice, onPlan, ...recipe } = options
  if (seconds !== undefined && epochs !== undefined)
    throw new UsageError('a comparison takes seconds or epochs: one of them')
  const probed = await build()
  const choice = await chooseScenario(probed, data, probeOptions(options)).finally(() =>
    probed.dispose(),
  )
  const budget = budgetOf(options, choice, data)
  onChoice?.(choice, budget)
  const results = new Map<Scenario, Contestant>()
  for (const scenario of scenarios) {
    if (options.signal?.aborted) break
    const model = await build()
    try {
      const seed = options.seed ?? model.seed
      const plan = applyScenario(model, {
        scenario,
        classes: data.classes.length,
        seed,
        ...headOptions(scenario, choice.evidence),
      })
      onPlan?.(plan)
      const clock = new Clock((event) => onEvent?.(scenario, event))
      const { steps, aborted } = await fit(model, data, {
        ...recipe,
        epochs: budget.epochs ?? untilTimeIsUp,
        ...(budget.seconds === null ? {} : { maxSeconds: budget.seconds }),
        onEvent: clock.onEvent,
      })
      const last = clock.points.at(-1)
      if (aborted || !last) break
      const best = clock.points.reduce((a, b) => (b.valLoss < a.valLoss ? b : a))
      const perEpoch = Math.ceil(data.train.length / (recipe.batchSize ?? 32))
      results.set(scenario, {
        ...{ plan, points: clock.points, valAccuracy: best.valAccuracy, bestEpoch: best.epoch },
        ...{ epochs: steps / perEpoch, seconds: last.at, steps },
      })
    } finally {
      model.dispose()
      model.engine.gpu.trim()
    }
  }
  return { choice, budget, scenarios: results }
}

/**
 * A minute at the least, so that a scenario without anything to read in advance comes to some
 * steps.
 */
const leastSeconds = 60

function budgetOf(
  { seconds, epochs }: CompareOptions,
  { evidence }: Choice,
  data: ImageDataset,
): Budget {
  const reading = (evidence.readSeconds / evidence.sampled) * (data.train.length + data.val.length)
  if (epochs !== undefined) return { seconds: null, epochs, reading }
  return {
    seconds: seconds ?? Math.max(leastSeconds, Math.ceil(3 * reading)),
    epochs: null,
    reading,
  }
}

function probeOptions({ seed, signal, onEvent }: CompareOptions): ChooseOptions {
  return { seed, signal, onEvent: (event) => onEvent?.('auto', event) }
}

/** Notes when each epoch made its last step. */
class Clock {
  readonly points: Point[] = []
  readonly #begun = performance.now()
  readonly #pass: (event: TrainEvent) => void
  #step = 0

  constructor(pass: (event: TrainEvent) => void) {
    this.#pass = pass
  }

  readonly onEvent = (event: TrainEvent): void => {
    if (event.type === 'step') this.#step = (performance.now() - this.#begun) / 1000
    if (event.type === 'epoch') {
      const { type: _, ...result } = event
      this.points.push({ ...result, at: this.#step })
    }
    this.#pass(event)
  }
}
