import { realpath, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { type Entry, fsPath, readEntries } from '../base/node/fileNames.ts'
import { PICTURE } from '../host/imageFormat.ts'
import { byCodeUnit } from './dataset.ts'
import { isStray } from './strayNames.ts'

/** A file or folder below another one. */
export interface Below {
  /** Its path below the root, with `/` between names. */
  readonly path: string
  readonly isFolder: boolean
}

/**
 * Everything below a folder, links followed, each real folder once, in the order of names by code
 * unit. Hidden files and folders are passed over, and
 * those of other programs.
 * @param enters whether to list what is in a folder
 * @throws errors of the file system for the root; a folder below it that cannot be read is empty
 */
export async function* walk(
  root: string,
  enters: (path: string) => boolean = () => true,
): AsyncGenerator<Below, void, undefined> {
  const seen = new Set<string>()
  const waiting: (Below & { readonly entries?: readonly Entry[] })[] = [
    { path: '', isFolder: true, entries: await readEntries(root) },
  ]
  for (let next = waiting.pop(); next; next = waiting.pop()) {
    if (next.path !== '') yield { path: next.path, isFolder: next.isFolder }
    if (!next.isFolder || (next.path !== '' && !enters(next.path))) continue
    const folder = join(root, next.path)
    const real = await realpath(fsPath(folder), { encoding: 'hex' }).catch(() => '')
    if (seen.has(real)) continue
    seen.add(real)
    const entries = next.entries ?? (await readEntries(folder).catch(() => []))
    const below: Below[] = []
    for (const entry of entries) {
      if (isStray(entry.name)) continue
      const path = next.path === '' ? entry.name : `${next.path}/${entry.name}`
      below.push({ path, isFolder: await isFolder(join(root, path), entry) })
    }
    waiting.push(...below.sort((a, b) => byCodeUnit(b.path, a.path)))
  }
}

/** The images below a folder, by the names of their files. */
export async function* imagesBelow(root: string): AsyncGenerator<string, void, undefined> {
  for await (const { path, isFolder } of walk(root)) if (!isFolder && PICTURE.test(path)) yield path
}

async function isFolder(path: string, entry: Entry): Promise<boolean> {
  if (!entry.isSymbolicLink()) return entry.isDirectory()
  const target = await stat(fsPath(path)).catch(() => null)
  return target?.isDirectory() ?? false
}
