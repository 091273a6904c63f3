import type { Dirent } from 'node:fs'
import { readdir, realpath, stat } from 'node:fs/promises'
import { join, sep } from 'node:path'
import { DataError } from '../base/errors.ts'
import { countedEndings, PassedOver, PICTURE } from '../host/imageFormat.ts'
import { Catalog, type Part, requireSameClasses, requireTwoClasses } from './catalog.ts'
import { byCodeUnit, type ImageDataset } from './dataset.ts'
import { type DataOptions, resolveSplit } from './split.ts'

const LAYOUT = 'one folder per class with its images inside, such as cat/1.jpg and dog/1.jpg'

type Kind = 'folder' | 'file' | 'other'

async function readFolder(path: string): Promise<Dirent[]> {
  try {
    const entries = await readdir(path, { withFileTypes: true })
    return entries
      .filter((entry) => !entry.name.startsWith('.'))
      .sort((a, b) => byCodeUnit(a.name, b.name))
  } catch (cause) {
    throw folderError(path, cause)
  }
}

function folderError(path: string, cause: unknown): DataError {
  const code = cause instanceof Error && 'code' in cause ? cause.code : undefined
  if (code === 'ENOENT')
    return new DataError(`no such folder: ${path} (give a folder with ${LAYOUT})`, { cause })
  if (code === 'ENOTDIR')
    return new DataError(`not a folder: ${path} (give a folder with ${LAYOUT})`, { cause })
  if (code === 'EACCES' || code === 'EPERM')
    return new DataError(`no permission to read the folder ${path}: change its access rights`, {
      cause,
    })
  return new DataError(`cannot read the folder ${path} (${String(code ?? cause)})`, { cause })
}

/**
 * The kind of an entry after following symbolic links. A broken link counts as a file, so that the
 * decoder reports it.
 */
async function entryKind(folder: string, entry: Dirent): Promise<Kind> {
  if (entry.isDirectory()) return 'folder'
  if (entry.isFile()) return 'file'
  if (!entry.isSymbolicLink()) return 'other'
  try {
    const target = await stat(join(folder, entry.name))
    return target.isDirectory() ? 'folder' : target.isFile() ? 'file' : 'other'
  } catch {
    return 'file'
  }
}

async function subfolders(path: string): Promise<string[]> {
  const names: string[] = []
  for (const entry of await readFolder(path)) {
    if ((await entryKind(path, entry)) === 'folder') names.push(entry.name)
  }
  return names
}

async function hasImages(path: string): Promise<boolean> {
  for (const entry of await readFolder(path)) {
    if (PICTURE.test(entry.name) && (await entryKind(path, entry)) === 'file') return true
  }
  return false
}

function isWithin(path: string, folder: string): boolean {
  return path === folder || path.startsWith(folder.endsWith(sep) ? folder : folder + sep)
}

/**
 * The names of all images of a class folder, at any depth. Each real folder is read once, and none
 * that contains the class folder itself.
 */
async function walkClass(
  root: string,
  relative: string,
  passedOver: PassedOver,
): Promise<string[]> {
  const classFolder = await realpath(join(root, relative))
  const seen = new Set([classFolder])
  const names: string[] = []
  const waiting = [relative]
  for (let at = waiting.pop(); at !== undefined; at = waiting.pop()) {
    const folder = join(root, at)
    for (const entry of await readFolder(folder)) {
      const name = `${at}/${entry.name}`
      const kind = await entryKind(folder, entry)
      if (kind === 'file' && PICTURE.test(entry.name)) names.push(name)
      else if (kind === 'file') passedOver.note(entry.name)
      if (kind !== 'folder') continue
      const real = await realpath(join(root, name))
      if (seen.has(real) || isWithin(classFolder, real)) continue
      seen.add(real)
      waiting.push(name)
    }
  }
  return names
}

/** Adds the images of every class below `root/prefix`. */
async function addClasses(
  catalog: Catalog,
  root: string,
  classes: readonly string[],
  part: Part | null,
): Promise<void> {
  const prefix = part ? `${part}/` : ''
  for (const [label, name] of classes.entries()) {
    const passedOver = new PassedOver()
    const names = await walkClass(root, prefix + name, passedOver)
    if (names.length === 0) {
      const others = countedEndings(passedOver.counts)
      throw new DataError(
        `the class folder ${join(root, prefix, name)} holds no image ` +
          `(JPEG, PNG or WebP${others && `; it holds ${others}`}): add some or remove the folder`,
      )
    }
    catalog.passedOver.add(passedOver)
    for (const image of names) catalog.add(image, label, part)
  }
}

/** The class folders directly below a folder; at least one. */
async function classFolders(path: string): Promise<string[]> {
  const classes = await subfolders(path)
  if (classes.length > 0) return classes
  const found = (await hasImages(path))
    ? 'holds images but no class folders: put them into'
    : 'holds no class folders: it needs'
  throw new DataError(`${path} ${found} ${LAYOUT}`)
}

/**
 * Whether the folder is divided into train/ and val/. One of them alone is an error, unless it is a
 * class of that name.
 */
async function isDivided(root: string, folders: readonly string[]): Promise<boolean> {
  const present = ['train', 'val'].filter((name) => folders.includes(name))
  const [only] = present
  if (only === undefined) return false
  if (present.length === 2) return true
  if ((await hasImages(join(root, only))) || (await subfolders(join(root, only))).length === 0)
    return false
  const missing = only === 'train' ? 'val' : 'train'
  const misnamed = missing === 'val' && folders.find((name) => /^valid(ation)?$/i.test(name))
  const remedy = misnamed
    ? `rename ${misnamed}/ to val/`
    : `add ${missing}/ with a folder per class`
  throw new DataError(
    `${root} has ${only}/ but no ${missing}/: ${remedy}, ` +
      `or give ${join(root, only)} to have a part of it held out`,
  )
}

/**
 * Opens a folder of labeled images: either `train/<class>/…` and `val/<class>/…`, or `<class>/…`,
 * of which a seeded share of each class is held out for validation. Folders inside a class are read
 * too, and symbolic links are followed. Hidden files are skipped, and so are files whose names do
 * not end in .jpg, .jpeg, .png or .webp; `passedOver` counts the images of other formats among
 * them. No image is decoded yet.
 *
 * Class names are sorted by code unit, and the division depends only on the seed and the sorted
 * names of the files: both are the same on every system. If train/ and val/ exist, other folders
 * beside them are ignored, and `split` and `seed` are errors, because they would have no effect.
 *
 * @throws DataError with one line that says what to do: no such folder, not a folder, no class
 * folders, a class without images, only one class, a class in only one of train/ and val/, a class
 * too small to divide
 * @throws UsageError for a split outside (0, 1) or a seed that is not a non-negative safe integer
 * @example
 * const data = await openImageFolder('flowers', { split: 0.2, seed: 1 })
 * console.log(data.classes, data.train.length, data.val.length)
 */
export async function openImageFolder(
  dir: string,
  options: DataOptions = {},
): Promise<ImageDataset> {
  const division = resolveSplit('openImageFolder', options)
  const catalog = new Catalog((name) => join(dir, name))
  if (await isDivided(dir, await subfolders(dir))) {
    const classes = await classFolders(join(dir, 'train'))
    requireSameClasses(dir, classes, await classFolders(join(dir, 'val')), '/')
    requireTwoClasses(join(dir, 'train'), classes)
    for (const part of ['train', 'val'] as const) await addClasses(catalog, dir, classes, part)
    return catalog.divide(dir, classes, division)
  }
  const classes = await classFolders(dir)
  requireTwoClasses(dir, classes)
  await addClasses(catalog, dir, classes, null)
  return catalog.divide(dir, classes, division)
}
