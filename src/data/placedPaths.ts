import { DataError } from '../base/errors.ts'
import { countedEndings, PassedOver, PICTURE } from '../host/imageFormat.ts'
import { Catalog, requireSameClasses } from './catalog.ts'
import { Column } from './column.ts'
import type { ImageDataset, Source } from './dataset.ts'
import { classesOf, folderFinder, layoutOf } from './layout.ts'
import type { Division } from './split.ts'
import { StrayNames } from './strayNames.ts'
import { treeOf } from './tree.ts'

/** Files that are known by their paths below a root, with `/` between names. */
export interface PlacedPaths {
  /** The root's name, for the dataset and for errors. */
  readonly root: string
  /** How errors name a folder by its path below the root; the root's path is ''. */
  readonly nameOf: (path: string) => string
  /** All paths, always in the same order. */
  paths(): Iterable<string>
  /** The file at a position in that order. */
  sourceOf(index: number): Source
}

/**
 * The dataset of files in class folders: see `layoutOf` and `openImageFolder`.
 * @throws DataError as `filesDataset` does
 */
export function datasetOfPaths(
  { root, nameOf, paths, sourceOf }: PlacedPaths,
  division: Division,
): ImageDataset {
  const { testSet = false } = division
  const stray = new StrayNames()
  const { folders, remarks } = layoutOf(treeOf(paths(), stray), nameOf, testSet)
  const classes = classesOf(folders)
  const labels = new Map(classes.map((name, label) => [name, label]))
  const folderOf = folderFinder(folders)
  const others = new Map(folders.map((folder) => [folder, new PassedOver()]))
  const empty = new Set(folders)
  const indices = new Column(new Uint32Array(1024))
  const catalog = new Catalog((_, row) => sourceOf(indices.at(row)))
  let index = -1
  for (const path of paths()) {
    index++
    const folder = folderOf(path)
    if (!folder || stray.notePath(path)) continue
    if (PICTURE.test(path)) {
      empty.delete(folder)
      catalog.add(path, labels.get(folder.name) ?? Number.NaN, folder.part)
      indices.push(index)
    } else others.get(folder)?.note(path)
  }
  for (const folder of testSet ? [] : empty) {
    const held = countedEndings(others.get(folder)?.counts ?? {})
    throw new DataError(
      `the class folder ${nameOf(folder.path)} holds no image ` +
        `(JPEG, PNG or WebP${held && `; it holds ${held}`}): add some or remove the folder`,
    )
  }
  for (const passedOver of others.values()) catalog.passedOver.add(passedOver)
  if (folders[0]?.part && !testSet)
    requireSameClasses(root, classesOf(folders, 'train'), classesOf(folders, 'val'), '/')
  catalog.remarks.push(...remarks, ...stray.remarks)
  return catalog.divide(root, classes, division)
}
