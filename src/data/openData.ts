import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { fsPath } from '../base/node/fileNames.ts'
import { isAddress } from '../store/node/address.ts'
import { diskFile } from './dataFile.ts'
import { formOf, tableAmong } from './dataForm.ts'
import type { ImageDataset } from './dataset.ts'
import { openImageFolder } from './imageFolder.ts'
import { openLabelFile } from './labelFile.ts'
import type { DataOptions } from './split.ts'
import { openStoredData } from './storedData.ts'
import { openTarShards, shardsAmong, topOf } from './tarShards.ts'

/**
 * Opens labeled images in any of three forms: a file of labels (`openLabelFile`: `labels.csv`, or a
 * folder that holds one and no archives), tar archives (`openTarShards`: `x.tar`, or a folder of
 * them), or a folder for each class (`openImageFolder`).
 * @param path a folder or file, or the address of one in a store: `s3://photos/2024`,
 * `s3://photos/labels.csv`, `file:///data/photos`. The same files are divided as on the disk.
 * @param options `split` and `seed`: which images are held out, if the data does not say so
 * @throws DataError with one line that says what to do
 * @throws StoreError for a store that cannot be read
 * @throws UsageError for a split outside (0, 1) or a seed that is not a non-negative safe integer
 * @example const data = await openData('flowers.csv', { split: 0.2, seed: 1 })
 */
export async function openData(path: string, options: DataOptions = {}): Promise<ImageDataset> {
  if (isAddress(path)) return openStoredData(path, options)
  const found = await stat(fsPath(path)).catch(() => null)
  if (found && !found.isDirectory())
    return formOf(path) === 'table' ? openLabelFile(path, options) : openTarShards(path, options)
  if (!found) return openImageFolder(path, options)
  const top = await topOf(path)
  if (shardsAmong(top).shards.length > 0) return openTarShards(path, options)
  const table = await tableAmong(path, top.files, (name) => diskFile(join(path, name)))
  return table === null ? openImageFolder(path, options) : openLabelFile(join(path, table), options)
}
