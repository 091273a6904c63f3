import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { Minimatch } from 'minimatch'
import { DataError } from '../base/errors.ts'
import { fsPath } from '../base/node/fileNames.ts'
import type { Sample } from '../data/dataset.ts'
import { imagesBelow, walk } from '../data/imagesBelow.ts'
import { storedImages } from '../data/storedImages.ts'
import { isAddress, parseAddress, prefixOf, writeAddress } from '../store/node/address.ts'

/**
 * The images that the arguments of a command name, in their order: files, folders with all images
 * below them, addresses of both, and patterns such as 'photos/*.jpg', for shells that leave them as
 * they are and for more files than a command line holds. What exists under its name is no pattern:
 * a file may be called cat[1].jpg. Within a folder, an address or a pattern the order is that of
 * the names by code unit.
 * @returns without labels; a file that does not exist is among them, to be reported with the broken
 * ones
 * @throws DataError for a folder without images, or a pattern that fits nothing
 */
export async function namedImages(names: readonly string[]): Promise<Sample[]> {
  const samples: Sample[] = []
  for (const name of names) {
    if (isAddress(name)) await addAddress(name, samples)
    else
      for (const path of await namedPaths(name))
        samples.push({ source: path, name: path, label: 0 })
  }
  return samples
}

async function addAddress(given: string, samples: Sample[]): Promise<void> {
  const images = await storedImages(given)
  const prefix = prefixOf(given, images.at(0).source.address, writeAddress(parseAddress(given)))
  for (const { name, source } of images) samples.push({ source, name: prefix + name, label: 0 })
}

async function namedPaths(name: string): Promise<string[]> {
  const paths: string[] = []
  const found = await stat(fsPath(name)).catch(() => null)
  if (found?.isDirectory()) await addFolder(name, paths)
  else if (found || !/[*?[{]/.test(name)) paths.push(name)
  else await addMatches(name, paths)
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
