import { basename, dirname, isAbsolute, resolve } from 'node:path'
import { readEntries } from '../base/node/fileNames.ts'
import { PICTURE } from '../host/imageFormat.ts'
import type { Source } from './dataset.ts'
import { imagesBelow } from './imagesBelow.ts'

/** Where the file of a name is. */
export type Found =
  /** As the name says, or nowhere. */
  | { readonly kind: 'named' | 'missing' }
  /** Elsewhere below the folder. */
  | { readonly kind: 'found'; readonly path: string }
  | { readonly kind: 'several'; readonly paths: readonly string[] }

/** The files below a table's folder, wherever that lies. */
export interface FilesBelow {
  /** Its path or address, for messages. */
  readonly folder: string
  /** One spelling for every path that names the same file. */
  keyOf(name: string): string
  isThere(name: string): Promise<boolean>
  /** The paths of all images below the folder, those aside that are hidden. */
  images(): AsyncIterable<string>
  sourceOf(name: string): Source
}

/**
 * Finds the files that a table names. Names are paths relative to the table's folder; tables of the
 * world also leave the folder or the extension out, have the paths of another computer, or another
 * Unicode form of a name. Each folder is listed once, and no file is opened.
 */
export class ListedFiles {
  readonly below: FilesBelow
  #index: Promise<ReadonlyMap<string, readonly string[]>> | null = null

  /** @param below what is in the table's folder */
  constructor(below: FilesBelow) {
    this.below = below
  }

  async find(name: string): Promise<Found> {
    if (await this.below.isThere(name)) return { kind: 'named' }
    this.#index ??= indexOf(this.below.images())
    const wanted = segmentsOf(name)
    const [last = ''] = wanted.slice(-1)
    const candidates = (await this.#index).get(last) ?? []
    const elsewhere = isAbsolute(name) || /^[a-z][a-z0-9+.-]*:[\\/]/i.test(name)
    const scored = candidates.map((path) => ({ path, common: commonEnd(wanted, segmentsOf(path)) }))
    // A path of another computer, or an address, begins with folders that are not here.
    const best = elsewhere
      ? scored.reduce((most, { common }) => Math.max(most, common), 0)
      : wanted.length
    const [first, ...others] = scored
      .filter(({ common }) => common === best)
      .map(({ path }) => path)
    if (first === undefined) return { kind: 'missing' }
    return others.length > 0
      ? { kind: 'several', paths: [first, ...others] }
      : { kind: 'found', path: first }
  }
}

/** The files below a folder on the disk. */
export class DiskFiles implements FilesBelow {
  readonly folder: string
  readonly #listings = new Map<string, Promise<ReadonlySet<string>>>()

  constructor(folder: string) {
    this.folder = resolve(folder)
  }

  keyOf(name: string): string {
    return resolve(this.folder, name)
  }

  async isThere(name: string): Promise<boolean> {
    const path = this.keyOf(name)
    const folder = dirname(path)
    const listing = this.#listings.get(folder) ?? listingOf(folder)
    this.#listings.set(folder, listing)
    return (await listing).has(basename(path))
  }

  images(): AsyncIterable<string> {
    return imagesBelow(this.folder)
  }

  sourceOf(name: string): Source {
    return this.keyOf(name)
  }
}

/** The files of a folder; none if it cannot be read. */
async function listingOf(folder: string): Promise<ReadonlySet<string>> {
  const entries = await readEntries(folder).catch(() => [])
  return new Set(entries.flatMap((entry) => (entry.isDirectory() ? [] : [entry.name])))
}

/** The folders of a path and its file, in the form in which names are compared. */
function segmentsOf(path: string): string[] {
  return path
    .normalize('NFC')
    .split(/[\\/]/)
    .filter((segment) => segment !== '' && segment !== '.')
}

/** How many segments two paths have in common at their ends; the last with or without extension. */
function commonEnd(wanted: readonly string[], path: readonly string[]): number {
  const most = Math.min(wanted.length, path.length)
  for (let back = 1; back <= most; back++) {
    const [one, other = ''] = [wanted.at(-back), path.at(-back)]
    if (one !== other && (back > 1 || one !== other.replace(PICTURE, ''))) return back - 1
  }
  return most
}

/** Images by their names and by their names without extension. */
async function indexOf(
  images: AsyncIterable<string>,
): Promise<ReadonlyMap<string, readonly string[]>> {
  const index = new Map<string, string[]>()
  const add = (key: string, path: string) => {
    const paths = index.get(key)
    if (paths) paths.push(path)
    else index.set(key, [path])
  }
  for await (const path of images) {
    const name = basename(path).normalize('NFC')
    add(name, path)
    add(name.replace(PICTURE, ''), path)
  }
  return index
}
