import { type AugmentationName, augmentationOf } from '../data/augment.ts'
import type { Variant } from '../nn/alexnet.ts'
import type { InitName } from '../nn/init.ts'
import type { LearningRateOptions } from '../train/findLearningRate.ts'
import type { FitOptions } from '../train/fitOptions.ts'
import type { OptimizerName } from '../train/optimizers.ts'
import type { ScheduleName } from '../train/recipe/rates.ts'
import { type Choice, optionsOf } from '../transfer/decide.ts'
import type { Scenario, ScenarioOptions } from '../transfer/scenario.ts'

/** The weights that lie beside the page. */
export const shippedWeights = 'alexnet-64-tinyimagenet100'

/** What a person decides; the worker makes the library's options of it. */
export interface Settings {
  readonly start: 'shipped' | 'file' | 'random'
  /** Weights of the person's own, where `start` is 'file'. */
  readonly file: File | null
  /** Null: the file's own, or alexnet-64 where every weight is random. */
  readonly variant: Variant | null
  readonly scenario: Scenario | 'auto'
  /**
   * Where the new layer goes: in the last FC layer's place, in all of theirs, or after the layer of
   * that name.
   */
  readonly head: 'last' | 'all' | `features.${string}`
  /** Null: the scenario's own. */
  readonly init: InitName | 'pretrained' | null
  readonly epochs: number
  readonly batchSize: number
  readonly optimizer: OptimizerName
  /** Null: the optimizer's own, as with `weightDecay`. */
  readonly lr: number | null
  readonly weightDecay: number | null
  readonly schedule: ScheduleName
  readonly augment: AugmentationName | 'none'
  /** 0: off, as with those that follow. */
  readonly headEpochs: number
  readonly patience: number
  readonly mixup: number
  readonly labelSmoothing: number
  readonly balanced: boolean
  readonly split: number
  readonly seed: number
}

export const defaults: Settings = {
  ...{ start: 'shipped', file: null, variant: null, scenario: 'auto', head: 'last', init: null },
  ...{
    epochs: 20,
    batchSize: 32,
    optimizer: 'adam',
    lr: null,
    weightDecay: null,
    schedule: 'constant',
    augment: 'none',
  },
  ...{
    headEpochs: 0,
    patience: 0,
    mixup: 0,
    labelSmoothing: 0,
    balanced: false,
    split: 0.25,
    seed: 0,
  },
}

/** The settings without what others of them have made meaningless. */
export function consistent(settings: Settings): Settings {
  const { init, scenario, start } = settings
  const lost = init !== null && !isApplicable(init, scenario, start)
  return lost ? { ...settings, init: null } : settings
}

/** Where the new layer goes unless the person says otherwise. */
export function defaultHead(scenario: Settings['scenario']): Settings['head'] {
  return scenario === 'small-different' ? 'features.7' : 'last'
}

/**
 * Settings on which a measured choice depends: another one of them calls for another measurement.
 */
export const probed: readonly (keyof Settings)[] = ['start', 'file', 'variant', 'split', 'seed']

/** What `applyScenario` takes, or null while 'auto' has not measured. */
export function scenarioOptions(
  settings: Settings,
  choice: Choice | null,
  classes: number,
): ScenarioOptions | null {
  const { scenario, head, init, seed } = settings
  const common = { classes, seed, ...(init ? { init } : {}) }
  if (scenario === 'auto')
    return choice && { scenario: choice.scenario, ...optionsOf(choice), ...common }
  return {
    scenario,
    ...(head === 'last' || head === 'all' ? { replace: head } : { cut: head }),
    ...common,
  }
}

/**
 * Whether first values of that kind belong here: keeping trained ones is a decision of
 * large-different, where there are some.
 */
export function isApplicable(
  init: InitName | 'pretrained',
  scenario: Settings['scenario'],
  start: Settings['start'],
): boolean {
  return init !== 'pretrained' || (scenario === 'large-different' && start !== 'random')
}

/** Whether the head can train before the rest: where the rest trains too. */
export function trainsTrunk(scenario: Settings['scenario']): boolean {
  return scenario.startsWith('large')
}

/** What `fit` takes; what is off is left out. */
export function fitOptions(settings: Settings): FitOptions {
  const {
    epochs,
    batchSize,
    optimizer,
    lr,
    weightDecay,
    schedule,
    augment,
    patience,
    mixup,
    labelSmoothing,
    balanced,
    seed,
  } = settings
  const headEpochs = trainsTrunk(settings.scenario) ? settings.headEpochs : 0
  return {
    ...{ epochs, batchSize, optimizer, schedule, labelSmoothing, headEpochs, seed },
    ...(lr === null ? {} : { lr }),
    ...(weightDecay === null ? {} : { weightDecay }),
    ...(augment === 'none' ? {} : { augment: augmentationOf(augment) }),
    ...(patience > 0 ? { patience } : {}),
    ...(mixup > 0 ? { mixup } : {}),
    ...(balanced ? { classWeights: 'balanced' as const } : {}),
  }
}

/** What `findLearningRate` takes: those of the same that bear on single steps. */
export function rateOptions(settings: Settings): LearningRateOptions {
  const { batchSize, optimizer, weightDecay, augment, mixup, labelSmoothing, classWeights, seed } =
    fitOptions(settings)
  return { batchSize, optimizer, weightDecay, augment, mixup, labelSmoothing, classWeights, seed }
}

/** The run's options by the names of the command line, for a config that `graft` reads. */
export function runOptions(settings: Settings, root: string): Readonly<Record<string, unknown>> {
  const { start, file, variant, scenario, head, init, augment, split } = settings
  const placed =
    scenario === 'auto' ? {} : head === 'last' || head === 'all' ? { replace: head } : { cut: head }
  return {
    weights: start === 'random' ? 'none' : start === 'file' ? file?.name : shippedWeights,
    ...(variant ? { variant } : {}),
    ...{ scenario, ...placed },
    ...(init ? { init } : {}),
    ...fitOptions(settings),
    ...(augment === 'none' ? {} : { augment }),
    ...{ split, data: root },
  }
}
