import { randomUUID } from 'node:crypto'
import { readdir, rename, rm } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { DataError, UsageError } from '../../../base/errors.ts'
import { isRecord } from '../../../base/json.ts'
import { cannotWrite, writeFileAtomic } from '../../../base/node/atomicFile.ts'
import { cacheFolder } from '../../../base/node/cacheFolder.ts'
import type { DownloadOptions } from '../../../base/node/download.ts'
import { makeFolder } from '../../../base/node/folder.ts'
import { readInput } from '../../../base/node/inputFile.ts'
import { waitingForLock } from '../../../base/node/lock.ts'
import { isOffline } from '../../../base/node/offline.ts'
import { sha256Of } from '../../../base/node/sha256.ts'
import { checkOptions } from '../../../base/options.ts'
import { type DatasetArchive, findDataset, type NamedDataset, namedDatasets } from '../registry.ts'
import { Draft } from './draft.ts'
import { layouts } from './layouts.ts'
import { firstSum, keepSum, sumsFile } from './sums.ts'

export interface FetchDatasetOptions
  extends Pick<DownloadOptions, 'signal' | 'onWait' | 'minRate' | 'pause' | 'idle'> {
  /** Fetch nothing. Default: whether GRAFT_OFFLINE is set. */
  readonly offline?: boolean
  /**
   * Called as bytes arrive, and as images are unpacked: what is done of the total, in bytes or as a
   * share of 1.
   */
  readonly onProgress?: (phase: 'fetch' | 'unpack', done: number, total: number) => void
}

const optionNames = [
  'offline',
  'onProgress',
  'onWait',
  'signal',
  'minRate',
  'pause',
  'idle',
] as const

/** The last file of a dataset's folder: without it the folder is not taken. */
const mark = '.graft-dataset.json'
const mostMarkBytes = 2 ** 20

/** The folder of all datasets; it holds one for each, its lock, and what is being fetched. */
export function datasetsFolder(): string {
  return join(cacheFolder(), 'datasets')
}

/** The file that is locked while a dataset is fetched or removed. */
export function datasetLock(name: string): string {
  return join(datasetsFolder(), `${name}.lock`)
}

/** The folder of a dataset that is whole; null where it has to be fetched. */
export async function localDataset(dataset: NamedDataset): Promise<string | null> {
  const folder = join(datasetsFolder(), dataset.name)
  const text = await readInput(join(folder, mark), mostMarkBytes).catch(() => null)
  if (text === null) return null
  try {
    const found: unknown = JSON.parse(text.toString())
    const same =
      isRecord(found) && JSON.stringify(found.archives) === JSON.stringify(keyOf(dataset))
    return same ? folder : null
  } catch {
    return null
  }
}

/** What a dataset was made from. */
function keyOf({ archives }: NamedDataset) {
  return archives.map(({ url, bytes, sha256 }) => ({ file: basename(url.pathname), bytes, sha256 }))
}

/**
 * Makes sure that a named dataset is on this machine: fetches its archives from their publisher,
 * checks their sizes and sums, and unpacks them into the cache folder, where `openData` and
 * `graft train` take it. An interrupted transfer is continued by the next call. The folder has its
 * name only once it is whole; the archives are removed then.
 * @param named one of `namedDatasets`, or its name
 * @returns the folder
 * @throws UsageError for a name that there is not
 * @throws DataError if an archive cannot be fetched, is another one or damaged, or would have to be
 * fetched while offline
 * @example const data = await openData(await fetchDataset('hymenoptera'))
 */
export async function fetchDataset(
  named: NamedDataset | string,
  options: FetchDatasetOptions = {},
): Promise<string> {
  checkOptions('fetchDataset', options, optionNames)
  const dataset = typeof named === 'string' ? requireDataset(named) : named
  const here = await localDataset(dataset)
  if (here !== null) return here
  const { name } = dataset
  if (options.offline ?? isOffline())
    throw new DataError(
      `the dataset ${name} is not on this machine, and nothing is fetched while offline: ` +
        'fetch it once with a network, or give a folder of your own images',
    )
  return waitingForLock(datasetLock(name), options, async (waited) => {
    return (waited && (await localDataset(dataset))) || (await fetchAndUnpack(dataset, options))
  })
}

/** @throws UsageError that lists the names there are */
export function requireDataset(name: string): NamedDataset {
  const found = findDataset(name)
  if (found) return found
  const names = namedDatasets.map((dataset) => dataset.name)
  throw new UsageError(`there is no dataset named ${name}; the names are ${names.join(', ')}`)
}

async function fetchAndUnpack(
  dataset: NamedDataset,
  options: FetchDatasetOptions,
): Promise<string> {
  const { name } = dataset
  const archives = join(datasetsFolder(), `.${name}.archives`)
  const paths: string[] = []
  for (const archive of dataset.archives)
    paths.push(await fetchArchive(name, archive, archives, options))
  const folder = join(datasetsFolder(), name)
  const draft = new Draft(join(datasetsFolder(), `.${name}.${randomUUID()}`))
  try {
    await removeDrafts(name)
    await makeFolder(draft.folder)
    await layouts[dataset.layout](paths, draft, {
      signal: options.signal,
      onProgress: (share) => options.onProgress?.('unpack', share, 1),
    })
    if (draft.images === 0)
      throw new DataError(`${name}: its archives hold no images where they are expected: refused`)
    const { images } = draft
    const made = { name, images, archives: keyOf(dataset), fetched: new Date().toISOString() }
    await writeFileAtomic(join(draft.folder, mark), `${JSON.stringify(made, null, 2)}\n`)
    await rm(folder, { recursive: true, force: true })
    await rename(draft.folder, folder)
  } catch (cause) {
    if (cause instanceof DataError) await rm(archives, { recursive: true, force: true })
    throw cause instanceof Error && 'syscall' in cause ? cannotWrite(folder, cause) : cause
  } finally {
    await rm(draft.folder, { recursive: true, force: true })
  }
  await rm(archives, { recursive: true, force: true })
  return folder
}

/** Fetches an archive that is not here yet; returns its path. */
async function fetchArchive(
  name: string,
  { url, bytes, sha256 }: DatasetArchive,
  folder: string,
  { onProgress, ...options }: FetchDatasetOptions,
): Promise<string> {
  const file = basename(url.pathname)
  const path = join(folder, file)
  const key = `${name}/${file}`
  const first = sha256 === null ? await firstSum(key) : null
  const wanted = sha256 ?? first ?? ''
  // Unpacking was interrupted: the archive was checked when it got its name.
  if ((await sha256Of(path).catch(() => null))?.startsWith(wanted)) return path
  // Loaded only when needed, because the HTTP client takes a tenth of a second to load.
  const { download } = await import('../../../base/node/download.ts')
  await download(name, url, path, wanted, {
    ...options,
    bytes,
    Failure: DataError,
    onProgress: (done, total) => onProgress?.('fetch', done, total ?? bytes),
  }).catch((cause: unknown) => {
    if (!(cause instanceof DataError) || first === null) throw cause
    throw new DataError(
      `${cause.message} (if a sum is wanted: that of the first download, which ${sumsFile()} ` +
        'keeps; remove its line there to take another file)',
      { cause },
    )
  })
  if (sha256 === null) await keepSum(key, await sha256Of(path))
  return path
}

/** Removes what killed processes left while they unpacked. */
async function removeDrafts(name: string): Promise<void> {
  const left = (await readdir(datasetsFolder()).catch(() => [])).filter(
    (entry) => entry.startsWith(`.${name}.`) && entry !== `.${name}.archives`,
  )
  for (const entry of left)
    await rm(join(datasetsFolder(), entry), { recursive: true, force: true })
}
