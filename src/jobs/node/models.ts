/**
 * Networks by reference: their values and what their layers follow from lie in the work store,
 * named by their content. Workers keep the files on their disk, and the last few networks on the
 * GPU.
 */
import { readdir, rm, stat, utimes } from 'node:fs/promises'
import { join } from 'node:path'
import { GraftError } from '../../base/errors.ts'
import { type Form, misfit } from '../../base/form.ts'
import { JsonProblem, parseBounded } from '../../base/json.ts'
import { writeFileAtomic } from '../../base/node/atomicFile.ts'
import { cacheFolder } from '../../base/node/cacheFolder.ts'
import { makeFolder } from '../../base/node/folder.ts'
import { ReadError, readInput } from '../../base/node/inputFile.ts'
import { choiceRule, rule, wholeNumber } from '../../base/rule.ts'
import { sha256 } from '../../base/sha256.ts'
import { requireFinite } from '../../base/stateDict.ts'
import type { Network } from '../../nn/network.ts'
import type { Store } from '../../store/store.ts'
import type { Engine } from '../../tensor/tensor.ts'
import { type Build, builtAgain } from '../../train/runConfig.ts'
import { architectureForm, classNamesForm, isOfSize } from '../../train/runForms.ts'
import type { Trust } from '../../train/trust.ts'
import { parseTrust, trustText } from '../../train/trustFile.ts'
import { readSafetensors } from '../../weights/safetensors.ts'
import { JobError } from '../job.ts'

/** What a network's layers follow from, and what its outputs are called. */
export interface ModelDescription extends Omit<Build, 'classes'> {
  readonly classes: readonly string[]
}

/** Two files of the work store: the sha256 of each, which names it. */
export interface ModelReference {
  /** Arrays by name, in safetensors. */
  readonly values: string
  /** A ModelDescription. */
  readonly layers: string
}

const isHash = (value: unknown) => typeof value === 'string' && /^[0-9a-f]{64}$/.test(value)
export const hash = rule('a sha256 in hexadecimal', isHash)
export const hashOrNull = rule('a sha256 in hexadecimal, or null', (value) => {
  return value === null || isHash(value)
})

export const modelForm: Form<ModelReference> = { fields: { values: hash, layers: hash } }

const descriptionForm: Form<ModelDescription> = {
  fields: {
    architecture: architectureForm,
    cut: rule('a text or null', (value) => value === null || typeof value === 'string'),
    replace: choiceRule(['last', 'all']),
    seed: wholeNumber,
    classes: classNamesForm,
  },
}

/** The most bytes of the two files. */
const mostValueBytes = 2 ** 31
const mostLayerBytes = 2 ** 26
const pathOf = (name: string, extension: string) => `models/${name}.${extension}`

/** Writes a network into the work store, if it is not there. */
export async function putModel(
  work: Store,
  values: Uint8Array,
  description: ModelDescription,
): Promise<ModelReference> {
  const { architecture, cut, replace, seed, classes } = description
  const layers = new TextEncoder().encode(
    JSON.stringify({ architecture, cut, replace, seed, classes }),
  )
  const name = await putContent(work, layers, 'json')
  return { values: await putValues(work, values), layers: name }
}

/** Writes a file of values into the work store, if it is not there, and returns its name. */
export function putValues(work: Store, values: Uint8Array): Promise<string> {
  return putContent(work, values, 'safetensors')
}

/** Removes a file of values that no job needs any more. */
export async function dropValues(work: Store, name: string): Promise<void> {
  await work.remove(pathOf(name, 'safetensors'))
}

/** Writes into the work store what tells images of other kinds, and returns its sha256. */
export function putTrust(work: Store, trust: Trust): Promise<string> {
  return putContent(work, new TextEncoder().encode(trustText(trust)), 'trust.json')
}

/** Writes a file that is named by its content, if it is not there, and returns its sha256. */
async function putContent(work: Store, bytes: Uint8Array, extension: string): Promise<string> {
  const name = await sha256(bytes)
  await work.write(pathOf(name, extension), bytes, { ifAbsent: true })
  return name
}

/** The content of such a file. @throws JobError for one that is not as its name says */
export async function trustOf(work: Store, name: string): Promise<Trust> {
  const bytes = await contentOf(work, name, 'trust.json', mostLayerBytes)
  try {
    return parseTrust(bytes, `${work.address}/${pathOf(name, 'trust.json')}`)
  } catch (cause) {
    if (!(cause instanceof GraftError)) throw cause
    throw new JobError(cause.message, { cause })
  }
}

/** Models on a GPU that are not in use; the one used last is the last. */
const mostOnGpu = 2
const onGpu = new WeakMap<Engine, Map<string, Promise<Network>>>()

/**
 * The network of a reference, which stays on the GPU for the next job. Jobs compute one after the
 * other, so that none is using one that gives way to another.
 * @throws JobError for files that are not as their names say, or no network
 */
export async function modelOf(
  engine: Engine,
  work: Store,
  reference: ModelReference,
): Promise<Network> {
  const models = onGpu.get(engine) ?? new Map<string, Promise<Network>>()
  onGpu.set(engine, models)
  const key = `${work.address} ${reference.values} ${reference.layers}`
  const model = models.get(key) ?? readModel(engine, work, reference)
  models.delete(key)
  models.set(key, model)
  model.catch(() => models.delete(key))
  for (const [oldest, unused] of models) {
    if (models.size <= mostOnGpu) break
    models.delete(oldest)
    await unused.then(
      (network) => network.dispose(),
      () => {},
    )
  }
  return model
}

/**
 * The network of a reference, as another object each time: for who changes it, and disposes of it.
 * @throws JobError for files that are not as their names say, or no network
 */
export async function readModel(
  engine: Engine,
  work: Store,
  { values, layers }: ModelReference,
): Promise<Network> {
  const where = `${work.address}/${pathOf(layers, 'json')}`
  const description = parsed(await contentOf(work, layers, 'json', mostLayerBytes), where)
  const { classes } = description
  const bytes = await valuesOf(work, values)
  const model = await builtAgain(engine, { ...description, classes: classes.length })
  try {
    const { tensors } = readSafetensors(bytes, { inPlace: true })
    requireFinite(tensors, pathOf(values, 'safetensors'))
    model.missing = model.loadStateDict(tensors, { strict: false }).missing
    // What trains is no affair of a job's, and what is frozen runs as it does in training.
    for (const parameter of model.parameters()) parameter.trainable = false
  } catch (error) {
    model.dispose()
    if (!(error instanceof GraftError)) throw error
    const { message } = error
    throw new JobError(`${work.address}/${pathOf(values, 'safetensors')}: ${message}`, {
      cause: error,
    })
  }
  model.classNames = classes
  return model
}

function parsed(bytes: Uint8Array, where: string): ModelDescription {
  try {
    const value = parseBounded(bytes)
    const wrong = misfit(value, descriptionForm)
    if (wrong !== null) throw new JobError(`${where} describes no network: ${wrong}`)
    const description = value as ModelDescription
    if (!isOfSize(description.architecture))
      throw new JobError(`${where} describes a network that is too large`)
    return description
  } catch (cause) {
    if (!(cause instanceof JsonProblem)) throw cause
    throw new JobError(`${where} ${cause.message}`, { cause })
  }
}

/** A file of the work store that is named by its content. */
async function contentOf(
  work: Store,
  name: string,
  extension: string,
  most: number,
): Promise<Uint8Array> {
  const path = pathOf(name, extension)
  const found = await work.stat(path)
  if (found && found.bytes > most)
    throw new JobError(`${work.address}/${path} has more than ${most} bytes`)
  const bytes = await work.read(path)
  if ((await sha256(bytes)) === name) return bytes
  throw new JobError(`${work.address}/${path} has another content than its name says`)
}

/** How many files of values stay on the disk. */
const mostOnDisk = 8

/** A file of values by its name; those that were used last stay on this machine's disk. */
export async function valuesOf(work: Store, name: string): Promise<Uint8Array> {
  const read = () => contentOf(work, name, 'safetensors', mostValueBytes)
  if (work.address.startsWith('file:')) return read()
  const folder = join(cacheFolder(), 'models')
  const file = join(folder, `${name}.safetensors`)
  const kept = await readInput(file, mostValueBytes).catch((error: unknown) => {
    if (error instanceof ReadError) return null
    throw error
  })
  if (kept && (await sha256(kept)) === name) {
    await utimes(file, new Date(), new Date()).catch(() => {})
    return kept
  }
  const bytes = await read()
  // A disk that takes no more costs time, and no job.
  await keep(folder, file, bytes).catch(() => {})
  return bytes
}

async function keep(folder: string, file: string, bytes: Uint8Array): Promise<void> {
  await makeFolder(folder)
  await writeFileAtomic(file, bytes)
  const names = (await readdir(folder)).filter((name) => name.endsWith('.safetensors'))
  const files = await Promise.all(
    names.map(async (name) => {
      const path = join(folder, name)
      return { path, used: (await stat(path)).mtimeMs }
    }),
  )
  const old = files.sort((a, b) => b.used - a.used).slice(mostOnDisk)
  await Promise.all(old.map(({ path }) => rm(path, { force: true })))
}
