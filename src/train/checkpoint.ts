import { at } from '../base/at.ts'
import { WeightsError } from '../base/errors.ts'
import { type Form, misfit } from '../base/form.ts'
import { JsonProblem, parseBounded } from '../base/json.ts'
import { numberFromZero, numberRule, positiveInteger, wholeNumber } from '../base/rule.ts'
import { sha256 } from '../base/sha256.ts'
import type { StateDict } from '../base/stateDict.ts'
import type { Files } from '../host/host.ts'
import { readSafetensors, safetensorsParts } from '../weights/safetensors.ts'
import type { EpochResult } from './events.ts'
import { epochForm, optionsForm } from './runForms.ts'

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
 * The two newest ends of epochs, in turn, and the newest state within an epoch. A new one replaces
 * the oldest of its kind: if a file is damaged, the one before it is still whole.
 */
const names = {
  ends: ['epoch-other.safetensors', 'epoch.safetensors'],
  step: 'step.safetensors',
} as const
const allNames = [...names.ends, names.step]
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

const factsForm: Form<Facts> = {
  fields: {
    epochs: { each: epochForm },
    part: {
      optional: {
        fields: {
          position: wholeNumber,
          batches: wholeNumber,
          steps: wholeNumber,
          passes: wholeNumber,
          loss: numberRule({}),
          correct: wholeNumber,
          count: wholeNumber,
          seconds: numberFromZero,
          lr: numberFromZero,
        },
      },
    },
    passes: wholeNumber,
    options: optionsForm,
    updates: { optional: wholeNumber },
    bestEpoch: { optional: positiveInteger },
  },
}

/**
 * Writes a checkpoint into a folder. An older one is replaced: a crash at any moment leaves the
 * others whole.
 */
export async function writeCheckpoint(
  files: Files,
  folder: string,
  checkpoint: Checkpoint,
): Promise<void> {
  const { part, epochs } = checkpoint
  const name = part ? names.step : at(names.ends, epochs.length % 2)
  await files.write(`${folder}/${name}`, await checkpointParts(checkpoint))
}

/** A checkpoint as the bytes of a file, with a checksum of what it holds. */
export async function checkpointParts(
  checkpoint: Checkpoint,
): Promise<ReturnType<typeof safetensorsParts>> {
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
  const text = JSON.stringify(facts)
  return safetensorsParts(tensors, { checkpoint: text, sha256: await checksumOf(text, tensors) })
}

/**
 * The sha256 of everything in a checkpoint: its facts, and each tensor's name, shape and values. It
 * is computed beside the training: for 230 MB it takes half a second to a second of one core.
 */
async function checksumOf(facts: string, tensors: StateDict): Promise<string> {
  const listed: unknown[] = [facts]
  for (const [name, { shape, data }] of Object.entries(tensors))
    listed.push([name, shape, await sha256(data)])
  const [first, ...rest] = listed.map((one) => JSON.stringify(one))
  return sha256(new TextEncoder().encode([first, ...rest.sort()].join('\n')))
}

/** Removes the checkpoints of an earlier training. */
export async function clearCheckpoints(files: Files, folder: string): Promise<void> {
  for (const name of allNames) await files.remove(`${folder}/${name}`)
}

/**
 * Reads the newest checkpoint of a folder; null if there is none. If it is damaged, the newest one
 * that is not is used.
 * @param onDamaged called for each file that cannot be read while another one can
 * @throws WeightsError when there are files and none can be read
 */
export async function readCheckpoint(
  files: Files,
  folder: string,
  onDamaged: (message: string) => void = () => {},
): Promise<Checkpoint | null> {
  let newest: Checkpoint | null = null
  const damaged: Damaged[] = []
  // One after the other: each may have hundreds of megabytes.
  for (const name of allNames) {
    const found = await read(files, `${folder}/${name}`)
    if (found instanceof Damaged) damaged.push(found)
    else if (found && (!newest || isNewer(found, newest))) newest = found
  }
  const [first] = damaged
  if (!newest && first) throw new WeightsError(`${first.message}; delete it to start afresh`)
  for (const { message } of damaged)
    onDamaged(`${message}; delete it; training goes on from the checkpoint before it`)
  return newest
}

/** Whether training had come further than in another checkpoint. */
function isNewer(one: Checkpoint, than: Checkpoint): boolean {
  const epochs = one.epochs.length - than.epochs.length
  return epochs > 0 || (epochs === 0 && positionOf(one) > positionOf(than))
}

/** How far into its epoch a checkpoint is: 0 at the end of the one before. */
function positionOf({ part }: Checkpoint): number {
  return part?.position ?? 0
}

/** The end of an epoch, counted from 1, or null. */
export async function readEpochEnd(
  files: Files,
  folder: string,
  epoch: number,
): Promise<Checkpoint | null> {
  for (const name of names.ends) {
    const found = await read(files, `${folder}/${name}`)
    if (found && !(found instanceof Damaged) && found.epochs.length === epoch) return found
  }
  return null
}

/** Why a file is no checkpoint. */
class Damaged {
  readonly message: string

  constructor(path: string, why: string) {
    this.message = `${path} is not a checkpoint of Graft: ${why}`
  }
}

/** A file's checkpoint; null if there is no such file. */
async function read(files: Files, path: string): Promise<Checkpoint | Damaged | null> {
  const bytes = await files.read(path)
  if (bytes === null) return null
  try {
    return await parseCheckpoint(bytes)
  } catch (cause) {
    if (cause instanceof WeightsError) return new Damaged(path, cause.message)
    throw cause
  }
}

/**
 * Reads a checkpoint from the bytes of a file, which its arrays lie over.
 * @throws WeightsError for a file that is damaged, or none of these
 */
export async function parseCheckpoint(bytes: Uint8Array): Promise<Checkpoint> {
  const { tensors, metadata } = readSafetensors(bytes, { inPlace: true })
  const facts = metadata.checkpoint ?? '{}'
  // Files of older versions have no checksum.
  if (metadata.sha256 !== undefined && metadata.sha256 !== (await checksumOf(facts, tensors)))
    throw new WeightsError('its values do not match its checksum')
  try {
    return parse(facts, tensors)
  } catch (cause) {
    if (!(cause instanceof JsonProblem)) throw cause
    throw new WeightsError(`its metadata ${cause.message}`, { cause })
  }
}

function parse(text: string, tensors: StateDict): Checkpoint {
  const unprefixed = (prefix: string): StateDict =>
    Object.fromEntries(
      Object.entries(tensors)
        .filter(([name]) => name.startsWith(prefix))
        .map(([name, array]) => [name.slice(prefix.length), array]),
    )
  const facts = parseBounded(new TextEncoder().encode(text))
  const wrong = misfit(facts, factsForm)
  if (wrong !== null) throw new WeightsError(wrong)
  // Files of older versions lack what was added later.
  const { epochs, passes, options, part = null, updates = null, bestEpoch = null } = facts as Facts
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
