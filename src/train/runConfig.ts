import { UsageError, WeightsError } from '../base/errors.ts'
import { type Form, misfit } from '../base/form.ts'
import { JsonProblem, parseBounded } from '../base/json.ts'
import { rule } from '../base/rule.ts'
import { runFiles } from '../base/runFiles.ts'
import type { StateDict } from '../base/stateDict.ts'
import { alexnet, type Variant } from '../nn/alexnet.ts'
import type { Architecture, Network } from '../nn/network.ts'
import type { Engine } from '../tensor/tensor.ts'
import type { Choice } from '../transfer/decide.ts'
import { applyScenario, type Plan } from '../transfer/scenario.ts'
import type { EpochResult } from './events.ts'
import { withTodaysChoice } from './olderChoice.ts'
import {
  anyText,
  architectureForm,
  choiceForm,
  classNamesForm,
  epochForm,
  isOfSize,
  mostValues,
  optionsForm,
  planForm,
} from './runForms.ts'

/** Which images a run has: the sha256 of the names of those to train on, and of those held out. */
export interface RunImages {
  readonly train: string
  readonly val: string
  /** The sha256 of the sizes of all files; runs of older versions have none. */
  readonly sizes?: string
}

/**
 * What a run was made with: enough to build its network again, and for a person to see what
 * happened.
 */
export interface RunConfig {
  readonly graft: string
  readonly architecture: Architecture
  readonly plan: Plan
  /** Why this scenario, where it was picked by the data. */
  readonly choice?: Choice
  readonly classes: readonly string[]
  /** Which images, where the command made it. */
  readonly pictures?: RunImages
  /** The options of the command or call that made it. */
  readonly options: Readonly<Record<string, unknown>>
  readonly adapter: string
}

const digest = rule('64 hexadecimal digits', (value) => {
  return typeof value === 'string' && /^[0-9a-f]{64}$/.test(value)
})

const runConfigForm: Form<RunConfig> = {
  fields: {
    graft: anyText,
    architecture: architectureForm,
    plan: planForm,
    choice: { optional: choiceForm },
    classes: classNamesForm,
    pictures: { optional: { fields: { train: digest, val: digest, sizes: { optional: digest } } } },
    options: optionsForm,
    adapter: anyText,
  },
}

/**
 * A JSON text as what it has to be.
 * @param remedy what to do if it is something else
 * @param today what turns a form of older versions into today's
 * @throws UsageError that names the first wrong part
 */
export function parseAs<T>(
  bytes: Uint8Array,
  form: Form<T>,
  path: string,
  remedy: string,
  today = (value: unknown): unknown => value,
): T {
  try {
    const value = today(parseBounded(bytes))
    const wrong = misfit(value, form)
    if (wrong === null) return value as T
    throw new UsageError(`${path} is damaged: ${wrong}; ${remedy}`)
  } catch (cause) {
    if (!(cause instanceof JsonProblem)) throw cause
    throw new UsageError(`${path} is damaged: it ${cause.message}; ${remedy}`, { cause })
  }
}

/**
 * A run's config.
 * @param path its file, for errors
 * @throws UsageError when it is damaged
 */
export function parseRunConfig(text: Uint8Array, path: string): RunConfig {
  const remedy = 'restore the file, or train again'
  const config = parseAs(text, runConfigForm, path, remedy, withTodaysChoice)
  const { architecture, classes, plan } = config
  const wrong = isOfSize(architecture)
    ? classes.length === plan.classes
      ? null
      : `it names ${classes.length} classes, and plan.classes is ${plan.classes}`
    : `its network would have more than ${mostValues} values`
  if (wrong) throw new UsageError(`${path} is damaged: ${wrong}; ${remedy}`)
  // Runs of older versions do not say what was left of the weights, and what ignored.
  return { ...config, plan: { ...plan, left: plan.left ?? [], ignored: plan.ignored ?? [] } }
}

/**
 * Every epoch of a run.
 * @param path its file, for errors
 * @throws UsageError when it is damaged
 */
export function parseRunMetrics(text: Uint8Array, path: string): EpochResult[] {
  const remedy = 'each of its lines is one epoch in JSON; restore the file, or train again'
  const epochs: EpochResult[] = []
  let line = 0
  for (let start = 0; start < text.length; ) {
    const newline = text.indexOf(10, start)
    const end = newline < 0 ? text.length : newline
    const bytes = text.subarray(start, end)
    start = end + 1
    line++
    if (bytes.length === 0) continue
    const where = `${path}, line ${line},`
    const epoch = parseAs(bytes, epochForm, where, remedy)
    if (epoch.epoch !== line)
      throw new UsageError(`${where} is damaged: it is epoch ${epoch.epoch}; ${remedy}`)
    epochs.push(epoch)
  }
  return epochs
}

/**
 * Builds a run's trained network again.
 * @param place the run's folder, for errors
 * @throws WeightsError when the weights do not fit the config
 */
export async function networkOfRun(
  engine: Engine,
  config: RunConfig,
  tensors: StateDict,
  place: string,
): Promise<Network> {
  const { plan, classes } = config
  const model = await builtAgain(engine, { ...config, ...plan, classes: classes.length })
  try {
    for (const parameter of model.parameters())
      parameter.trainable = plan.trained.includes(parameter.name)
    model.loadStateDict(tensors)
  } catch (error) {
    model.dispose()
    if (!(error instanceof WeightsError)) throw error
    throw new WeightsError(
      `${place}/${runFiles.weights}: ${error.message}; it is not of the model that ` +
        `${runFiles.config} describes: restore one of the two, or train again`,
      { cause: error },
    )
  }
  model.classNames = classes
  return model
}

/** What the layers of a network follow from, after a scenario was applied to it. */
export interface Build extends Pick<Plan, 'cut' | 'replace' | 'classes' | 'seed'> {
  readonly architecture: Architecture
}

/** The layers of a network, which has none of its values yet. */
export async function builtAgain(engine: Engine, build: Build): Promise<Network> {
  const { cut, replace, seed } = build
  const { variant, channels, hidden, dropout, classes } = build.architecture
  const model = await alexnet(engine, {
    variant: variant as Variant,
    channels,
    hidden,
    dropout,
    classes,
    seed,
  })
  try {
    applyScenario(model, {
      scenario: 'large-similar',
      classes: build.classes,
      ...(cut ? { cut } : { replace }),
    })
  } catch (error) {
    model.dispose()
    throw error
  }
  return model
}
