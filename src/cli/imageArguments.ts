import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { Minimatch } from 'minimatch'
import { DataError } from '../base/errors.ts'
import { fsPath } from '../base/node/fileNames.ts'
import { imagesBelow, walk } from '../data/imagesBelow.ts'

/**
 * The images that the arguments of a command name, in their order: files, folders with all images
 * below them, and patterns such as 'photos/*.jpg', for shells that leave them as they are and for
 * more files than a command line holds. What exists under its name is no pattern: a file may be
 * called cat[1].jpg. Within a folder or pattern the order is that of the names by code unit.
 * @returns paths; a file that does not exist is among them, to be reported with the broken ones
 * @throws DataError for a folder without images, or a pattern that fits nothing
 */
export async function namedImages(names: readonly string[]): Promise<string[]> {
  const paths: string[] = []
  for (const name of names) {
    const found = await stat(fsPath(name)).catch(() => null)
    if (found?.isDirectory()) await addFolder(name, paths)
    else if (found || !/[*?[{]/.test(name)) paths.push(name)
    else await addMatches(name, paths)
  }
  return paths
}

async function addFolder(folder: string, paths: string[]): Promise<void> {
  const before = paths.length
  try {
    for await (const path of imagesBelow(folder)) paths.push(join(folder, path))
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    throw new DataError(`cannot read the folder ${folder} (${String(code ?? cause)})`, { cause })
  }
  if (paths.length === before)
    throw new DataError(`${folder} holds no image: it needs files in .jpg, .jpeg, .png or .webp`)
}

/** What a shell would put in the pattern's place. */
async function addMatches(pattern: string, paths: string[]): Promise<void> {
  const [fixed = ''] = /^(?:[^*?[{\\]*\/)?/.exec(pattern) ?? []
  const rest = new Minimatch(pattern.slice(fixed.length), { nocomment: true, nonegate: true })
  const folders: string[] = []
  const before = paths.length
  try {
    for await (const { path, isFolder } of walk(fixed || '.', (below) => rest.match(below, true)))
      if (rest.match(path)) isFolder ? folders.push(path) : paths.push(fixed + path)
  } catch {
    // There is no such folder: nothing fits.
  }
  for (const folder of folders) await addFolder(fixed + folder, paths)
  if (paths.length === before)
    throw new DataError(`no file fits ${pattern}: give files, folders, or another pattern`)
}
