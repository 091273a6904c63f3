import { createHash, randomUUID } from 'node:crypto'
import { type FileHandle, readdir, rm, stat, utimes } from 'node:fs/promises'
import { join } from 'node:path'
import { at } from '../base/at.ts'
import { GraftError, WeightsError } from '../base/errors.ts'
import { writeFileAtomic } from '../base/node/atomicFile.ts'
import { cacheFolder } from '../base/node/cacheFolder.ts'
import { makeFolder } from '../base/node/folder.ts'
import { openInput, readRange } from '../base/node/inputFile.ts'
import { checkOptions } from '../base/options.ts'
import { encodedBytes } from '../host/node/decode.ts'
import { headBytes, headerEnd } from '../weights/safetensorsHeader.ts'
import type { Sample } from './dataset.ts'
import type { FeatureStore, Place, Sought, FeatureTable as Table } from './featureStore.ts'
import { contentKey, FileStates, type ImageKeys } from './imageKeys.ts'
import {
  bytesOf,
  bytesOfFile,
  checksum,
  joinedRows,
  lengthBytes,
  type Rows,
  type RowsHeader,
  readRows,
  rowsHeader,
  rowsLayout,
  writeRows,
} from './rowsFile.ts'

const extension = '.safetensors'
const defaultLimit = 8 * 2 ** 30

/** A file of rows. */
interface Segment extends RowsHeader {
  readonly path: string
  /** The place of its first row. */
  readonly first: Place
  /**
   * The file, read once to verify it, and kept open so that it stays readable if another process
   * removes it; null if it is damaged or gone. Not set until one of its rows is wanted.
   */
  file?: Promise<FileHandle | null>
}

/**
 * The outputs of frozen layers, kept on disk between runs. A table belongs to one way of computing
 * rows (weights, cut, preprocessing). In it a row is found by the sha256 of its image's encoded
 * bytes, which are not even read if the file is known to be unchanged. Rows are written in files of
 * up to 32 MiB that are complete from the moment they have their name and never change, so that
 * several programs can use one folder at the same time. Each file holds the sha256 of its rows; one
 * that does not match is removed. Above the limit, the least recently used files are removed.
 * @example await fit(model, data, { epochs: 20, featureCache: new FeatureCache() })
 */
export class FeatureCache implements FeatureStore {
  readonly folder: string
  /** The most bytes that its files may take. */
  readonly limit: number

  /**
   * @param options `folder`: by default `features` in the folder that GRAFT_CACHE names, or else in
   * `graft` in the user's folder for caches (~/.cache or XDG_CACHE_HOME, ~/Library/Caches,
   * LOCALAPPDATA). `limit`: in bytes, 8 GiB by default
   */
  constructor(options: { readonly folder?: string; readonly limit?: number } = {}) {
    checkOptions('FeatureCache', options, ['folder', 'limit'])
    this.folder = options.folder ?? join(cacheFolder(), 'features')
    this.limit = options.limit ?? defaultLimit
  }

  /**
   * The rows that were computed in one way.
   * @param key names that way, in characters that a file name can have
   * @param width numbers per row
   */
  table(key: string, width: number): FeatureTable {
    return new FeatureTable(this, key, width)
  }

  /** A name for a table, from everything that its rows depend on. */
  nameOf(parts: readonly (string | Float32Array)[]): string {
    const hash = createHash('sha256').update(rowsLayout)
    for (const part of parts) hash.update(typeof part === 'string' ? part : bytesOf(part))
    return hash.digest('hex')
  }

  /** Removes the least recently used files until `bytes` more fit; returns whether they do. */
  async makeRoom(bytes: number, keep: ReadonlySet<string>): Promise<boolean> {
    const files = await this.#files()
    const kept = files.filter(({ path }) => keep.has(path)).reduce((sum, { size }) => sum + size, 0)
    if (kept + bytes > this.limit) return false
    let total = files.reduce((sum, file) => sum + file.size, bytes)
    for (const { path, size } of files.sort((a, b) => a.used - b.used)) {
      if (total <= this.limit) break
      if (keep.has(path)) continue
      // Windows does not remove a file that is open.
      if (await removed(path)) total -= size
    }
    return total <= this.limit
  }

  async #files(): Promise<
    { readonly path: string; readonly size: number; readonly used: number }[]
  > {
    const names = await readdir(this.folder, { recursive: true }).catch(() => [])
    const found = await Promise.all(
      names.map(async (name) => {
        const path = join(this.folder, name)
        const state = await stat(path).catch(() => null)
        return state?.isFile() ? [{ path, size: state.size, used: state.mtimeMs }] : []
      }),
    )
    return found.flat()
  }
}

/** The rows of one way of computing them. */
export class FeatureTable implements Table {
  readonly #cache: FeatureCache
  readonly #folder: string
  readonly #width: number
  readonly #segments: Segment[] = []
  /** Places by both kinds of keys, those of damaged files included. */
  readonly #places = new Map<string, Place>()
  readonly #states = new FileStates()
  #rowsInFiles = 0
  /** Rows that are not in a file yet. */
  #keys: ImageKeys[] = []
  #pending: Float32Array | null = null

  constructor(cache: FeatureCache, key: string, width: number) {
    this.#cache = cache
    this.#folder = join(cache.folder, key)
    this.#width = width
  }

  /** The number of rows in files: their places are below it. */
  get rowsInFiles(): number {
    return this.#rowsInFiles
  }

  /**
   * Finds the rows of earlier runs by the headers of their files. Files that do not belong to the
   * table are removed.
   */
  async open(): Promise<void> {
    const names = (await readdir(this.#folder).catch(() => []))
      .filter((name) => name.endsWith(extension))
      .sort()
    for (const name of names) {
      const path = join(this.#folder, name)
      const header = await readHeader(path, this.#width)
      if (header === 'damaged') await removed(path)
      else if (header !== 'gone') this.#keep({ path, ...header })
    }
  }

  #keep(file: Omit<Segment, 'first'>): void {
    const first = this.#rowsInFiles
    this.#segments.push({ ...file, first })
    this.#rowsInFiles += file.keys.length
    for (const [row, one] of file.keys.entries()) this.#note(one, first + row)
  }

  #note({ content, state }: ImageKeys, place: Place): void {
    this.#places.set(content, place)
    if (state !== null) this.#places.set(state, place)
  }

  /**
   * Looks for an image's row: by its file's state first, then by its bytes.
   * @throws DataError for an image that cannot be read
   */
  async seek({ source, name }: Pick<Sample, 'source' | 'name'>): Promise<Sought> {
    const state = await this.#states.keyOf(source)
    const unread = await this.#whole(state)
    if (unread !== null) return { place: unread }
    const bytes = await encodedBytes(source, name)
    const content = contentKey(bytes)
    const place = await this.#whole(content)
    return place === null ? { bytes, keys: { content, state } } : { place }
  }

  /** The place of a key whose row can be read. */
  async #whole(key: string | null): Promise<Place | null> {
    const place = key === null ? undefined : this.#places.get(key)
    if (place === undefined) return null
    const segment = this.#segmentOf(place)
    return !segment || (await this.#fileOf(segment)) ? place : null
  }

  /** Null for rows that are in no file yet. */
  #segmentOf(place: Place): Segment | null {
    let [low, high] = [0, this.#segments.length]
    while (low < high) {
      const middle = (low + high) >> 1
      const { first, keys } = at(this.#segments, middle)
      if (place < first) high = middle
      else if (place < first + keys.length) return at(this.#segments, middle)
      else low = middle + 1
    }
    return null
  }

  #fileOf(segment: Segment): Promise<FileHandle | null> {
    segment.file ??= openWhole(segment)
    return segment.file
  }

  /**
   * Adds a row. It is on disk after `flush`, or when its file is full and the next row is added.
   * @returns its place
   * @throws GraftError with code `write` if a full file cannot be written or the cache's limit
   * leaves no room for it; then the row is not added, and the rows of that file can still be read
   */
  async add(keys: ImageKeys, row: Float32Array): Promise<Place> {
    this.#pending ??= new Float32Array(
      this.#width * Math.max(1, Math.floor(bytesOfFile / (4 * this.#width))),
    )
    if (this.#keys.length * this.#width === this.#pending.length) await this.flush()
    this.#pending.set(row, this.#keys.length * this.#width)
    const place = this.#rowsInFiles + this.#keys.length
    this.#keys.push(keys)
    this.#note(keys, place)
    return place
  }

  /**
   * Writes the rows added since the last file.
   * @throws GraftError as `add` does
   */
  async flush(): Promise<void> {
    const [keys, pending] = [this.#keys, this.#pending]
    if (keys.length === 0 || !pending) return
    const data = pending.subarray(0, keys.length * this.#width)
    const { bytes, ...header } = writeRows({ keys, data })
    const path = await this.#write(randomUUID(), bytes)
    this.#keys = []
    // Just written, so it need not be verified by reading it.
    this.#keep({
      path,
      ...header,
      file: openInput(path).then(
        ({ file }) => file,
        () => null,
      ),
    })
  }

  /**
   * Writes a file of the table.
   * @param name without the extension
   */
  async #write(name: string, bytes: Uint8Array): Promise<string> {
    const { folder, limit } = this.#cache
    const kept = new Set(this.#segments.map(({ path }) => path))
    if (!(await this.#cache.makeRoom(bytes.length, kept)))
      throw new GraftError('write', `the features in ${folder} would take more than ${limit} bytes`)
    const path = join(this.#folder, `${name}${extension}`)
    await makeFolder(this.#folder).catch((cause: Error) => {
      throw new GraftError('write', `cannot make ${this.#folder}: ${cause.message}`, { cause })
    })
    await writeFileAtomic(path, bytes)
    return path
  }

  /**
   * Takes over files of rows that were computed elsewhere, as one file.
   * @param name the file's, which says what it holds; one that is there already is kept
   * @param parts give the bytes of the files
   * @returns the first part that is no file of this table as it was written; then nothing is taken
   * @throws GraftError as `add` does
   */
  async adopt(name: string, parts: readonly (() => Promise<Uint8Array>)[]): Promise<number | null> {
    const path = join(this.#folder, `${name}${extension}`)
    if (this.#segments.some((segment) => segment.path === path)) return null
    const read: Rows[] = []
    for (const [i, part] of parts.entries()) {
      const rows = readRows(await part(), this.#width)
      if (!rows) return i
      read.push(rows)
    }
    const { bytes, ...header } = writeRows(joinedRows(read))
    this.#keep({ path: await this.#write(name, bytes), ...header })
    return null
  }

  /** Reads rows by their places into `into`, one after the other. */
  async read(places: ArrayLike<Place>, into: Float32Array): Promise<void> {
    const bytes = bytesOf(into)
    const rowBytes = 4 * this.#width
    const reads = Array.from(places, async (place, i) => {
      const segment = this.#segmentOf(place)
      if (!segment) {
        const row = place - this.#rowsInFiles
        if (!this.#pending || row < 0 || row >= this.#keys.length)
          throw new RangeError(`there is no row at ${place}`)
        into.set(
          this.#pending.subarray(row * this.#width, (row + 1) * this.#width),
          i * this.#width,
        )
        return
      }
      const file = await this.#fileOf(segment)
      const start = segment.dataStart + (place - segment.first) * rowBytes
      const read = await file?.read(bytes, i * rowBytes, rowBytes, start)
      if (read?.bytesRead !== rowBytes)
        throw new GraftError('read', `${segment.path} was cut short while it was read: train again`)
    })
    await Promise.all(reads)
  }

  /** Closes its files. */
  async close(): Promise<void> {
    await Promise.all(this.#segments.splice(0).map(async ({ file }) => (await file)?.close()))
  }
}

/** A file's header; 'damaged' if the file does not belong to the table, 'gone' if it is missing. */
async function readHeader(path: string, width: number) {
  const opened = await openInput(path).catch(() => null)
  if (!opened) return 'gone'
  const { file, size } = opened
  try {
    const head = await readRange(path, file, 0, Math.min(size, headBytes))
    const header = await readRange(path, file, lengthBytes, headerEnd(head, size) - lengthBytes)
    return rowsHeader(header, size, width) ?? 'damaged'
  } catch (error) {
    if (error instanceof WeightsError) return 'damaged'
    return 'gone'
  } finally {
    await file.close()
  }
}

/**
 * Opens a file if its content is unchanged since it was written; otherwise removes it, so that its
 * rows are computed again.
 */
async function openWhole({ path, keys, dataStart, sha256 }: Segment): Promise<FileHandle | null> {
  const opened = await openInput(path).catch(() => null)
  if (!opened) return null
  const { file, size } = opened
  const rows = await readRange(path, file, dataStart, Math.max(0, size - dataStart)).catch(
    () => null,
  )
  if (rows && checksum(keys, rows) === sha256) {
    await utimes(path, new Date(), new Date()).catch(() => {})
    return file
  }
  await file.close()
  await removed(path)
  return null
}

function removed(path: string): Promise<boolean> {
  return rm(path, { force: true }).then(
    () => true,
    () => false,
  )
}
