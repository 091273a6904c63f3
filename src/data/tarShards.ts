import { stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { at } from '../base/at.ts'
import { DataError } from '../base/errors.ts'
import { counted, listed } from '../base/format.ts'
import { type Entry, fsPath, readEntries } from '../base/node/fileNames.ts'
import { Catalog } from './catalog.ts'
import { Column } from './column.ts'
import { type DataFile, diskFile } from './dataFile.ts'
import { byCodeUnit, type ImageDataset, type Source } from './dataset.ts'
import { type ClassFolder, folderFinder, layoutOf } from './layout.ts'
import { namedPart, type PartName } from './partNames.ts'
import { readShards, type ShardMembers, sampleKey } from './shardMembers.ts'
import { type DataOptions, type Division, resolveSplit } from './split.ts'
import { isStray, StrayNames } from './strayNames.ts'
import { GrowingTree } from './tree.ts'

const SHARD = /\.tar$/i
const LAYOUT =
  'images in class folders (train/cat/1.jpg or cat/1.jpg), ' +
  'or each beside a file of its class (1.jpg, 1.cls)'

/** What lies at the top of a dataset. */
export interface Top {
  /** The names of the files directly in it. */
  readonly files: readonly string[]
  /** Its folders, with the names of the files directly in those that are named like parts. */
  readonly folders: ReadonlyMap<string, readonly string[]>
}

/** Whether the archives in a folder of this name belong to the dataset. */
export const holdsShards = (folder: string) => namedPart(folder)?.of === ''

/** What lies at the top of a folder on the disk; nothing if it cannot be read. */
export async function topOf(dir: string): Promise<Top> {
  const listing = async (prefix: string) => await readEntries(join(dir, prefix)).catch(() => [])
  const filesIn = (entries: readonly Entry[]) =>
    entries.filter((entry) => !entry.isDirectory()).map(({ name }) => name)
  const top = await listing('')
  const folders = new Map<string, readonly string[]>()
  for (const { name } of top.filter((entry) => entry.isDirectory()))
    folders.set(name, holdsShards(name) ? filesIn(await listing(name)) : [])
  return { files: filesIn(top), folders }
}

/**
 * The sorted paths of the tar archives at the top of a dataset and in those of its folders that are
 * named like parts; and the other folders.
 */
export function shardsAmong(top: Top): Shards {
  const shardsIn = (files: readonly string[], prefix: string) =>
    files.filter((name) => SHARD.test(name) && !isStray(name)).map((name) => prefix + name)
  const others: string[] = []
  const shards = shardsIn(top.files, '')
  for (const [name, files] of top.folders) {
    if (isStray(name)) continue
    const inside = shardsIn(files, `${name}/`)
    shards.push(...inside)
    if (inside.length === 0) others.push(name)
  }
  return { shards: shards.sort(byCodeUnit), others: others.sort(byCodeUnit) }
}

/** Paths of archives relative to the dataset's root, and the folders beside them. */
interface Shards {
  readonly shards: readonly string[]
  readonly others: readonly string[]
}

/**
 * Opens images in a tar archive or a folder of them (shards), for example in WebDataset's layout.
 * An image's class is the content of the file of its name with the extension .cls (000123.jpg,
 * 000123.cls), or else its folder in the archive (train/cat/1.jpg, cat/1.jpg), or else, if there
 * are no folders, the archive's name. The folders of all archives together are read as those of one
 * folder on the disk, by the same rules (`openImageFolder`). An image's part, train or val, is
 * named by the folders in the archive, or by the archive's name or folder; if none of them names
 * one, a seeded share of each class is held out. Only headers are read now; images are read from
 * the archive later, and nothing is unpacked.
 * @throws DataError with one line that says what to do: no archive, one that is compressed, damaged
 * or cut short, an image without a class, and what `openImageFolder` refuses about classes
 * @throws UsageError for a split outside (0, 1) or a seed that is not a non-negative safe integer
 * @example const data = await openTarShards('imagenet') // a folder of train-000000.tar and others
 */
export async function openTarShards(
  path: string,
  options: DataOptions = {},
): Promise<ImageDataset> {
  const division = resolveSplit('openTarShards', options)
  const isFile = (await stat(fsPath(path))).isFile()
  const found = isFile ? { shards: [basename(path)], others: [] } : shardsAmong(await topOf(path))
  const archives = found.shards.map((below) =>
    diskArchive(isFile ? path : join(path, below), below),
  )
  return datasetOfArchives(path, archives, found.others, division)
}

/** A tar archive of images. */
export interface Archive {
  readonly file: DataFile
  /** Its path relative to the dataset's root. */
  readonly below: string
  /** Where a member of it is stored. */
  sourceOf(start: number, bytes: number): Source
}

function diskArchive(path: string, below: string): Archive {
  return { file: diskFile(path), below, sourceOf: (start, bytes) => ({ path, start, bytes }) }
}

/** @param others folders beside the archives, which are not read */
export async function datasetOfArchives(
  root: string,
  archives: readonly Archive[],
  others: readonly string[],
  division: Division,
): Promise<ImageDataset> {
  if (archives.length === 0)
    throw new DataError(`${root} holds no .tar file: it needs archives with ${LAYOUT}`)
  const index = new ShardIndex(root)
  const stray = new StrayNames()
  const reading = readShards(archives, stray)
  for await (const [archive, members] of reading) index.add(archive, members)
  if (others.length > 0)
    index.catalog.remarks.push(
      `the archives are read, and not the folders beside them: ${listed(others)}`,
    )
  const classes = index.place(stray, division.testSet)
  return index.catalog.divide(root, classes, division)
}

/** What an image's class and part follow from. */
interface Place {
  /** The folders above it, those above its archive first. */
  readonly folder: string
  /** The class, if a file beside the image says it. */
  readonly label: string | null
  /** The part that the archive's name gives. */
  readonly part: PartName | null
}

/** The images of several archives. */
class ShardIndex {
  readonly catalog: Catalog
  readonly #root: string
  readonly #archives: Archive[] = []
  /** The folders of all archives, where no files beside the images say their classes. */
  readonly #tree = new GrowingTree()
  /** Until all archives are read, an image's label in the catalog is the index of its place. */
  readonly #places: Place[] = []
  readonly #indices = new Map<string, number>()
  readonly #columns = {
    shard: new Column(new Uint32Array(1024)),
    start: new Column(new Float64Array(1024)),
    bytes: new Column(new Float64Array(1024)),
  }

  constructor(root: string) {
    this.#root = root
    const { shard, start, bytes } = this.#columns
    this.catalog = new Catalog((_, row) =>
      at(this.#archives, shard.at(row)).sourceOf(start.at(row), bytes.at(row)),
    )
  }

  /** Adds the images of an archive. */
  add(archive: Archive, members: ShardMembers): void {
    const { below, file } = archive
    const stem = basename(below).replace(SHARD, '')
    const above = below.split('/').slice(0, -1)
    const { images, others, links, repeated, labels, described } = members
    if (links.length > 0)
      this.catalog.remarks.push(
        `${below}: passed over ${counted(links.length, 'link')}, such as ${at(links, 0)}: ` +
          'make the archive again with --dereference --hard-dereference',
      )
    if (repeated.length > 0)
      this.catalog.remarks.push(
        `${below}: holds ${counted(repeated.length, 'file')} more than once, such as ` +
          `${at(repeated, 0)}; the last one is read, as when the archive is unpacked`,
      )
    const namesOf = (path: string) => path.split('/').filter((name) => name !== '.' && name !== '')
    for (const { path, start, bytes } of images.values()) {
      const names = namesOf(path)
      const isBare = names.length === 1
      const label = labels.get(sampleKey(path)) ?? null
      if (label === '' || (label === null && isBare && (described || labels.size > 0)))
        throw new DataError(
          `${file.name}: nothing says which class ${path} is of: archives need ${LAYOUT}`,
        )
      // The name of an archive without folders stands for a folder around its images.
      const byName = isBare && label === null
      const folders = [...above, ...(byName ? [stem] : []), ...names.slice(0, -1)]
      if (label === null) this.#grow(folders, at(names, names.length - 1))
      const part = byName ? null : (namedPart(stem)?.part ?? null)
      const place = this.#indexOf({ folder: folders.join('/'), label, part })
      this.catalog.add(`${below}/${path}`, place)
      this.#columns.shard.push(this.#archives.length)
      this.#columns.start.push(start)
      this.#columns.bytes.push(bytes)
    }
    for (const path of others) {
      const names = namesOf(path)
      this.catalog.passedOver.note(path)
      if (labels.size === 0 && names.length > 1)
        this.#grow([...above, ...names.slice(0, -1)], at(names, names.length - 1))
    }
    this.#archives.push(archive)
  }

  #grow(folders: readonly string[], name: string): void {
    let tree = this.#tree
    for (const folder of folders) tree = tree.folder(folder)
    tree.file(name)
  }

  #indexOf(place: Place): number {
    const key = JSON.stringify(place)
    const index = this.#indices.get(key) ?? this.#places.push(place) - 1
    this.#indices.set(key, index)
    return index
  }

  /**
   * Gives every image its class and part.
   * @param stray what was passed over in the archives
   * @param testSet whether the images are only to be evaluated on
   * @returns the classes
   */
  place(stray: StrayNames, testSet = false): string[] {
    const nameOf = (path: string) => (path === '' ? this.#root : `${path}/ in ${this.#root}`)
    const { folders, remarks } =
      this.#tree.folders.size > 0
        ? layoutOf(this.#tree, nameOf, testSet)
        : { folders: [], remarks: [] }
    this.catalog.remarks.push(...remarks, ...stray.remarks, ...this.#spellings())
    const folderOf = folderFinder(folders)
    const found = this.#places.map((place) => ({ place, folder: folderOf(`${place.folder}/`) }))
    const empty = folders.find((folder) => !found.some((one) => one.folder === folder))
    if (empty && !testSet)
      throw new DataError(
        `the class folder ${nameOf(empty.path)} holds no image (JPEG, PNG or WebP): ` +
          'add some or leave the folder out',
      )
    const placed = found.map(({ place, folder }) => placeOf(place, folder))
    // Where no name says train or val, one that says test divides nothing.
    const divides = placed.some((one) => one?.part === 'train' || one?.part === 'val')
    const tests = placed.filter((one) => one?.part === 'test')
    if (divides && tests.length > 0)
      this.catalog.remarks.push(
        'archives named test are left for evaluation: neither trained nor validated on',
      )
    const kept = placed.map((one) => (divides && one?.part === 'test' ? null : one))
    const classes = [...new Set(kept.flatMap((one) => (one ? [one.name] : [])))].sort(byCodeUnit)
    const numbers = new Map(classes.map((name, label) => [name, label]))
    this.catalog.place(
      kept.map(
        (one) =>
          one && {
            label: numbers.get(one.name) ?? Number.NaN,
            part: one.part === 'test' ? null : one.part,
          },
      ),
    )
    return classes
  }

  /** A remark on each class that files beside images write in two forms of Unicode. */
  #spellings(): string[] {
    const forms = new Map<string, Set<string>>()
    for (const { label } of this.#places)
      if (label !== null) {
        const name = label.normalize('NFC')
        forms.set(name, (forms.get(name) ?? new Set()).add(label))
      }
    return [...forms]
      .filter(([, labels]) => labels.size > 1)
      .map(([name]) => `the class ${name} is written in two forms of Unicode and is one class`)
  }
}

/** An image's class and part; null if it lies outside of the class folders. */
function placeOf({ folder, label, part }: Place, found: ClassFolder | undefined) {
  if (label === null) return found ? { name: found.name, part: found.part ?? part } : null
  const top = namedPart(folder.split('/', 1).join())
  return { name: label.normalize('NFC'), part: top?.of === '' ? top.part : part }
}
