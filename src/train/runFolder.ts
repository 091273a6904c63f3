import { constants } from 'node:buffer'
import { rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { UsageError, WeightsError } from '../base/errors.ts'
import { writeFileAtomic } from '../base/node/atomicFile.ts'
import { makeFolder } from '../base/node/folder.ts'
import { ReadError, readInput } from '../base/node/inputFile.ts'
import { runFiles } from '../base/runFiles.ts'
import { requireFinite } from '../base/stateDict.ts'
import { metadataOf } from '../nn/metadata.ts'
import type { Network } from '../nn/network.ts'
import type { Engine } from '../tensor/tensor.ts'
import { readSafetensors, type WeightsFile, writeSafetensors } from '../weights/safetensors.ts'
import type { EpochResult } from './events.ts'
import {
  networkOfRun,
  parseAs,
  parseRunConfig,
  parseRunMetrics,
  type RunConfig,
} from './runConfig.ts'
import { timingsForm } from './runForms.ts'
import type { Timings } from './timings.ts'
import type { Trust } from './trust.ts'
import { parseTrust, trustText } from './trustFile.ts'

export type { RunConfig, RunImages } from './runConfig.ts'

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

/** Writes what tells images of the run's classes from others; null removes it. */
export async function writeRunTrust(folder: string, trust: Trust | null): Promise<void> {
  const path = join(folder, runFiles.trust)
  if (trust) await writeFileAtomic(path, trustText(trust))
  else await rm(path, { force: true })
}

/**
 * Reads what tells images of the run's classes from others; null where that was not learned.
 * @throws UsageError when the file is damaged
 */
export async function readRunTrust(folder: string): Promise<Trust | null> {
  const bytes = await readRunFile(folder, runFiles.trust)
  return bytes && parseTrust(bytes, join(folder, runFiles.trust))
}

/**
 * Reads every epoch of a run.
 * @throws UsageError when its metrics are damaged
 */
export async function readRunMetrics(folder: string): Promise<EpochResult[]> {
  const path = join(folder, runFiles.metrics)
  const text = await readRunFile(folder, runFiles.metrics)
  if (text === null) throw unfinished(folder, runFiles.metrics)
  return parseRunMetrics(text, path)
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
  [runFiles.trust]: 2 ** 28,
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
 * Builds a run's trained network again, cut and grafted as it was; the folder is all it needs. Node
 * only.
 * @param folder of a run of `graft train`, such as 'runs/dogs'
 * @returns the network, and what `config.json` says: classes, plan, options
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
  return { model: await networkOfRun(engine, config, tensors, folder), config }
}

/**
 * Reads a run's trained arrays, with class names and preprocessing as metadata, and the bytes of
 * the file, which the arrays are views of.
 * @throws UsageError when its training was not finished, WeightsError when the file is damaged,
 * NonFiniteError when a weight is NaN or infinite
 */
export async function readRunWeights(
  folder: string,
): Promise<WeightsFile & { readonly bytes: Uint8Array }> {
  const path = join(folder, runFiles.weights)
  const bytes = await readRunFile(folder, runFiles.weights)
  if (!bytes) throw unfinished(folder, runFiles.weights)
  try {
    const file = readSafetensors(bytes, { inPlace: true })
    requireFinite(file.tensors, path)
    return { ...file, bytes }
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
  return parseRunConfig(text, path)
}
