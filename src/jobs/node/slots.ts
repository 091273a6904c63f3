/**
 * What a worker's place in a training by rounds is made of: its part of the images, and how it
 * trains on them. It lies in the work store, named by its content.
 */
import { at } from '../../base/at.ts'
import { type Form, misfit } from '../../base/form.ts'
import { isRecord, JsonProblem, parseBounded } from '../../base/json.ts'
import { numberRule, rule, text } from '../../base/rule.ts'
import { sha256 } from '../../base/sha256.ts'
import { type Sample, type SampleList, sampleAt } from '../../data/dataset.ts'
import { isStored } from '../../host/host.ts'
import type { Store } from '../../store/store.ts'
import { storedImage } from '../../store/storedImage.ts'
import type { FitOptions } from '../../train/fitOptions.ts'
import { optionNames, specs } from '../../train/options/table.ts'
import { JobError } from '../job.ts'
import { imageOf, mostImages, putShard, readShard } from '../shards.ts'
import { hash } from './models.ts'

/** The training of one slot. */
export interface Slot {
  /** The address that its images lie below. */
  readonly data: string
  /** Its images, in their order: files of shards, and the class of each image. */
  readonly shards: readonly { readonly hash: string; readonly labels: readonly number[] }[]
  /** The names of the parameters that do not train. */
  readonly frozen: readonly string[]
  /** Options of `fit` that decide the bytes. */
  readonly options: FitOptions
}

const form: Form<Omit<Slot, 'options'>> & { readonly fields: object } = {
  fields: {
    data: text,
    shards: { each: { fields: { hash, labels: { each: numberRule({ integer: true, min: 0 }) } } } },
    frozen: { each: text },
  },
}
const optionsRule = rule('options of a training that decide its bytes', (value) => {
  if (!isRecord(value)) return false
  return Object.keys(value).every((key) => deciding.some((name) => name === key))
})

/** The options of `fit` that a slot may have. */
export const deciding = optionNames.filter((name) =>
  ['bits', 'with a schedule'].includes(specs[name].decisive),
)

const mostBytes = 2 ** 26
const mostValues = 4_000_000
const pathOf = (name: string) => `slots/${name}.json`

/**
 * Divides images among slots: by chance, evenly, each slot's in the order of the whole.
 * @returns the images of each slot
 */
export function divideAmong(samples: SampleList, order: Uint32Array, slots: number): Sample[][] {
  return Array.from({ length: slots }, (_, slot) =>
    order
      .filter((_, i) => i % slots === slot)
      .sort()
      .reduce<Sample[]>((own, index) => {
        own.push(sampleAt(samples, index))
        return own
      }, []),
  )
}

/**
 * Writes a slot into the work store, if it is not there.
 * @param root the address that its images lie below
 * @returns the sha256 that names it
 */
export async function putSlot(
  work: Store,
  samples: readonly Sample[],
  root: string,
  how: Pick<Slot, 'frozen' | 'options'>,
): Promise<string> {
  const shards: { hash: string; labels: number[] }[] = []
  for (let start = 0; start < samples.length; start += mostImages) {
    const part = samples.slice(start, start + mostImages)
    const images = part.map(({ source, name }) => {
      if (!isStored(source)) throw new JobError(`${name} is in no store: workers cannot read it`)
      return imageOf(source, name, root)
    })
    shards.push({ hash: await putShard(work, images), labels: part.map(({ label }) => label) })
  }
  const slot: Slot = { data: root, shards, frozen: how.frozen, options: how.options }
  const bytes = new TextEncoder().encode(JSON.stringify(slot))
  const name = await sha256(bytes)
  await work.write(pathOf(name), bytes, { ifAbsent: true })
  return name
}

/**
 * Reads a slot, which anybody may have written who reaches the store.
 * @throws JobError for one that Graft would not have written
 */
export async function readSlot(work: Store, name: string): Promise<Slot> {
  const where = `${work.address}/${pathOf(name)}`
  const found = await work.stat(pathOf(name))
  if (found && found.bytes > mostBytes)
    throw new JobError(`${where} has more than ${mostBytes} bytes`)
  const bytes = await work.read(pathOf(name))
  if ((await sha256(bytes)) !== name)
    throw new JobError(`${where} has another content than its name says`)
  let slot: unknown
  try {
    slot = parseBounded(bytes, mostValues)
  } catch (cause) {
    if (!(cause instanceof JsonProblem)) throw cause
    throw new JobError(`${where} ${cause.message}`, { cause })
  }
  const options = isRecord(slot) ? slot.options : undefined
  const wrong =
    misfit(slot, form) ??
    (optionsRule.fits(options) ? null : `options has to be ${optionsRule.words}`)
  if (wrong !== null) throw new JobError(`${where} is no slot of a training: ${wrong}`)
  return slot as Slot
}

/**
 * The images of a slot, each of which is read when it is needed.
 * @throws JobError for shards that do not fit the slot
 */
export async function samplesOf(work: Store, data: Store, slot: Slot): Promise<Sample[]> {
  const samples: Sample[] = []
  for (const { hash, labels } of slot.shards) {
    const images = await readShard(work, hash)
    if (images.length !== labels.length)
      throw new JobError(`a shard of ${images.length} images has ${labels.length} classes`)
    for (const [i, { name, path, bytes, version, start }] of images.entries()) {
      const member = start === undefined ? undefined : { start, bytes }
      const source = storedImage(data, { path, bytes, version }, member)
      samples.push({ source, name, label: at(labels, i) })
    }
  }
  return samples
}
