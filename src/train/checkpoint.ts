import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { WeightsError } from '../gpu/errors.ts'
import { list, type Network } from '../nn/network.ts'
import type { Optimizer } from '../optim/optimizer.ts'
import type { StateDict } from '../tensor/stateDict.ts'
import { writeFileAtomic } from '../weights/files.ts'
import { readSafetensors, writeSafetensors } from '../weights/safetensors.ts'
import type { EpochResult } from './events.ts'

/** Everything that training changes, as it was at the end of an epoch. With the same options, going on from it gives the same bits. */
export interface Checkpoint {
  /** The values of every trainable parameter. */
  readonly weights: StateDict
  readonly optimizer: StateDict
  readonly epochs: readonly EpochResult[]
  /** Training passes so far, which dropout counts by. */
  readonly passes: number
}

const fileName = 'last.safetensors'
const [weightPrefix, optimizerPrefix] = ['weight/', 'optimizer/']

/** Reads the present state back. */
export async function takeCheckpoint(model: Network, optimizer: Optimizer, epochs: readonly EpochResult[]): Promise<Checkpoint> {
  const trained = model.parameters().filter((parameter) => parameter.trainable)
  const values = await model.engine.read(trained.map((parameter) => parameter.tensor))
  const weights = Object.fromEntries(trained.map(({ name, shape }, i) => [name, { shape, data: values[i] ?? new Float32Array(0) }]))
  return { weights, optimizer: await optimizer.stateDict(), epochs: [...epochs], passes: model.passes }
}

/** Writes a checkpoint into a folder, in the place of the one before; a crash at any moment leaves one of the two whole. */
export async function writeCheckpoint(folder: string, checkpoint: Checkpoint): Promise<void> {
  const prefixed = (prefix: string, values: StateDict) => Object.entries(values).map(([name, array]) => [prefix + name, array] as const)
  const tensors = Object.fromEntries([...prefixed(weightPrefix, checkpoint.weights), ...prefixed(optimizerPrefix, checkpoint.optimizer)])
  await mkdir(folder, { recursive: true })
  const metadata = { epochs: JSON.stringify(checkpoint.epochs), passes: String(checkpoint.passes) }
  await writeFileAtomic(join(folder, fileName), writeSafetensors(tensors, metadata))
}

/**
 * Reads the checkpoint of a folder; null when there is none.
 * @throws WeightsError when it is damaged
 */
export async function readCheckpoint(folder: string): Promise<Checkpoint | null> {
  const path = join(folder, fileName)
  let bytes: Uint8Array
  try {
    bytes = await readFile(path)
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null
    throw error
  }
  const { tensors, metadata } = readSafetensors(bytes)
  const part = (prefix: string) =>
    Object.fromEntries(
      Object.entries(tensors).flatMap(([name, array]) => (name.startsWith(prefix) ? [[name.slice(prefix.length), array]] : [])),
    )
  const lost = ['epochs', 'passes'].filter((key) => metadata[key] === undefined)
  if (lost.length) throw new WeightsError(`${path} is no checkpoint of Graft: it lacks ${list(lost)}; delete it to start afresh`)
  return {
    weights: part(weightPrefix),
    optimizer: part(optimizerPrefix),
    epochs: JSON.parse(metadata.epochs ?? '[]') as EpochResult[],
    passes: Number(metadata.passes),
  }
}
