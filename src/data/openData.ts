import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { DataError } from '../base/errors.ts'
import { fsPath, readEntries } from '../base/node/fileNames.ts'
import { byCodeUnit, type ImageDataset } from './dataset.ts'
import { openImageFolder } from './imageFolder.ts'
import { isLabelFile, openLabelFile } from './labelFile.ts'
import type { DataOptions } from './split.ts'
import { isStray } from './strayNames.ts'
import { findShards, openTarShards } from './tarShards.ts'

const LABEL_FILE = /\.(csv|tsv)$/i

/**
 * Opens labeled images in any of three forms: a file of labels (`openLabelFile`: `labels.csv`, or a
 * folder that holds one and no archives), tar archives (`openTarShards`: `x.tar`, or a folder of
 * them), or a folder for each class (`openImageFolder`).
 * @param path a folder or file
 * @param options `split` and `seed`: which images are held out, if the data does not say so
 * @throws DataError with one line that says what to do
 * @throws UsageError for a split outside (0, 1) or a seed that is not a non-negative safe integer
 * @example const data = await openData('flowers.csv', { split: 0.2, seed: 1 })
 */
export async function openData(path: string, options: DataOptions = {}): Promise<ImageDataset> {
  const found = await stat(fsPath(path)).catch(() => null)
  if (found && !found.isDirectory()) {
    if (LABEL_FILE.test(path)) return openLabelFile(path, options)
    if (/\.tar$/i.test(path)) return openTarShards(path, options)
    if (/\.(zip|7z|rar|tgz|tar\.\w+)$/i.test(path))
      throw new DataError(`${path} is a compressed archive: unpack it and give its folder`)
    throw new DataError(
      `${path} is not a file of labels or an archive: ` +
        'give a folder of images, a .csv that names file,label, or .tar archives',
    )
  }
  if (!found) return openImageFolder(path, options)
  if ((await findShards(path)).shards.length > 0) return openTarShards(path, options)
  const labels = await labelFiles(path)
  const [only, ...others] = labels
  if (only === undefined) return openImageFolder(path, options)
  const usual = labels.find((name) => /^labels\./i.test(name))
  if (others.length > 0 && !usual)
    throw new DataError(
      `${path} holds ${labels.length} files of labels (${labels.join(', ')}): give one of them`,
    )
  return openLabelFile(join(path, usual ?? only), options)
}

/** The files of labels in a folder, by their first lines: it may hold other .csv files too. */
async function labelFiles(path: string): Promise<string[]> {
  const names = (await readEntries(path).catch(() => []))
    .map(({ name }) => name)
    .filter((name) => LABEL_FILE.test(name) && !isStray(name))
    .sort(byCodeUnit)
  const found = await Promise.all(names.map((name) => isLabelFile(join(path, name))))
  return names.filter((_, i) => found[i])
}
