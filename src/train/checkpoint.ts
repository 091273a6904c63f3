import { WeightsError } from '../base/errors.ts'
import type { StateDict } from '../base/stateDict.ts'
import type { Files } from '../host/host.ts'
import { list } from '../nn/network.ts'
import { readSafetensors, safetensorsParts } from '../weights/safetensors.ts'
import type { EpochResult } from './events.ts'

/** Progress within an epoch, after its last complete step. */
export interface EpochPart {
  /** Positions of the epoch's order that were read, broken images included. */
  readonly position: number
  /** Batches trained on, and steps made of them. */
  readonly batches: number
  readonly steps: number
  /** Training passes of the whole training by then. */
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
 * Everything that training changes, as it was after a step. Training resumed from it with the same
 * options gives the same bytes.
 */
export interface Checkpoint {
  /** The values of every parameter that trains at some time. */
  readonly weights: StateDict
  readonly optimizer: StateDict
  /** The moving average of the weights (ema), and how often it was updated. */
  readonly averages: { readonly values: StateDict; readonly updates: number } | null
  /** The weights of the best epoch so far, if `keep` is 'best'. */
  readonly best: { readonly epoch: number; readonly weights: StateDict } | null
  readonly epochs: readonly EpochResult[]
  /** Progress within the current epoch; null at the end of one. */
  readonly part: EpochPart | null
  /**
   * Training passes so far. Dropout and mixup draw from the seed and this number: there is no other
   * random state.
   */
  readonly passes: number
  /** The options that the bytes depend on. */
  readonly options: Readonly<Record<string, unknown>>
}

/**
 * The newest end of an epoch, and the newest state within one. Each replaces only its own kind: if
 * one file is damaged, the other is still whole.
 */
const names = { epoch: 'epoch.safetensors', step: 'step.safetensors' } as const
const prefixes = {
  weights: 'weight/',
  optimizer: 'optimizer/',
  averages: 'average/',
  best: 'best/',
} as const
/** What the file's metadata holds besides the tensors, as JSON. */
type Facts = Pick<Checkpoint, 'epochs' | 'part' | 'passes' | 'options'> & {
  readonly updates: number | null
  readonly bestEpoch: number | null
}

/**
 * Writes a checkpoint into a folder. It replaces the one before of its kind: a crash at any moment
 * leaves one of the two whole.
 */
export async function writeCheckpoint(
  files: Files,
  folder: string,
  checkpoint: Checkpoint,
): Promise<void> {
  const { weights, optimizer, averages, best, epochs, part, passes, options } = checkpoint
  const prefixed = (prefix: string, values: StateDict) =>
    Object.entries(values).map(([name, array]) => [prefix + name, array] as const)
  const tensors = Object.fromEntries([
    ...prefixed(prefixes.weights, weights),
    ...prefixed(prefixes.optimizer, optimizer),
    ...(averages ? prefixed(prefixes.averages, averages.values) : []),
    ...(best ? prefixed(prefixes.best, best.weights) : []),
  ])
  const updates = averages?.updates ?? null
  const bestEpoch = best?.epoch ?? null
  const facts: Facts = { epochs, part, passes, options, updates, bestEpoch }
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
 * Reads the newest checkpoint of a folder; null if there is none. If one file is damaged, the other
 * one is used.
 * @param onDamaged called for a file that cannot be read while the other one can
 * @throws WeightsError when there are files and none can be read
 */
export async function readCheckpoint(
  files: Files,
  folder: string,
  onDamaged: (message: string) => void = () => {},
): Promise<Checkpoint | null> {
  const paths = Object.values(names).map((name) => `${folder}/${name}`)
  const found = await Promise.all(paths.map((path) => read(files, path)))
  const damaged = found.filter((one) => one instanceof WeightsError)
  const [newest] = found
    .flatMap((one) => (one === null || one instanceof WeightsError ? [] : [one]))
    .sort((a, b) => b.epochs.length - a.epochs.length || positionOf(b) - positionOf(a))
  const [first] = damaged
  if (!newest && first) throw first
  for (const { message } of damaged) onDamaged(message)
  return newest ?? null
}

/** How far into its epoch a checkpoint is: 0 at the end of the one before. */
function positionOf({ part }: Checkpoint): number {
  return part?.position ?? 0
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
    const message = `${path} is not a checkpoint of Graft: ${why}; delete it to start afresh`
    return new WeightsError(message, { cause })
  }
}

function parse(bytes: Uint8Array): Checkpoint {
  const { tensors, metadata } = readSafetensors(bytes, { inPlace: true })
  const unprefixed = (prefix: string): StateDict =>
    Object.fromEntries(
      Object.entries(tensors)
        .filter(([name]) => name.startsWith(prefix))
        .map(([name, array]) => [name.slice(prefix.length), array]),
    )
  // Files of older versions lack what was added later, and then have null for it.
  const facts: Partial<Facts> = JSON.parse(metadata.checkpoint ?? '{}')
  const { epochs, passes, options, part = null, updates = null, bestEpoch = null } = facts
  if (!epochs || passes === undefined || !options) {
    const names = ['epochs', 'passes', 'options'] as const
    throw new WeightsError(`it lacks ${list(names.filter((name) => facts[name] === undefined))}`)
  }
  return {
    weights: unprefixed(prefixes.weights),
    optimizer: unprefixed(prefixes.optimizer),
    averages: updates === null ? null : { values: unprefixed(prefixes.averages), updates },
    best: bestEpoch === null ? null : { epoch: bestEpoch, weights: unprefixed(prefixes.best) },
    epochs,
    part,
    passes,
    options,
  }
}
