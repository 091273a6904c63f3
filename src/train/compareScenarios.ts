import { at } from '../base/at.ts'
import { UsageError } from '../base/errors.ts'
import { percent } from '../base/format.ts'
import {
  type Difference,
  type Interval,
  pairedDifference,
  shareInterval,
} from '../base/interval.ts'
import { checkOptions } from '../base/options.ts'
import { countByClass, type ImageDataset } from '../data/dataset.ts'
import { list, type Network } from '../nn/network.ts'
import { type Choice, headOptions } from '../transfer/decide.ts'
import { secondsAnImage } from '../transfer/evidence.ts'
import { applyScenario, type Plan, type Scenario, scenarios } from '../transfer/scenario.ts'
import { chooseScenario } from './chooseScenario.ts'
import type { EpochResult, TrainEvent } from './events.ts'
import { fit } from './fit.ts'
import { defaultBatchSize, type FitOptions } from './fitOptions.ts'
import { keptEpochOf } from './kept.ts'
import { mostLikely } from './metrics.ts'
import { type Outcome, outcomesOf } from './outcomes.ts'

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
  /**
   * Seconds that reading all images once through the frozen layers takes, judged by the probe; null
   * where there were too few images to probe.
   */
  readonly reading: number | null
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
  /** Its 95 % interval. */
  readonly interval: Interval
  /**
   * The best scenario's accuracy less this one's, with a 95 % interval from the images on which the
   * two disagree. If that contains 0, they tie: neither is shown to be better.
   */
  readonly behind: Difference
  /** The number of that epoch, counted from 1. */
  readonly bestEpoch: number
  /** Passes over the images, including a fraction of the one that was cut short. */
  readonly epochs: number
  /** Training time without the last validation. */
  readonly seconds: number
  readonly steps: number
}

/** Accuracies that need no training. */
export interface Chance {
  /** Of always naming the class that is the most common one in the training images. */
  readonly mostCommon: number
  /** Of guessing: one in the number of classes. */
  readonly guessing: number
}

/**
 * The scenarios that tie with the best one, itself included, the cheapest first: those that train
 * the fewest values.
 * @example const [cheapest] = bestScenarios(await compareScenarios(build, data, { epochs: 5 }))
 */
export function bestScenarios({ scenarios: results }: Pick<Comparison, 'scenarios'>): Scenario[] {
  return [...results]
    .filter(([, { behind }]) => behind.low <= 0)
    .sort(([, a], [, b]) => a.plan.trainedValues - b.plan.trainedValues)
    .map(([scenario]) => scenario)
}

/** Who is best, or who ties, in a sentence. */
export function verdict(comparison: Pick<Comparison, 'scenarios' | 'chance'>): string {
  const { scenarios: results, chance } = comparison
  const ahead = bestScenarios(comparison)
  const cheapest = at(ahead, 0)
  const all = [...results.values()]
  const most = Math.max(...all.map(({ interval }) => interval.low))
  const doubt =
    most > chance.mostCommon
      ? ''
      : ' None is shown to be better than always naming the most common class ' +
        `(${percent(chance.mostCommon)}).`
  if (ahead.length === 1) return `${cheapest} is best.${doubt}`
  return (
    `${list(ahead)} tie: on these validation images none of them is shown to be better. ` +
    `The cheapest of them is ${cheapest}, which trains the fewest values.${doubt}`
  )
}

/** The result of `compareScenarios`. */
export interface Comparison {
  /** What `chooseScenario` chooses. */
  readonly choice: Choice
  readonly budget: Budget
  /** Accuracies that need no training, on the validation images. */
  readonly chance: Chance
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
  const trained = new Map<Scenario, Trained>()
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
      const outcomes = await outcomesOf(model, data, { signal })
      const perEpoch = Math.ceil(data.train.length / (recipe.batchSize ?? defaultBatchSize))
      trained.set(scenario, {
        plan,
        points: clock.points,
        valAccuracy: best.valAccuracy,
        bestEpoch: best.epoch,
        epochs: steps / perEpoch,
        seconds: last.at,
        steps,
        right: outcomes.map(isRight),
      })
    } catch (error) {
      if (signal?.aborted && error === signal.reason) break
      throw error
    } finally {
      model.dispose()
      model.engine.gpu.trim()
    }
  }
  return { choice, budget, chance: chanceOf(data), scenarios: judged(trained) }
}

/** A scenario after its training: for each validation image, 1 if it is predicted rightly. */
interface Trained extends Omit<Contestant, 'interval' | 'behind'> {
  readonly right: readonly number[]
}

function isRight({ sample, probabilities }: Outcome): number {
  return Number(mostLikely(probabilities)[0] === sample.label)
}

/** The scenarios with their intervals, and their distances from the best one. */
function judged(trained: ReadonlyMap<Scenario, Trained>): Map<Scenario, Contestant> {
  const all = [...trained.values()]
  const most = Math.max(...all.map(({ valAccuracy }) => valAccuracy))
  const best = all.find(({ valAccuracy }) => valAccuracy === most)
  return new Map(
    [...trained].map(([scenario, { right, ...one }]) => [
      scenario,
      {
        ...one,
        interval: shareInterval(one.valAccuracy, right.length),
        behind: pairedDifference(best?.right ?? right, right),
      },
    ]),
  )
}

function chanceOf({ train, val, classes }: ImageDataset): Chance {
  const known = countByClass(train, classes.length)
  const mostCommon = known.indexOf(Math.max(...known))
  const held = at(countByClass(val, classes.length), mostCommon)
  return { mostCommon: held / val.length, guessing: 1 / classes.length }
}

/** At least a minute, so that a scenario that trains the whole network makes some steps. */
const minSeconds = 60

function budgetOf(
  { seconds, epochs }: CompareOptions,
  { evidence }: Choice,
  data: ImageDataset,
): Budget {
  const perImage = secondsAnImage(evidence)
  const reading = perImage === null ? null : perImage * (data.train.length + data.val.length)
  if (epochs !== undefined) return { seconds: null, epochs, reading }
  return {
    seconds: seconds ?? Math.max(minSeconds, Math.ceil(3 * (reading ?? 0))),
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
