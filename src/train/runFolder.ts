import { constants } from 'node:buffer'
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { UsageError, WeightsError } from '../base/errors.ts'
import { type Form, misfit } from '../base/form.ts'
import { JsonProblem, parseBounded } from '../base/json.ts'
import { writeFileAtomic } from '../base/node/atomicFile.ts'
import { makeFolder } from '../base/node/folder.ts'
import { ReadError, readInput } from '../base/node/inputFile.ts'
import { rule } from '../base/rule.ts'
import { runFiles } from '../base/runFiles.ts'
import { requireFinite } from '../base/stateDict.ts'
import { alexnet, type Variant } from '../nn/alexnet.ts'
import { metadataOf } from '../nn/metadata.ts'
import type { Architecture, Network } from '../nn/network.ts'
import type { Engine } from '../tensor/tensor.ts'
import type { Choice } from '../transfer/decide.ts'
import { applyScenario, type Plan } from '../transfer/scenario.ts'
import { readSafetensors, type WeightsFile, writeSafetensors } from '../weights/safetensors.ts'
import type { EpochResult } from './events.ts'
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
  timingsForm,
} from './runForms.ts'
import type { Timings } from './timings.ts'

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

/** Writes a run's final weights, without a timestamp: the same training gives the same bytes. */
export async function writeRunWeights(
  folder: string,
  model: Network,
  config: RunConfig,
): Promise<void> {
  await writeFileAtomic(
    join(folder, runFiles.weights),
    writeSafetensors(await model.stateDict(), metadataOf(model, config.classes)),
  )
}

export async function writeRunConfig(folder: string, config: RunConfig): Promise<void> {
  await makeFolder(folder)
  await writeFileAtomic(join(folder, runFiles.config), `${JSON.stringify(config, null, 2)}\n`)
}

/** Writes every epoch so far, one JSON object a line. */
export async function writeRunMetrics(
  folder: string,
  epochs: readonly EpochResult[],
): Promise<void> {
  await writeFileAtomic(
    join(folder, runFiles.metrics),
    epochs.map((epoch) => `${JSON.stringify(epoch)}\n`).join(''),
  )
}

/** Writes what the run's time was spent on. */
export async function writeRunTimings(folder: string, timings: Timings): Promise<void> {
  await writeFileAtomic(join(folder, runFiles.timings), `${JSON.stringify(timings, null, 2)}\n`)
}

/**
 * Reads what a run's time was spent on; null where that was not recorded.
 * @throws UsageError when the file is damaged
 */
export async function readRunTimings(folder: string): Promise<Timings | null> {
  const path = join(folder, runFiles.timings)
  const text = await readRunFile(folder, runFiles.timings)
  if (text === null) return null
  return parseAs(text, timingsForm, path, "remove it, nothing but the report's times depends on it")
}

/**
 * A JSON text as what it has to be.
 * @param remedy what to do if it is something else
 * @throws UsageError that names the first wrong part
 */
function parseAs<T>(bytes: Uint8Array, form: Form<T>, path: string, remedy: string): T {
  try {
    const value = parseBounded(bytes)
    const wrong = misfit(value, form)
    if (wrong === null) return value as T
    throw new UsageError(`${path} is damaged: ${wrong}; ${remedy}`)
  } catch (cause) {
    if (!(cause instanceof JsonProblem)) throw cause
    throw new UsageError(`${path} is damaged: it ${cause.message}; ${remedy}`, { cause })
  }
}

/**
 * Reads every epoch of a run.
 * @throws UsageError when its metrics are damaged
 */
export async function readRunMetrics(folder: string): Promise<EpochResult[]> {
  const path = join(folder, runFiles.metrics)
  const text = await readRunFile(folder, runFiles.metrics)
  if (text === null) throw unfinished(folder, runFiles.metrics)
  const lines = text.toString('latin1').split('\n')
  const remedy = 'each of its lines is one epoch in JSON; restore the file, or train again'
  return lines.flatMap((line, i) => {
    if (line === '') return []
    const where = `${path}, line ${i + 1},`
    const epoch = parseAs(Buffer.from(line, 'latin1'), epochForm, where, remedy)
    if (epoch.epoch === i + 1) return [epoch]
    throw new UsageError(`${where} is damaged: it is epoch ${epoch.epoch}; ${remedy}`)
  })
}

/** The error for a file that a run folder gets once its training is finished. */
function unfinished(folder: string, file: string): UsageError {
  return new UsageError(
    `${folder} holds no ${file}: its training was not finished; ` +
      `'npx graft-webgpu train DIR --out ${folder} --resume' continues it`,
  )
}

/** Bytes that a file of a run may have: the weights are read into one array. */
const mostBytes = {
  [runFiles.weights]: constants.MAX_LENGTH,
  [runFiles.metrics]: 2 ** 28,
  [runFiles.config]: 2 ** 26,
  [runFiles.timings]: 2 ** 20,
} as const

/**
 * A file of a run, or null if there is none.
 * @throws UsageError if it cannot be read, is no regular file or too large
 */
async function readRunFile(folder: string, name: keyof typeof mostBytes): Promise<Buffer | null> {
  try {
    return await readInput(join(folder, name), mostBytes[name])
  } catch (cause) {
    if (!(cause instanceof ReadError)) throw cause
    if (cause.problem === 'missing') return null
    throw new UsageError(cause.message, { cause })
  }
}

/**
 * Builds a run's trained network again; the folder is all it needs.
 * @throws UsageError when the folder is not a run, WeightsError when its weights are damaged or do
 * not fit its config
 * @example const { model } = await loadRun(engine, 'runs/dogs')
 */
export async function loadRun(
  engine: Engine,
  folder: string,
): Promise<{ readonly model: Network; readonly config: RunConfig }> {
  const config = await readRunConfig(folder)
  const { tensors } = await readRunWeights(folder)
  const { variant, channels, hidden, dropout, classes } = config.architecture
  const model = await alexnet(engine, {
    variant: variant as Variant,
    channels,
    hidden,
    dropout,
    classes,
    seed: config.plan.seed,
  })
  try {
    const { cut, replace } = config.plan
    applyScenario(model, {
      scenario: 'large-similar',
      classes: config.classes.length,
      ...(cut ? { cut } : { replace }),
    })
    for (const parameter of model.parameters())
      parameter.trainable = config.plan.trained.includes(parameter.name)
    model.loadStateDict(tensors)
  } catch (error) {
    model.dispose()
    if (!(error instanceof WeightsError)) throw error
    throw new WeightsError(
      `${join(folder, runFiles.weights)}: ${error.message}; it is not of the model that ` +
        `${runFiles.config} describes: restore one of the two, or train again`,
      { cause: error },
    )
  }
  model.classNames = config.classes
  return { model, config }
}

/**
 * Reads a run's trained arrays, with class names and preprocessing as metadata.
 * @throws UsageError when its training was not finished, WeightsError when the file is damaged,
 * NonFiniteError when a weight is NaN or infinite
 */
export async function readRunWeights(folder: string): Promise<WeightsFile> {
  const path = join(folder, runFiles.weights)
  const bytes = await readRunFile(folder, runFiles.weights)
  if (!bytes) throw unfinished(folder, runFiles.weights)
  try {
    const file = readSafetensors(bytes, { inPlace: true })
    requireFinite(file.tensors, path)
    return file
  } catch (error) {
    if (error instanceof WeightsError)
      throw new WeightsError(`${path}: ${error.message}`, { cause: error })
    throw error
  }
}

/**
 * Reads what a run was made with.
 * @throws UsageError when the folder is not a run, or its config is damaged
 */
export async function readRunConfig(folder: string): Promise<RunConfig> {
  const path = join(folder, runFiles.config)
  const isFolder = await stat(folder).then(
    (found) => found.isDirectory(),
    () => false,
  )
  if (!isFolder)
    throw new UsageError(
      `there is no run folder ${folder}; 'npx graft-webgpu train DIR --out ${folder}' makes one`,
    )
  const text = await readRunFile(folder, runFiles.config)
  if (text === null)
    throw new UsageError(`${folder} is no run folder: it has no ${runFiles.config}`)
  const remedy = 'restore the file, or train again'
  const config = parseAs(text, runConfigForm, path, remedy)
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
