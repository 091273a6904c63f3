import { rm, stat } from 'node:fs/promises'
import { homedir } from 'node:os'
import { basename, join, resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { UsageError, WeightsError } from '../../base/errors.ts'
import { cacheFolder } from '../../base/node/cacheFolder.ts'
import type { DownloadOptions } from '../../base/node/download.ts'
import type { ReadError } from '../../base/node/inputFile.ts'
import { isOffline } from '../../base/node/offline.ts'
import { sha256Of } from '../../base/node/sha256.ts'
import { findNamedWeights, isShipped, type NamedWeights, namedWeights } from '../registry.ts'
import {
  type Entry,
  findEntry,
  isUrl,
  problemOfName,
  problemOfSource,
  problemOfSum,
  readEntries,
  writeEntries,
} from './entries.ts'

/**
 * The user's own entries.
 * @throws WeightsError where their file is damaged
 */
export function ownWeights(): NamedWeights[] {
  return readEntries().map(described)
}

function described({ name, source, sha256, variant }: Entry): NamedWeights {
  return {
    name,
    sha256,
    variant,
    file: isUrl(source) ? new URL(source) : pathToFileURL(source),
    classes: null,
    parameters: null,
    accuracy: null,
    license: null,
  }
}

/**
 * Weights by name: those that Graft knows, and the user's own.
 * @throws WeightsError where the list of the user's own is damaged, or what it says of this name
 */
export function findWeights(name: string): NamedWeights | undefined {
  const named = findNamedWeights(name)
  if (named) return named
  const own = findEntry(name)
  return own && described(own)
}

/**
 * Adds an entry of the user's, or replaces it.
 * @param entry.source a URL (http or https), or a path
 * @param entry.sha256 the file's, all 64 digits; may be left out for a path
 * @throws UsageError for a name or address that does not do
 * @throws WeightsError for a file that does not exist, or is another one
 * @example await addWeights({ name: 'lab/birds', source: './birds.pth', variant: 'torchvision' })
 */
export async function addWeights(entry: {
  readonly name: string
  readonly source: string
  readonly sha256?: string
  readonly variant?: NamedWeights['variant']
}): Promise<NamedWeights> {
  const { name, source, variant = null } = entry
  const wanted = entry.sha256?.toLowerCase()
  const refuse = (problem: string | null) => {
    if (problem !== null) throw new UsageError(problem)
  }
  refuse(problemOfName(name))
  refuse(wanted === undefined ? null : problemOfSum(wanted))
  const place = isUrl(source) ? new URL(source).href : resolve(source)
  refuse(problemOfSource(place))
  const sha256 = isUrl(place) ? wanted : await checkedSha256(name, place, wanted)
  if (sha256 === undefined)
    throw new UsageError(
      `the sha256 of ${place} is needed, all 64 digits, so that the fetched file can be checked: ` +
        'give it too (sha256sum FILE prints it)',
    )
  const made: Entry = { name, source: place, sha256, variant }
  await writeEntries([...readEntries(name), made].sort((a, b) => (a.name < b.name ? -1 : 1)))
  return findWeights(name) ?? never(name)
}

/**
 * Forgets an entry of the user's, and deletes what was fetched for it; a file of the user's own
 * stays.
 * @returns whether there was an entry, and the files that are gone
 */
export async function removeWeights(
  weights: NamedWeights,
): Promise<{ readonly forgotten: boolean; readonly deleted: readonly string[] }> {
  const deleted: string[] = []
  for (const { file } of weights.file.protocol === 'file:' ? [] : sourcesOf(weights))
    for (const path of [cachePath(weights.name, file), `${cachePath(weights.name, file)}.part`])
      if (
        await rm(path).then(
          () => true,
          () => false,
        )
      )
        deleted.push(path)
  const entries = readEntries()
  const left = entries.filter(({ name }) => name !== weights.name)
  if (left.length < entries.length) await writeEntries(left)
  return { forgotten: left.length < entries.length, deleted }
}

/**
 * Where the weights' file lies on this machine, or null where it has to be fetched first. Of
 * PyTorch's own, the cache of torch.hub is looked through too.
 */
export async function localFile(weights: NamedWeights): Promise<string | null> {
  if (weights.file.protocol === 'file:') return fileURLToPath(weights.file)
  for (const { file } of sourcesOf(weights))
    for (const path of [
      cachePath(weights.name, file),
      join(torchCheckpoints(), basename(file.pathname)),
    ])
      if (
        await stat(path).then(
          (found) => found.isFile(),
          () => false,
        )
      )
        return path
  return null
}

/**
 * Makes sure that the weights' file is here and is the one that was published: fetches it where it
 * is not here, and checks its sha256 in any case.
 *
 * @param options.offline fetch nothing; default: whether GRAFT_OFFLINE is set
 * @returns the file's path
 * @throws WeightsError where it is damaged, cannot be fetched, or would have to be while offline
 * @example const path = await fetchWeights(findWeights('torchvision/alexnet'))
 */
export async function fetchWeights(
  weights: NamedWeights,
  options: DownloadOptions & { readonly offline?: boolean } = {},
): Promise<string> {
  const { offline = isOffline() } = options
  const here = await localFile(weights)
  if (here !== null) {
    const problem = await problemOf(weights, here)
    if (problem === null) return here
    // A damaged file in torch.hub's cache is left alone; one in Graft's cache is fetched again.
    if (weights.file.protocol === 'file:' || offline)
      throw new WeightsError(`${weights.name}: ${problem}`)
  }
  if (offline)
    throw new WeightsError(
      `${weights.name}: the file is not on this machine, and nothing is fetched while offline; ` +
        'fetch it once with a network, or give a copy of the file a name of your own',
    )
  // Loaded only when needed, because the HTTP client takes a tenth of a second to load.
  const { download } = await import('../../base/node/download.ts')
  const sources = sourcesOf(weights)
  for (const [i, { file, sha256 }] of sources.entries()) {
    const path = cachePath(weights.name, file)
    try {
      await download(weights.name, file, path, sha256, options)
      return path
    } catch (error) {
      // The address is gone, but the same weights may be there under their earlier name.
      if (
        i === sources.length - 1 ||
        !(error instanceof WeightsError) ||
        !/answered 4/.test(error.message)
      )
        throw error
    }
  }
  return never(weights.name)
}

/** What is wrong with a file of these weights, in words, or null. */
export async function problemOf(weights: NamedWeights, path: string): Promise<string | null> {
  const found = await sha256Of(path).catch((error: ReadError) => error)
  if (found instanceof Error)
    return found.problem === 'missing'
      ? `${path} is missing${isShipped(weights) ? '; install Graft again' : ''}`
      : `${path} cannot be read (${found.reason})`
  const wanted = sourcesOf(weights).map(({ sha256 }) => sha256)
  if (wanted.some((sha256) => found.startsWith(sha256))) return null
  const todo = isShipped(weights) ? 'install Graft again' : 'fetch or add it again'
  return (
    `the file is damaged or was changed: its sha256 is ${found} and ${wanted.join(' or ')} ` +
    `was published; ${todo} (${path})`
  )
}

/** Every name there is, Graft's own first. */
export function allWeights(): readonly NamedWeights[] {
  return [...namedWeights, ...ownWeights()]
}

function sourcesOf({ file, sha256, earlier }: NamedWeights) {
  return [{ file, sha256 }, ...(earlier ? [earlier] : [])]
}

/** A name's own folder, and in it the file as its publisher calls it. */
function cachePath(name: string, file: URL): string {
  const called = decodeURIComponent(basename(file.pathname)).replaceAll(/[^\w.-]/g, '_')
  return join(cacheFolder(), 'weights', ...name.split('/'), called.replace(/^\.*$/, 'weights'))
}

/**
 * Where torch.hub keeps what it has fetched:
 * https://pytorch.org/docs/stable/hub.html#where-are-my-downloaded-models-saved
 */
function torchCheckpoints(): string {
  const { TORCH_HOME, XDG_CACHE_HOME } = process.env
  return join(
    TORCH_HOME || join(XDG_CACHE_HOME || join(homedir(), '.cache'), 'torch'),
    'hub',
    'checkpoints',
  )
}

async function checkedSha256(
  name: string,
  path: string,
  wanted: string | undefined,
): Promise<string> {
  const found = await sha256Of(path).catch((cause: ReadError) => {
    throw new WeightsError(
      `${name}: ${path}: ${cause.reason}; give a file's path, or a URL with http:// or https://`,
      { cause },
    )
  })
  if (wanted !== undefined && found !== wanted)
    throw new WeightsError(`${name}: the sha256 of ${path} is ${found}, not ${wanted}`)
  return found
}

function never(what: string): never {
  throw new Error(`${what} is not there, though it was just written`)
}
