import { at } from '../base/at.ts'
import { DataError } from '../base/errors.ts'
import { PICTURE } from '../host/imageFormat.ts'
import type { ImageDataset } from './dataset.ts'
import { datasetOfPaths } from './placedPaths.ts'
import { type DataOptions, resolveSplit } from './split.ts'

/** An image and its path below the dataset's root, such as 'cat/1.jpg' or 'val/cat/1.jpg'. */
export interface PlacedFile {
  readonly path: string
  readonly file: Blob
}

/**
 * Labeled images from files that a person chose or dropped, in the folders that `openImageFolder`
 * takes: `<class>/…`, of which a seeded share is held out, or `train/<class>/…` and
 * `val/<class>/…`. They are divided exactly as the same folder on the disk, and the same files are
 * passed over. No file is read yet.
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
  const { root, placed } = placeAll(files, options.root)
  return datasetOfPaths(
    {
      root,
      nameOf: (path) => path || root,
      paths: () => placed.map(({ path }) => path),
      sourceOf: (index) => at(placed, index).file,
    },
    division,
  )
}

/** The files by their paths below the root. */
function placeAll(files: Iterable<File | PlacedFile>, rootName: string | undefined) {
  let root = 'the selection'
  let loose = ''
  let inFolders = false
  const placed: PlacedFile[] = []
  for (const given of files) {
    const chosen = given instanceof Blob
    const path = chosen
      ? given.webkitRelativePath.slice(given.webkitRelativePath.indexOf('/') + 1) || given.name
      : given.path
    if (chosen && given.webkitRelativePath)
      root = given.webkitRelativePath.slice(0, given.webkitRelativePath.indexOf('/'))
    placed.push(chosen ? { path, file: given } : given)
    if (!PICTURE.test(path)) continue
    if (path.includes('/')) inFolders = true
    else loose ||= path
  }
  if (loose && !inFolders)
    throw new DataError(
      `${loose} is not in a class folder: choose the folder that holds a folder for each class, ` +
        "or name each file's path, as in 'cat/1.jpg'",
    )
  root = rootName ?? root
  if (!inFolders) throw new DataError(`${root} holds no image (JPEG, PNG or WebP)`)
  return { root, placed }
}
