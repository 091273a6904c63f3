import { at } from '../../base/at.ts'
import { WeightsError } from '../../base/errors.ts'
import { option, optionText } from '../../base/optionText.ts'
import { listNames, quote } from '../arrays.ts'
import { chooseCopy } from '../copies.ts'
import { areAlexNets } from '../names.ts'
import { explain, PickleDict, PickleObject } from './pickleValues.ts'
import { objectsIn, type TorchTensor, tensorOf } from './torchTensor.ts'

/** The contents of a checkpoint's pickle; the tensors' numbers are not read yet. */
export interface Checkpoint {
  readonly tensors: ReadonlyMap<string, TorchTensor>
  readonly metadata: Record<string, string>
  /** What a person should know of where the tensors were found: one sentence each. */
  readonly remarks: readonly string[]
}

/** Metadata that Graft writes as JSON. Other values under these names mean something else. */
const structured = ['classes', 'preprocess']

/** A value in the saved object, and what it is in. */
interface Place {
  readonly value: unknown
  readonly key: string
  readonly parent: Place | null
}

/** A dictionary that holds tensors. */
interface Candidate {
  readonly place: Place
  readonly dict: PickleDict
  /** The names of its tensors that are text. */
  readonly names: readonly string[]
}

/**
 * Finds the state_dict in the saved object: the one dictionary, at any depth, that holds the
 * tensors of an AlexNet, or, where there is none, that holds tensors. Texts and numbers beside it
 * and in the dictionaries around it, and lists of texts as JSON, become metadata.
 *
 * @param key the path to it, if the caller knows: 'ema.state_dict'
 * @throws WeightsError if there is none, or several that are equally likely
 */
export function findStateDict(saved: unknown, key?: string): Checkpoint {
  const root: Place = { value: saved, key: '', parent: null }
  const start = key === undefined ? root : placeAt(root, key)
  const holders = Array.from(holdersIn(start))
  const alexNets = holders.filter(({ names }) => areAlexNets(names))
  const { candidate, remarks } = choose(alexNets.length > 0 ? alexNets : largest(holders), saved)
  const tensors = new Map<string, TorchTensor>()
  for (const [name, value] of candidate.dict.entries) {
    const tensor = tensorOf(value)
    // A quantized layer's weight and bias are a tuple. A nested dictionary is beside the tensors.
    if (value instanceof PickleObject || Array.isArray(value))
      for (const [path, object] of objectsIn(value)) {
        const full = [String(name), path].filter(Boolean).join('.')
        throw new WeightsError(`${quote(full)} in the state_dict is ${explain(object)}`)
      }
    if (!tensor) continue
    if (typeof name !== 'string')
      throw new WeightsError(
        'a tensor of the checkpoint has a name that is not text; save model.state_dict()',
      )
    tensors.set(name, tensor)
  }
  return {
    tensors,
    metadata: metadataAround(candidate),
    remarks: [...remarks, ...passedOver(saved)],
  }
}

/** Names the objects that are not read. */
function passedOver(saved: unknown): string[] {
  const objects = Array.from(objectsIn(saved), ([path, { type }]) => `${path} (${type})`)
  return objects.length > 0
    ? [`objects beside the weights are not read: ${listNames(objects)}`]
    : []
}

function choose(candidates: readonly Candidate[], saved: unknown) {
  if (candidates.length === 0) throw withoutTensors(saved)
  const paths = candidates.map(({ place }) => pathOf(place))
  const { chosen, remarks } = chooseCopy(paths, 'weightsKey', 'tensors are under')
  return { candidate: at(candidates, paths.indexOf(chosen)), remarks }
}

/** Those with the most tensors, where no AlexNet is; an optimizer's state is none of them. */
function largest(holders: readonly Candidate[]): readonly Candidate[] {
  const others = holders.filter(({ place }) => !/(?:^|\.)\w*optim/i.test(pathOf(place)))
  const most = Math.max(...others.map(({ names }) => names.length))
  return others.filter(({ names }) => names.length === most)
}

/** The dictionaries below a place that hold tensors, each once, the outermost first. */
function* holdersIn(start: Place): Generator<Candidate> {
  const seen = new Set<unknown>()
  const open = [start]
  // Places are added while this loop runs over them.
  for (const next of open) {
    const { value } = next
    if (seen.has(value)) continue
    seen.add(value)
    for (const place of inside(next)) open.push(place)
    if (!(value instanceof PickleDict)) continue
    const held = Array.from(value.entries).filter(([, item]) => tensorOf(item))
    const names = held.flatMap(([name]) => (typeof name === 'string' ? [name] : []))
    if (held.length > 0) yield { place: next, dict: value, names }
  }
}

/** The dictionaries and lists that a value holds. */
function inside(parent: Place): Place[] {
  const { value } = parent
  const items: Iterable<readonly [unknown, unknown]> =
    value instanceof PickleDict ? value.entries : Array.isArray(value) ? value.entries() : []
  return Array.from(items).flatMap(([key, item]) =>
    item instanceof PickleDict || Array.isArray(item)
      ? [{ value: item as unknown, key: String(key), parent }]
      : [],
  )
}

/** The place and all that are around it, from the inside to the outside. */
function* around(place: Place): Generator<Place> {
  for (let one: Place | null = place; one; one = one.parent) yield one
}

function pathOf(place: Place): string {
  return Array.from(around(place), ({ key }) => key)
    .slice(0, -1)
    .reverse()
    .join('.')
}

/** The value at a path; keys may have dots themselves. */
function placeAt(place: Place, path: string): Place {
  const found = path === '' ? place : find(place, path)
  if (found) return found
  const holders = Array.from(holdersIn(place), (holder) => pathOf(holder.place))
  throw new WeightsError(
    optionText`the checkpoint has no dictionary under ${quote(path)}; ${
      holders.length > 0 ? `tensors are under ${listNames(holders)}` : 'it has no tensors'
    }: correct ${option('weightsKey')}, or leave it out`,
  )
}

function find(parent: Place, path: string): Place | null {
  for (const place of inside(parent)) {
    if (path === place.key) return place
    const found = path.startsWith(`${place.key}.`)
      ? find(place, path.slice(place.key.length + 1))
      : null
    if (found) return found
  }
  return null
}

function withoutTensors(saved: unknown): WeightsError {
  const [first] = objectsIn(saved)
  if (first) {
    const [path, object] = first
    const where = path === '' ? 'the checkpoint' : `the checkpoint has no tensors; ${quote(path)}`
    return new WeightsError(`${where} is ${explain(object)}`)
  }
  if (!(saved instanceof PickleDict)) {
    const what = tensorOf(saved)
      ? 'a single tensor'
      : Array.isArray(saved)
        ? 'a list'
        : 'not a dictionary'
    return new WeightsError(
      `the checkpoint is ${what} instead of a state_dict; save model.state_dict()`,
    )
  }
  const keys = Array.from(saved.entries.keys()).filter((key) => typeof key === 'string')
  const found = keys.length > 0 ? `, only ${listNames(keys)}` : ': it is empty'
  return new WeightsError(`the checkpoint has no tensors${found}; save model.state_dict()`)
}

/** The texts of the dictionaries around the tensors, of theirs, and of its attribute. */
function metadataAround({ place, dict }: Candidate): Record<string, string> {
  const outermostFirst = Array.from(around(place), ({ value }) => value).reverse()
  return Object.fromEntries([
    ...outermostFirst
      .flatMap(textsOf)
      .filter(([name, text]) => !structured.includes(name) || text.startsWith('[')),
    ...textsOf(dict.attributes?.entries.get('metadata')),
  ])
}

function textsOf(dict: unknown): [string, string][] {
  if (!(dict instanceof PickleDict)) return []
  return Array.from(dict.entries).flatMap(([key, value]): [string, string][] => {
    if (typeof key !== 'string') return []
    if (typeof value === 'string') return [[key, value]]
    if (typeof value === 'number' || typeof value === 'boolean') return [[key, String(value)]]
    const texts =
      Array.isArray(value) && value.length > 0 && value.every((item) => typeof item === 'string')
    return texts ? [[key, JSON.stringify(value)]] : []
  })
}
