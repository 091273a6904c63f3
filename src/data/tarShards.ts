import { isUtf8 } from 'node:buffer'
import { stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { at } from '../base/at.ts'
import { DataError } from '../base/errors.ts'
import { counted, listed } from '../base/format.ts'
import { fsPath, readEntries } from '../base/node/fileNames.ts'
import { openInput, readRange } from '../base/node/inputFile.ts'
import { PICTURE } from '../host/imageFormat.ts'
import { Catalog } from './catalog.ts'
import { Column } from './column.ts'
import { byCodeUnit, type ImageDataset } from './dataset.ts'
import { type ClassFolder, folderFinder, layoutOf } from './layout.ts'
import { namedPart, type PartName } from './partNames.ts'
import { type DataOptions, resolveSplit } from './split.ts'
import { isStray, StrayNames } from './strayNames.ts'
import { type TarMember, tarMembers } from './tarIndex.ts'
import { GrowingTree } from './tree.ts'

const SHARD = /\.tar$/i
const LAYOUT =
  'images in class folders (train/cat/1.jpg or cat/1.jpg), ' +
  'or each beside a file of its class (1.jpg, 1.cls)'
/** Bytes of a file that holds a class. */
const mostLabelBytes = 2 ** 12

/**
 * The sorted paths of the tar archives in a folder and in those of its folders that are named like
 * parts, relative to it; and the other folders in it.
 */
export async function findShards(
  dir: string,
): Promise<{ readonly shards: string[]; readonly others: string[] }> {
  const listing = async (prefix: string) =>
    (await readEntries(join(dir, prefix)).catch(() => [])).filter(({ name }) => !isStray(name))
  const shardsIn = async (prefix: string) =>
    (await listing(prefix))
      .filter((entry) => !entry.isDirectory() && SHARD.test(entry.name))
      .map((entry) => prefix + entry.name)
  const folders = (await listing('')).filter((entry) => entry.isDirectory())
  const others: string[] = []
  const shards = await shardsIn('')
  for (const { name } of folders) {
    const inside = namedPart(name)?.of === '' ? await shardsIn(`${name}/`) : []
    shards.push(...inside)
    if (inside.length === 0) others.push(name)
  }
  return { shards: shards.sort(byCodeUnit), others: others.sort(byCodeUnit) }
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
  const found = isFile ? { shards: [basename(path)], others: [] } : await findShards(path)
  if (found.shards.length === 0)
    throw new DataError(`${path} holds no .tar file: it needs archives with ${LAYOUT}`)
  const index = new ShardIndex(path)
  for (const below of found.shards) await index.add(isFile ? path : join(path, below), below)
  if (found.others.length > 0)
    index.catalog.remarks.push(
      `the archives are read, and not the folders beside them: ${listed(found.others)}`,
    )
  const classes = index.place(division.testSet)
  return index.catalog.divide(path, classes, division)
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
  readonly #shards: string[] = []
  readonly #stray = new StrayNames()
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
    this.catalog = new Catalog((_, row) => ({
      path: at(this.#shards, shard.at(row)),
      start: start.at(row),
      bytes: bytes.at(row),
    }))
  }

  /**
   * Adds the images of an archive.
   * @param below its path relative to the dataset's root
   */
  async add(shard: string, below: string): Promise<void> {
    const stem = basename(below).replace(SHARD, '')
    const above = below.split('/').slice(0, -1)
    const { images, others, links, repeated, labels, described } = await readShard(
      shard,
      this.#stray,
    )
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
          `${shard}: nothing says which class ${path} is of: archives need ${LAYOUT}`,
        )
      // The name of an archive without folders stands for a folder around its images.
      const byName = isBare && label === null
      const folders = [...above, ...(byName ? [stem] : []), ...names.slice(0, -1)]
      if (label === null) this.#grow(folders, at(names, names.length - 1))
      const part = byName ? null : (namedPart(stem)?.part ?? null)
      const place = this.#indexOf({ folder: folders.join('/'), label, part })
      this.catalog.add(`${below}/${path}`, place)
      this.#columns.shard.push(this.#shards.length)
      this.#columns.start.push(start)
      this.#columns.bytes.push(bytes)
    }
    for (const path of others) {
      const names = namesOf(path)
      this.catalog.passedOver.note(path)
      if (labels.size === 0 && names.length > 1)
        this.#grow([...above, ...names.slice(0, -1)], at(names, names.length - 1))
    }
    this.#shards.push(shard)
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
   * @param testSet whether the images are only to be evaluated on
   * @returns the classes
   */
  place(testSet = false): string[] {
    const nameOf = (path: string) => (path === '' ? this.#root : `${path}/ in ${this.#root}`)
    const { folders, remarks } =
      this.#tree.folders.size > 0
        ? layoutOf(this.#tree, nameOf, testSet)
        : { folders: [], remarks: [] }
    this.catalog.remarks.push(...remarks, ...this.#stray.remarks, ...this.#spellings())
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

/** The files of one archive. */
async function readShard(shard: string, stray: StrayNames) {
  const images = new Map<string, TarMember>()
  const labelFiles = new Map<string, TarMember>()
  const repeated: string[] = []
  const others: string[] = []
  const links: string[] = []
  for await (const member of tarMembers(shard)) {
    if (stray.notePath(member.path)) continue
    const isImage = PICTURE.test(member.path)
    const isLabel = member.path.endsWith('.cls')
    if (member.kind === 'link') {
      if (isImage || isLabel) links.push(member.path)
      continue
    }
    const { path } = member
    if (images.has(path) || labelFiles.has(path)) repeated.push(path)
    if (isImage) images.set(path, member)
    else if (isLabel) labelFiles.set(path, member)
    else others.push(path)
    if (member.kind === 'sparse' && (isImage || isLabel))
      throw new DataError(
        `${shard}: ${member.path} is stored as a sparse file, without its zeros: ` +
          'make the archive again without --sparse',
      )
  }
  const described = others.some((path) => /\.(json|txt)$/i.test(path))
  const labels = await readLabels(shard, labelFiles)
  return { images, others, links, repeated, described, labels }
}

/** What the files of one sample have in common: the path up to the first dot of the file's name. */
function sampleKey(path: string): string {
  const folder = path.lastIndexOf('/') + 1
  const dot = path.indexOf('.', folder)
  return dot < 0 ? path : path.slice(0, dot)
}

async function readLabels(
  shard: string,
  members: ReadonlyMap<string, TarMember>,
): Promise<Map<string, string>> {
  const labels = new Map<string, string>()
  if (members.size === 0) return labels
  const { file } = await openInput(shard)
  try {
    for (const { path, start, bytes } of members.values()) {
      if (bytes > mostLabelBytes)
        throw new DataError(
          `${shard}: ${path} has ${bytes} bytes, and ${mostLabelBytes} are the most that a class ` +
            'may take',
        )
      const text = await readRange(shard, file, start, bytes)
      if (!isUtf8(text))
        throw new DataError(`${shard}: the class in ${path} is not UTF-8: write it in UTF-8`)
      labels.set(
        sampleKey(path),
        text
          .toString('utf8')
          .replace(/^\ufeff/, '')
          .trim(),
      )
    }
  } finally {
    await file.close()
  }
  return labels
}
