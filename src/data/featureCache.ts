import { createHash, randomUUID } from 'node:crypto'
import { type FileHandle, mkdir, open, readdir, readFile, rm, stat, utimes } from 'node:fs/promises'
import { join } from 'node:path'
import envPaths from 'env-paths'
import { GraftError, WeightsError } from '../gpu/errors.ts'
import { writeFileAtomic } from '../weights/files.ts'
import { readSafetensors, writeSafetensors } from '../weights/safetensors.ts'
import { headerEnd } from '../weights/safetensorsHeader.ts'
import type { SampleList } from './dataset.ts'
import { sampleKeys } from './sampleKeys.ts'

/** Where a row lies: a number that its table gives out. */
export type Place = number

/** As `sampleKeys` gives them. */
const keyPattern = /[0-9a-f]{32}/g
const extension = '.safetensors'
/** Bytes of rows that are written as one file: what a run that is killed loses at most, and what one damaged file costs. */
const segmentBytes = 32 * 2 ** 20
const defaultLimit = 8 * 2 ** 30

interface Segment {
  readonly path: string
  /** The place of its first row. */
  readonly first: Place
  readonly rows: number
  /** Where the rows begin in the file. */
  readonly dataStart: number
  /** Held open while rows are read from it, so that it stays readable whoever removes it. */
  readonly file: FileHandle
}

/**
 * What frozen layers give, kept on disk from run to run. A table belongs to one way of computing rows (weights, cut, preprocessing); in it a row is found by its
 * picture's key. Rows are written in files of up to 32 MiB that are whole from the moment they have their name and never change, so that several
 * programs may use one folder at a time; each holds the sha256 of its rows, and one that does not match is removed. Beyond its limit the
 * files that nobody has used for longest go.
 * @example await fit(model, data, { epochs: 20, featureCache: new FeatureCache() })
 */
export class FeatureCache {
  readonly folder: string
  /** The most bytes that its files take. */
  readonly limit: number

  /**
   * @param options.folder default: `features` in the folder that GRAFT_CACHE names, or else in `graft` in the user's folder for caches (~/.cache or
   * XDG_CACHE_HOME, ~/Library/Caches, LOCALAPPDATA)
   * @param options.limit bytes, 8 GiB unless given
   */
  constructor({
    folder = join(process.env.GRAFT_CACHE || envPaths('graft', { suffix: '' }).cache, 'features'),
    limit = defaultLimit,
  } = {}) {
    this.folder = folder
    this.limit = limit
  }

  /**
   * @param key names what its rows were computed by, in letters that a file name takes
   * @param width numbers a row
   */
  table(key: string, width: number): FeatureTable {
    return new FeatureTable(this, key, width)
  }

  /** The samples' keys: see `sampleKeys`. */
  keysOf(samples: SampleList): Promise<(string | null)[]> {
    return sampleKeys(samples)
  }

  /** A name for a table, from all that decides what its rows are. */
  nameOf(parts: readonly (string | Float32Array)[]): string {
    const hash = createHash('sha256')
    for (const part of parts) hash.update(typeof part === 'string' ? part : bytesOf(part))
    return hash.digest('hex')
  }

  /** Removes files, longest unused first, until `bytes` more fit; says whether they do. */
  async makeRoom(bytes: number, keep: ReadonlySet<string>): Promise<boolean> {
    const files = await this.#files()
    const kept = files.filter(({ path }) => keep.has(path)).reduce((sum, { size }) => sum + size, 0)
    if (kept + bytes > this.limit) return false
    let total = files.reduce((sum, file) => sum + file.size, bytes)
    for (const { path, size } of files.sort((a, b) => a.used - b.used)) {
      if (total <= this.limit) break
      if (keep.has(path)) continue
      // Windows removes no file that somebody reads.
      if (await removed(path)) total -= size
    }
    return total <= this.limit
  }

  async #files(): Promise<{ readonly path: string; readonly size: number; readonly used: number }[]> {
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
export class FeatureTable {
  readonly #cache: FeatureCache
  readonly #folder: string
  readonly #width: number
  readonly #segments: Segment[] = []
  #places = 0
  /** Rows on their way into a file. */
  #keys: string[] = []
  #pending: Float32Array | null = null

  constructor(cache: FeatureCache, key: string, width: number) {
    this.#cache = cache
    this.#folder = join(cache.folder, key)
    this.#width = width
  }

  /**
   * Looks for rows, file by file, each checked as a whole.
   * @param wanted the place in the caller's list of each key
   * @param take shown each row that is there, good until it returns
   * @returns for each place in the caller's list the row's place in this table, or -1
   */
  async find(wanted: ReadonlyMap<string, number>, count: number, take: (index: number, row: Float32Array) => void): Promise<Int32Array> {
    const places = new Int32Array(count).fill(-1)
    const names = (await readdir(this.#folder).catch(() => [])).filter((name) => name.endsWith(extension)).sort()
    for (const name of names) {
      const path = join(this.#folder, name)
      const read = (await mentions(path, wanted)) ? await this.#readSegment(path) : null
      if (!read) continue
      const first = this.#places
      let used = 0
      for (const [row, key] of read.keys.entries()) {
        const index = wanted.get(key)
        if (index === undefined || places[index] !== -1) continue
        places[index] = first + row
        take(index, read.rows.subarray(row * this.#width, (row + 1) * this.#width))
        used++
      }
      if (used === 0) continue
      await this.#keepSegment(path, read.keys.length, read.dataStart)
      await utimes(path, new Date(), new Date()).catch(() => {})
    }
    return places
  }

  /** A file's keys and rows, or null where it is damaged: it is then removed, for its rows to be computed anew. */
  async #readSegment(path: string) {
    try {
      const bytes = await readFile(path)
      const dataStart = headerEnd(bytes, bytes.length)
      const { tensors, metadata } = readSafetensors(bytes, { inPlace: true })
      const { rows } = tensors
      const keys = (metadata.keys ?? '').match(keyPattern) ?? []
      if (!rows || rows.shape[0] !== keys.length || rows.shape[1] !== this.#width) throw new WeightsError('no such rows')
      if (sha256(rows.data) !== metadata.sha256) throw new WeightsError('the rows have changed')
      return { keys, rows: rows.data, dataStart }
    } catch (error) {
      if (error instanceof WeightsError) await removed(path)
      return null
    }
  }

  async #keepSegment(path: string, rows: number, dataStart: number): Promise<void> {
    this.#segments.push({ path, first: this.#places, rows, dataStart, file: await open(path) })
    this.#places += rows
  }

  /**
   * Adds a row; it is on disk once its file is full, or after `flush`.
   * @returns its place
   * @throws GraftError with code `write` where a file is due and cannot be written, or the cache's limit leaves no room for it
   */
  async add(key: string, row: Float32Array): Promise<Place> {
    this.#pending ??= new Float32Array(this.#width * Math.max(1, Math.floor(segmentBytes / (4 * this.#width))))
    this.#pending.set(row, this.#keys.length * this.#width)
    this.#keys.push(key)
    const place = this.#places + this.#keys.length - 1
    if (this.#keys.length * this.#width === this.#pending.length) await this.flush()
    return place
  }

  /** Writes what has been added since the last file. */
  async flush(): Promise<void> {
    const [keys, rows, pending] = [this.#keys, this.#keys.length, this.#pending]
    if (rows === 0 || !pending) return
    this.#keys = []
    const data = pending.subarray(0, rows * this.#width)
    const bytes = writeSafetensors({ rows: { shape: [rows, this.#width], data } }, { keys: keys.join(''), sha256: sha256(data) })
    if (!(await this.#cache.makeRoom(bytes.length, new Set(this.#segments.map(({ path }) => path)))))
      throw new GraftError('write', `the features in ${this.#cache.folder} would take more than ${this.#cache.limit} bytes`)
    const path = join(this.#folder, `${randomUUID()}${extension}`)
    await mkdir(this.#folder, { recursive: true }).catch((cause: Error) => {
      throw new GraftError('write', `cannot make ${this.#folder}: ${cause.message}`, { cause })
    })
    await writeFileAtomic(path, bytes)
    await this.#keepSegment(path, rows, headerEnd(bytes, bytes.length))
  }

  /** Reads rows by their places into `into`, one after the other. Those added since the last `flush` are not there yet. */
  async read(places: ArrayLike<Place>, into: Float32Array): Promise<void> {
    const bytes = bytesOf(into)
    const rowBytes = 4 * this.#width
    const reads = Array.from(places, async (place, i) => {
      const segment = this.#segments.find(({ first, rows }) => place >= first && place < first + rows)
      if (!segment) throw new RangeError(`there is no row at ${place}`)
      const { bytesRead } = await segment.file.read(bytes, i * rowBytes, rowBytes, segment.dataStart + (place - segment.first) * rowBytes)
      if (bytesRead !== rowBytes) throw new GraftError('read', `${segment.path} was cut short while it was read: train again`)
    })
    await Promise.all(reads)
  }

  /** Closes its files. */
  async close(): Promise<void> {
    await Promise.all(this.#segments.splice(0).map(({ file }) => file.close()))
  }
}

function removed(path: string): Promise<boolean> {
  return rm(path, { force: true }).then(
    () => true,
    () => false,
  )
}

/** Whether a file is worth reading: its header names one of the keys, or is damaged, which reading finds out. */
async function mentions(path: string, wanted: ReadonlyMap<string, number>): Promise<boolean> {
  const file = await open(path).catch(() => null)
  if (!file) return false
  try {
    const start = Buffer.alloc(8)
    await file.read(start, 0, 8, 0)
    const bytes = start.readUInt32LE(0)
    if (bytes > segmentBytes) return true
    const { buffer } = await file.read(Buffer.alloc(bytes), 0, bytes, 8)
    return (buffer.toString('latin1').match(keyPattern) ?? [null]).some((key) => key === null || wanted.has(key))
  } finally {
    await file.close()
  }
}

function sha256(data: Float32Array): string {
  return createHash('sha256').update(bytesOf(data)).digest('hex')
}

function bytesOf({ buffer, byteOffset, byteLength }: Float32Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength)
}
