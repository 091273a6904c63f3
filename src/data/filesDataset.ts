import { at } from '../base/at.ts'
import { DataError } from '../base/errors.ts'
import { PICTURE } from '../host/imageFormat.ts'
import { Catalog, requireSameClasses } from './catalog.ts'
import { byCodeUnit, type ImageDataset } from './dataset.ts'
import { type DataOptions, resolveSplit } from './split.ts'

/** An image and its path below the dataset's root, such as 'cat/1.jpg' or 'val/cat/1.jpg'. */
export interface PlacedFile {
  readonly path: string
  readonly file: Blob
}

/**
 * Labeled images from files that a person chose or dropped, in the folders that `openImageFolder`
 * takes: `<class>/…`, of which a seeded share is held out, or `train/<class>/…` and
 * `val/<class>/…`. They are divided exactly as the same folder on the disk. Hidden files are
 * skipped, and so are files whose names do not end in .jpg, .jpeg, .png or .webp. No file is read
 * yet.
 * @param files the files of `<input type="file" webkitdirectory>`, whose chosen folder is the root;
 * or blobs with their paths below the root
 * @param options.root the root's name, for the dataset and for errors; the chosen folder's name by
 * default
 * @throws DataError with one line that says what to do: files without a folder, a class folder
 * without images, only one class, a class in only one of train/ and val/, one too small to divide
 * @throws UsageError for a split outside (0, 1) or a seed that is not a non-negative safe integer
 * @example const data = filesDataset(input.files, { split: 0.2 })
 */
export function filesDataset(
  files: Iterable<File | PlacedFile>,
  options: DataOptions & { readonly root?: string } = {},
): ImageDataset {
  const division = resolveSplit('filesDataset', options, ['root'])
  const { placed, others, ...found } = placeAll(files)
  const root = options.root ?? found.root
  const tops = new Set(placed.map(({ path }) => path.slice(0, path.indexOf('/'))))
  const divided = tops.has('train') && tops.has('val')
  const blobs: Blob[] = []
  const catalog = new Catalog((_, row) => at(blobs, row))
  const numbers = new Map<string, number>()
  const inPart = { train: new Set<string>(), val: new Set<string>() }
  for (const { path, file } of placed) {
    const [first, second, ...deeper] = path.split('/') as [string, string, ...string[]]
    const part = !divided ? null : first === 'train' || first === 'val' ? first : undefined
    if (part === undefined) continue
    if (part && deeper.length === 0) continue
    const name = part ? second : first
    const label = numbers.get(name) ?? numbers.size
    numbers.set(name, label)
    if (part) inPart[part].add(name)
    catalog.add(path, label, part)
    blobs.push(file)
  }
  requireImages(placed, others, divided)
  for (const path of others) catalog.passedOver.note(path)
  if (divided)
    requireSameClasses(
      root,
      [...inPart.train].sort(byCodeUnit),
      [...inPart.val].sort(byCodeUnit),
      '/',
    )
  return catalog.divide(root, catalog.sortClasses([...numbers.keys()]), division)
}

/** The images in folders, by their paths below the root. */
function placeAll(files: Iterable<File | PlacedFile>) {
  let root = 'the files'
  let loose = ''
  /** All have a folder in their path. */
  const placed: PlacedFile[] = []
  const others: string[] = []
  for (const given of files) {
    const chosen = given instanceof Blob
    const path = chosen
      ? given.webkitRelativePath.slice(given.webkitRelativePath.indexOf('/') + 1)
      : given.path
    if (chosen && given.webkitRelativePath)
      root = given.webkitRelativePath.slice(0, given.webkitRelativePath.indexOf('/'))
    const parts = path.split('/')
    if (parts.some((name) => name.startsWith('.'))) continue
    if (!PICTURE.test(chosen ? given.name : path)) others.push(path)
    else if (parts.length < 2) loose = chosen ? given.name : path
    else placed.push(chosen ? { path, file: given } : given)
  }
  if (placed.length === 0 && loose)
    throw new DataError(
      `${loose} is not in a class folder: choose the folder that holds a folder for each class, ` +
        "or name each file's path, as in 'cat/1.jpg'",
    )
  return { root, placed, others }
}

/**
 * Refuses a class folder without images. A browser does not list empty folders, so only other files
 * in the folder show that it exists.
 */
function requireImages(
  placed: readonly PlacedFile[],
  others: readonly string[],
  divided: boolean,
): void {
  const folderOf = (path: string) => {
    const folders = path.split('/').slice(0, -1)
    if (!divided) return folders[0]
    return folders.length > 1 && (folders[0] === 'train' || folders[0] === 'val')
      ? `${folders[0]}/${folders[1]}`
      : undefined
  }
  const full = new Set(placed.map(({ path }) => folderOf(path)))
  const bare = others.map(folderOf).find((folder) => folder !== undefined && !full.has(folder))
  if (bare && placed.length > 0)
    throw new DataError(
      `the class folder ${bare} holds no image (JPEG, PNG or WebP): add some or remove the folder`,
    )
}
