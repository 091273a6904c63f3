/**
 * Reads the files of torch.save: since PyTorch 1.6 a ZIP (`data.pkl` and one entry for each
 * storage), before that a stream of pickles followed by the storages. Source: PyTorch,
 * torch/serialization.py (`_load`, `_legacy_load`).
 */
import { WeightsError } from '../../base/errors.ts'
import { type ArchiveEntry, readArchive } from '../archive.ts'
import { fetchAgain, quote } from '../arrays.ts'
import type { WeightsFile } from '../safetensors.ts'
import { type ByteSource, bytesSource, requireRoom } from '../source.ts'
import { findStateDict } from './checkpoint.ts'
import { isExported, readExported } from './exported.ts'
import { materialize } from './materialize.ts'
import { maxPickleBytes, readPickle } from './pickle.ts'
import type { PickleRules } from './pickleMachine.ts'
import { PickleTruncated } from './pickleReader.ts'
import { PickleDict } from './pickleValues.ts'
import { storedBytes, TorchRules } from './torchRules.ts'
import type { TorchStorage } from './torchTensor.ts'

/** The first value of the older format: torch.save's magic number. */
const magic = 0x1950a86a20f9469cfc6cn
const protocolVersion = 1001

/** Whether a ZIP is PyTorch's: a checkpoint, with a data.pkl in its folder, or an export. */
export function isTorchArchive(archive: ReadonlyMap<string, ArchiveEntry>): boolean {
  return (pickleOf(archive) ?? stateFileOf(archive)) !== undefined || isExported(archive)
}

function pickleOf(archive: ReadonlyMap<string, ArchiveEntry>): ArchiveEntry | undefined {
  return Array.from(archive.values()).find(({ name }) => /^[^/]+\/data\.pkl$/.test(name))
}

/** The checkpoint inside of an archive, where torch.export put one until PyTorch 2.8. */
function stateFileOf(archive: ReadonlyMap<string, ArchiveEntry>): ArchiveEntry | undefined {
  return Array.from(archive.values()).find(({ name }) =>
    /^(serialized_state_dict|[^/]+\/data\/weights\/[^/]+)\.pt$/.test(name),
  )
}

/** Whether a file starts as a pickle: of protocol 2 to 5, or of 1 with the magic number. */
export function isTorchStream(start: string): boolean {
  const protocol = start.charCodeAt(1)
  return (
    (start.startsWith('\x80') && protocol >= 2 && protocol <= 5) || start.startsWith(`L${magic}L\n`)
  )
}

/**
 * Reads the ZIP format.
 * @param archive the ZIP's files
 * @param key the path to the state_dict in the saved object, if the caller knows it
 * @throws WeightsError for a file that is not a valid checkpoint
 */
export async function readTorchArchive(
  source: ByteSource,
  archive: ReadonlyMap<string, ArchiveEntry>,
  key?: string,
): Promise<WeightsFile> {
  if (isExported(archive)) return readExportedArchive(source, archive, key)
  const stateFile = stateFileOf(archive)
  if (stateFile) {
    requireRoom('its checkpoint', stateFile.size, source.size)
    const inner = bytesSource(await stateFile.read())
    return readSavedArchive(inner, await readArchive(inner), key)
  }
  return readSavedArchive(source, archive, key)
}

async function readSavedArchive(
  source: ByteSource,
  archive: ReadonlyMap<string, ArchiveEntry>,
  key?: string,
): Promise<WeightsFile> {
  const pickle = pickleOf(archive)
  if (!pickle) throw new WeightsError('the archive has no data.pkl: it is not a PyTorch checkpoint')
  const folder = pickle.name.slice(0, -'data.pkl'.length)
  for (const name of archive.keys()) requirePlainName(name, folder)
  if (archive.has(`${folder}constants.pkl`))
    throw new WeightsError(
      'this is a TorchScript archive, a program; save its tensors alone: ' +
        "torch.save(torch.jit.load('FILE').state_dict(), 'weights.pth')",
    )
  await requireLittleEndian(archive.get(`${folder}byteorder`))
  const rules = new TorchRules()
  requireRoom('its pickle', pickle.size, source.size)
  const { tensors, ...about } = findStateDict(
    readPickle(await readBounded(pickle, maxPickleBytes), rules).value,
    key,
  )
  const read = (storage: TorchStorage) => {
    const entry = entryOf(storage, archive, `${folder}data/`)
    const size = bytesUnder(storage.key, rules)
    if (entry.size !== size)
      throw new WeightsError(
        `storage ${quote(storage.key)} has ${entry.size} bytes ` +
          `where its pickle calls for ${size}; damaged`,
      )
    return entry.read()
  }
  return { tensors: await materialize(tensors, read, source.size), ...about }
}

/** Reads a program of torch.export; its tensors are those of a state_dict. */
async function readExportedArchive(
  source: ByteSource,
  archive: ReadonlyMap<string, ArchiveEntry>,
  key?: string,
): Promise<WeightsFile> {
  const { saved, folder } = await readExported(archive)
  await requireLittleEndian(archive.get(folder.replace('data/weights/', 'byteorder')))
  const { tensors, ...about } = findStateDict(saved, key)
  const read = async (storage: TorchStorage) => {
    const entry = entryOf(storage, archive, folder)
    return entry.read()
  }
  return { tensors: await materialize(tensors, read, source.size), ...about }
}

function entryOf(
  { key }: TorchStorage,
  archive: ReadonlyMap<string, ArchiveEntry>,
  folder: string,
): ArchiveEntry {
  const entry = archive.get(`${folder}${key}`)
  if (entry) return entry
  throw new WeightsError(`the archive lacks the storage ${quote(key)}; ${fetchAgain}`)
}

/**
 * The folder is called as the file was, whatever that is; the names in it and beside it are plain.
 * @throws WeightsError for a name that leads elsewhere, which no program writes by mistake
 */
function requirePlainName(name: string, folder: string): void {
  const inside = name.startsWith(folder) ? name.slice(folder.length) : name
  const parts = inside.split(/[\\/]/)
  if (!parts.some((part) => ['', '.', '..'].includes(part)) && !/\0|^[a-z]:\\/i.test(inside)) return
  throw new WeightsError(
    `the archive has an entry ${quote(name)}, which leads out of it; save the checkpoint again`,
  )
}

/** Bytes that the file must have under a key. */
function bytesUnder(key: string, { storages }: TorchRules): number {
  const stored = storages.get(key)
  if (!stored) throw new RangeError(`no storage ${key}`)
  return storedBytes(stored)
}

/** PyTorch only stores, but reads what others deflated too: a size says nothing of the file's. */
function readBounded(entry: ArchiveEntry, most: number): Promise<Uint8Array<ArrayBuffer>> {
  if (entry.size > most)
    throw new WeightsError(
      `${quote(entry.name)} in the archive takes ${entry.size} bytes, which no checkpoint has`,
    )
  return entry.read()
}

async function requireLittleEndian(entry: ArchiveEntry | undefined): Promise<void> {
  if (!entry) return
  const order = new TextDecoder().decode(await readBounded(entry, 16)).trim()
  if (order !== 'little')
    throw new WeightsError(
      `the checkpoint's byte order is ${quote(order)}; save it again on a little-endian machine`,
    )
}

/**
 * Reads the older format.
 * @param key the path to the state_dict in the saved object, if the caller knows it
 * @throws WeightsError for a file that is not a valid checkpoint
 */
export async function readTorchStream(source: ByteSource, key?: string): Promise<WeightsFile> {
  const rules = new TorchRules()
  const stream = new PickleStream(source, rules)
  if ((await stream.next()) !== magic)
    throw new WeightsError(
      'the pickle was not written by torch.save; write it again: ' +
        "torch.save(pickle.load(open('FILE', 'rb')), 'weights.pth')",
    )
  const version = await stream.next()
  if (version !== protocolVersion)
    throw new WeightsError(
      `the checkpoint's format is not ${protocolVersion}, the one that is read; ` +
        'save it again with torch.save',
    )
  const system = await stream.next()
  if (!(system instanceof PickleDict) || system.entries.get('little_endian') !== true)
    throw new WeightsError(
      'the checkpoint does not say that it is little-endian; ' +
        'save it again with torch.save on a little-endian machine',
    )
  const { tensors, ...about } = findStateDict(await stream.next(), key)
  const places = await findStorages(source, await stream.next(), stream.position, rules)
  const read = ({ key }: TorchStorage) => {
    const place = places.get(key)
    if (!place)
      throw new WeightsError(`the checkpoint lacks the storage ${quote(key)}; ${fetchAgain}`)
    return source.read(place.begin, place.length)
  }
  return { tensors: await materialize(tensors, read, source.size), ...about }
}

/** The place of each storage: they follow one another, each after its length in 8 bytes. */
async function findStorages(source: ByteSource, keys: unknown, start: number, rules: TorchRules) {
  if (!Array.isArray(keys))
    throw new WeightsError('the checkpoint has no list of its storages: damaged')
  const places = new Map<string, { readonly begin: number; readonly length: number }>()
  let at = start
  for (const name of keys) {
    const key = typeof name === 'number' ? String(name) : name
    if (typeof key !== 'string')
      throw new WeightsError('the checkpoint lists a storage without a name: damaged')
    const storage = rules.storages.get(key)
    if (!storage || places.has(key))
      throw new WeightsError(
        `the checkpoint lists the storage ${quote(key)} twice, or no tensor uses it: damaged`,
      )
    const head = await source.read(at, 8)
    const found = new DataView(head.buffer).getBigInt64(0, true)
    if (found !== BigInt(storage.length))
      throw new WeightsError(
        `storage ${quote(key)} has ${found} numbers ` +
          `where its pickle calls for ${storage.length}: damaged`,
      )
    const length = storedBytes(storage)
    places.set(key, { begin: at + 8, length })
    at += 8 + length
  }
  return places
}

/**
 * Pickles that follow one another in a file. None tells its length, so more of the file is read
 * until the pickle ends.
 */
class PickleStream {
  position = 0
  readonly #source: ByteSource
  readonly #rules: PickleRules

  constructor(source: ByteSource, rules: PickleRules) {
    this.#source = source
    this.#rules = rules
  }

  async next(): Promise<unknown> {
    const rest = this.#source.size - this.position
    for (let length = 2 ** 16; ; length *= 4) {
      try {
        const { value, end } = readPickle(
          await this.#source.read(this.position, Math.min(length, rest)),
          this.#rules,
        )
        this.position += end
        return value
      } catch (error) {
        if (!(error instanceof PickleTruncated) || length >= rest) throw error
        if (length >= maxPickleBytes)
          throw new WeightsError(
            `the pickle is longer than ${maxPickleBytes} bytes, which no checkpoint has`,
          )
      }
    }
  }
}
