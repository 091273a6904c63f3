import { realpath, stat } from 'node:fs/promises'
import { join, sep } from 'node:path'
import { DataError } from '../base/errors.ts'
import { type Entry, fsPath, nameOf, readEntries } from '../base/node/fileNames.ts'
import { countedEndings, PassedOver, PICTURE } from '../host/imageFormat.ts'
import { Catalog, requireSameClasses, requireTwoClasses } from './catalog.ts'
import { byCodeUnit, type ImageDataset } from './dataset.ts'
import { type ClassFolder, classesOf, layoutOf } from './layout.ts'
import { namedPart } from './partNames.ts'
import { type DataOptions, resolveSplit } from './split.ts'
import { StrayNames } from './strayNames.ts'
import { GrowingTree } from './tree.ts'

const LAYOUT = 'one folder per class with its images inside, such as cat/1.jpg and dog/1.jpg'

type Kind = 'folder' | 'file' | 'other'

async function readFolder(path: string): Promise<Entry[]> {
  try {
    return (await readEntries(path)).sort((a, b) => byCodeUnit(a.name, b.name))
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
async function entryKind(folder: string, entry: Entry): Promise<Kind> {
  if (entry.isDirectory()) return 'folder'
  if (entry.isFile()) return 'file'
  if (!entry.isSymbolicLink()) return 'other'
  try {
    const target = await stat(fsPath(join(folder, entry.name)))
    return target.isDirectory() ? 'folder' : target.isFile() ? 'file' : 'other'
  } catch {
    return 'file'
  }
}

/** No division lies deeper below the root. */
const deepest = 4

/**
 * The folders below a root, as deep as its division may lie: classes are not entered, which hold
 * images.
 * @param remarks takes a sentence for each link that is not followed
 */
async function treeBelow(root: string, stray: StrayNames, remarks: string[]): Promise<GrowingTree> {
  const whole = new GrowingTree()
  const fill = async (tree: GrowingTree, path: string, depth: number): Promise<void> => {
    for (const entry of await readFolder(path)) {
      const place = join(path, entry.name)
      if (stray.note(entry.name)) tree.mark(entry.name)
      else if ((await entryKind(path, entry)) !== 'folder') tree.file(entry.name)
      else if (entry.isSymbolicLink() && isWithin(await realFolder(path), await realFolder(place)))
        remarks.push(`passed over ${place}: a link to a folder that it lies in`)
      else tree.folder(entry.name)
    }
    for (const [name, folder] of depth < deepest ? tree.folders : [])
      if (depth === 0 || tree.images === 0 || namedPart(name))
        await fill(folder, join(path, name), depth + 1)
  }
  await fill(whole, root, 0)
  return whole
}

function isWithin(path: string, folder: string): boolean {
  return path === folder || path.startsWith(folder.endsWith(sep) ? folder : folder + sep)
}

async function realFolder(path: string): Promise<string> {
  try {
    return nameOf(await realpath(fsPath(path), { encoding: 'buffer' }))
  } catch (cause) {
    throw folderError(path, cause)
  }
}

/**
 * The names of all images of a class folder, at any depth. Each real folder is read once, and none
 * that contains the class folder itself.
 */
async function walkClass(
  root: string,
  relative: string,
  passedOver: PassedOver,
  stray: StrayNames,
): Promise<string[]> {
  const classFolder = await realFolder(join(root, relative))
  const seen = new Set([classFolder])
  const names: string[] = []
  const waiting = [relative]
  for (let at = waiting.pop(); at !== undefined; at = waiting.pop()) {
    const folder = join(root, at)
    for (const entry of await readFolder(folder)) {
      if (stray.note(entry.name)) continue
      const name = `${at}/${entry.name}`
      const kind = await entryKind(folder, entry)
      if (kind === 'file' && PICTURE.test(entry.name)) names.push(name)
      else if (kind === 'file') passedOver.note(entry.name)
      if (kind !== 'folder') continue
      const real = await realFolder(join(root, name))
      if (seen.has(real) || isWithin(classFolder, real)) continue
      seen.add(real)
      waiting.push(name)
    }
  }
  return names
}

/** Adds the images of every class folder. */
async function addClasses(
  catalog: Catalog,
  root: string,
  classes: readonly string[],
  folders: readonly ClassFolder[],
  stray: StrayNames,
  testSet: boolean,
): Promise<void> {
  const labels = new Map(classes.map((name, label) => [name, label]))
  for (const { path, name, part } of folders) {
    const passedOver = new PassedOver()
    const names = await walkClass(root, path, passedOver, stray)
    if (names.length === 0 && !testSet) {
      const others = countedEndings(passedOver.counts)
      throw new DataError(
        `the class folder ${join(root, path)} holds no image ` +
          `(JPEG, PNG or WebP${others && `; it holds ${others}`}): add some or remove the folder`,
      )
    }
    catalog.passedOver.add(passedOver)
    for (const image of names) catalog.add(image, labels.get(name) ?? Number.NaN, part)
  }
}

/**
 * Opens a folder of labeled images: `<class>/…`, or `train/<class>/…` and `val/<class>/…`. Which of
 * the two it is follows from the folders' names: see `layoutOf` in src/data/layout.ts. Folders
 * inside a class are read too, and symbolic links are followed. Hidden files and what other
 * programs left are passed over, and so are files whose names do not end in .jpg, .jpeg, .png or
 * .webp; `passedOver` counts the images of other formats among them, and `remarks` says what else
 * was not read. No image is decoded yet.
 *
 * Class names are sorted by code unit, and the division depends only on the seed and the sorted
 * names of the files, in the composed form of Unicode: both are the same on every system. If train/
 * and val/ exist, other folders beside them are not read, and `split` and `seed` are errors,
 * because they would have no effect.
 *
 * @throws DataError with one line that says what to do: no such folder, not a folder, no class
 * folders, a class without images, only one class, a class in only one of train/ and val/, one of
 * the two missing, a class too small to divide
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
  const stray = new StrayNames()
  const nameOf = (path: string) => join(dir, path)
  const { testSet = false } = division
  const circles: string[] = []
  const { folders, remarks } = layoutOf(await treeBelow(dir, stray, circles), nameOf, testSet)
  const classes = classesOf(folders)
  const [first] = folders
  if (!testSet) {
    if (first?.part)
      requireSameClasses(dir, classesOf(folders, 'train'), classesOf(folders, 'val'), '/')
    requireTwoClasses(nameOf(folderOf(first?.path ?? '')), classes)
  }
  const catalog = new Catalog((name) => join(dir, name))
  await addClasses(catalog, dir, classes, folders, stray, testSet)
  catalog.remarks.push(...remarks, ...stray.remarks, ...circles)
  return catalog.divide(dir, classes, division)
}

/** 'a/b' of 'a/b/c'. */
function folderOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf('/')))
}
