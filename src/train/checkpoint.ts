import { WeightsError } from '../base/errors.ts'
import type { StateDict } from '../base/stateDict.ts'
import type { Files } from '../host/host.ts'
import { list } from '../nn/network.ts'
import { readSafetensors, safetensorsParts } from '../weights/safetensors.ts'
import type { EpochResult } from './events.ts'

/** How far an epoch has come: after its last whole step. */
export interface EpochPart {
  /** How many places of the epoch's order are behind it, broken images included. */
  readonly position: number
  /** Batches trained on, and steps made of them. */
  readonly batches: number
  readonly steps: number
  /** The training's passes by then. */
  readonly passes: number
  /** Sums over the images trained on. */
  readonly loss: number
  readonly correct: number
  readonly count: number
  /** Wall time so far. */
  readonly seconds: number
  /** The head's learning rate in the last step. */
  readonly lr: number
}

/**
 * Everything that training changes, as it was after a step. With the same options, going on from it
 * gives the same bits.
 */
export interface Checkpoint {
  /** The values of every parameter that trains at some time. */
  readonly weights: StateDict
  readonly optimizer: StateDict
  /** The moving average of the weights, and how often it was updated. */
  readonly averages: { readonly values: StateDict; readonly updates: number } | null
  /** The weights of the best epoch so far, where they are kept. */
  readonly best: { readonly epoch: number; readonly weights: StateDict } | null
  readonly epochs: readonly EpochResult[]
  /** The epoch in progress; null at the end of one. */
  readonly part: EpochPart | null
  /**
   * Training passes so far, which dropout and mixup count by: with the seed, all there is of random
   * state.
   */
  readonly passes: number
  /** The options that decide the bits. */
  readonly options: Readonly<Record<string, unknown>>
}

/**
 * The newest end of an epoch, and the newest state within one. Each replaces only its own kind, so
 * one whole file is left whatever happens to the other.
 */
const names = { epoch: 'epoch.safetensors', step: 'step.safetensors' } as const
const prefixes = {
  weights: 'weight/',
  optimizer: 'optimizer/',
  averages: 'average/',
  best: 'best/',
} as const
/** What the metadata say besides the tensors. */
type Facts = Pick<Checkpoint, 'epochs' | 'part' | 'passes' | 'options'> & {
  readonly updates: number | null
  readonly bestEpoch: number | null
}

/**
 * Writes a checkpoint into a folder, in the place of the one of its kind before; a crash at any
 * moment leaves one of the two whole.
 */
export async function writeCheckpoint(
  files: Files,
  folder: string,
  checkpoint: Checkpoint,
): Promise<void> {
  const { weights, optimizer, averages, best, epochs, part, passes, options } = checkpoint
  const named = (prefix: string, values: StateDict = {}) =>
    Object.entries(values).map(([name, array]) => [prefix + name, array] as const)
  const tensors = Object.fromEntries([
    ...named(prefixes.weights, weights),
    ...named(prefixes.optimizer, optimizer),
    ...named(prefixes.averages, averages?.values),
    ...named(prefixes.best, best?.weights),
  ])
  const facts: Facts = {
    epochs,
    part,
    passes,
    options,
    updates: averages?.updates ?? null,
    bestEpoch: best?.epoch ?? null,
  }
  await files.write(
    `${folder}/${part ? names.step : names.epoch}`,
    safetensorsParts(tensors, { checkpoint: JSON.stringify(facts) }),
  )
}

/** Removes the checkpoints of an earlier training. */
export async function clearCheckpoints(files: Files, folder: string): Promise<void> {
  for (const name of Object.values(names)) await files.remove(`${folder}/${name}`)
}

/**
 * Reads the newest checkpoint of a folder; null when there is none. Where one file is damaged the
 * other one serves.
 * @param onDamaged told of a file that cannot be read while another one can
 * @throws WeightsError when none can be read
 */
export async function readCheckpoint(
  files: Files,
  folder: string,
  onDamaged: (message: string) => void = () => {},
): Promise<Checkpoint | null> {
  const found = await Promise.all(
    Object.values(names).map((name) => read(files, `${folder}/${name}`)),
  )
  const whole = found.filter(
    (one): one is Checkpoint => one !== null && !(one instanceof WeightsError),
  )
  const damaged = found.filter((one) => one instanceof WeightsError)
  const [first] = damaged
  if (whole.length === 0 && first) throw first
  for (const { message } of damaged) onDamaged(message)
  return (
    whole.sort(
      (a, b) =>
        b.epochs.length - a.epochs.length || (b.part?.position ?? 0) - (a.part?.position ?? 0),
    )[0] ?? null
  )
}

/** The newest end of an epoch, or null. */
export async function readEpochEnd(files: Files, folder: string): Promise<Checkpoint | null> {
  const found = await read(files, `${folder}/${names.epoch}`)
  return found instanceof WeightsError ? null : found
}

async function read(files: Files, path: string): Promise<Checkpoint | WeightsError | null> {
  const bytes = await files.read(path)
  if (bytes === null) return null
  try {
    return parse(bytes)
  } catch (cause) {
    const why = cause instanceof WeightsError ? cause.message : 'its metadata cannot be read'
    return new WeightsError(
      `${path} is no checkpoint of Graft: ${why}; delete it to start afresh`,
      { cause },
    )
  }
}

function parse(bytes: Uint8Array): Checkpoint {
  const { tensors, metadata } = readSafetensors(bytes, { inPlace: true })
  const part = (prefix: string) =>
    Object.fromEntries(
      Object.entries(tensors).flatMap(([name, array]) =>
        name.startsWith(prefix) ? [[name.slice(prefix.length), array]] : [],
      ),
    )
  const facts = JSON.parse(metadata.checkpoint ?? '{}') as Partial<Facts>
  const lost = (['epochs', 'passes', 'options'] as const).filter((key) => facts[key] === undefined)
  if (lost.length) throw new WeightsError(`it lacks ${list(lost)}`)
  const { epochs = [], passes = 0, options = {}, updates = null, bestEpoch = null } = facts
  return {
    ...{ epochs, passes, options, part: facts.part ?? null },
    weights: part(prefixes.weights),
    optimizer: part(prefixes.optimizer),
    averages: updates === null ? null : { values: part(prefixes.averages), updates },
    best: bestEpoch === null ? null : { epoch: bestEpoch, weights: part(prefixes.best) },
  }
}
