import { basename, dirname, isAbsolute, resolve } from 'node:path'
import { readEntries } from '../base/node/fileNames.ts'
import { PICTURE } from '../host/imageFormat.ts'
import { imagesBelow } from './imagesBelow.ts'

/** Where the file of a name is. */
export type Found =
  /** As the name says, or nowhere. */
  | { readonly kind: 'named' | 'missing' }
  /** Elsewhere below the folder. */
  | { readonly kind: 'found'; readonly path: string }
  | { readonly kind: 'several'; readonly paths: readonly string[] }

/**
 * Finds the files that a table names. Names are paths relative to the table's folder; tables of the
 * world also leave the folder or the extension out, have the paths of another computer, or another
 * Unicode form of a name. Each folder is listed once, and no file is opened.
 */
export class ListedFiles {
  readonly #folder: string
  readonly #listings = new Map<string, Promise<ReadonlySet<string>>>()
  #index: Promise<ReadonlyMap<string, readonly string[]>> | null = null

  /** @param folder the table's */
  constructor(folder: string) {
    this.#folder = folder
  }

  async find(name: string): Promise<Found> {
    if (await this.#isThere(resolve(this.#folder, name))) return { kind: 'named' }
    this.#index ??= indexOf(this.#folder)
    const wanted = segmentsOf(name)
    const [last = ''] = wanted.slice(-1)
    const candidates = (await this.#index).get(last) ?? []
    const elsewhere = isAbsolute(name) || /^[a-z]:[\\/]/i.test(name)
    const scored = candidates.map((path) => ({ path, common: commonEnd(wanted, segmentsOf(path)) }))
    // A path of another computer begins with folders that are not here.
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

  async #isThere(path: string): Promise<boolean> {
    const folder = dirname(path)
    const listing = this.#listings.get(folder) ?? listingOf(folder)
    this.#listings.set(folder, listing)
    return (await listing).has(basename(path))
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

/** The images below a folder, by their names and by their names without extension. */
async function indexOf(root: string): Promise<ReadonlyMap<string, readonly string[]>> {
  const index = new Map<string, string[]>()
  const add = (key: string, path: string) => {
    const paths = index.get(key)
    if (paths) paths.push(path)
    else index.set(key, [path])
  }
  for await (const path of imagesBelow(root)) {
    const name = basename(path).normalize('NFC')
    add(name, path)
    add(name.replace(PICTURE, ''), path)
  }
  return index
}
