import { DataError } from '../base/errors.ts'
import type { DataFile } from './dataFile.ts'
import { byCodeUnit } from './dataset.ts'
import { isLabelFile } from './labelFile.ts'
import { isStray } from './strayNames.ts'

const LABEL_FILE = /\.(csv|tsv)$/i

/**
 * What a single file is that was given as a dataset, by its name.
 * @throws DataError for a compressed archive, and for anything else
 */
export function formOf(name: string): 'table' | 'archive' {
  if (LABEL_FILE.test(name)) return 'table'
  if (/\.tar$/i.test(name)) return 'archive'
  if (isCompressed(name))
    throw new DataError(`${name} is a compressed archive: unpack it and give its folder`)
  throw new DataError(
    `${name} is not a file of labels or an archive: ` +
      'give a folder of images, a .csv that names file,label, or .tar archives',
  )
}

/** Whether a name is that of a file rather than a folder. */
export function namesFile(name: string): boolean {
  return LABEL_FILE.test(name) || /\.tar$/i.test(name) || isCompressed(name)
}

function isCompressed(name: string): boolean {
  return /\.(zip|7z|rar|tgz|tar\.\w+)$/i.test(name)
}

/**
 * The file of labels among the files directly in a folder, by their first lines: it may hold other
 * .csv files too. Null if there is none.
 * @throws DataError if there are several, and none of the usual name
 */
export async function tableAmong(
  folder: string,
  files: readonly string[],
  fileOf: (name: string) => DataFile,
): Promise<string | null> {
  const names = files.filter((name) => LABEL_FILE.test(name) && !isStray(name)).sort(byCodeUnit)
  const found = await Promise.all(names.map((name) => isLabelFile(fileOf(name))))
  const labels = names.filter((_, i) => found[i])
  const [only, ...others] = labels
  if (only === undefined) return null
  const usual = labels.find((name) => /^labels\./i.test(name))
  if (others.length > 0 && !usual)
    throw new DataError(
      `${folder} holds ${labels.length} files of labels (${labels.join(', ')}): give one of them`,
    )
  return usual ?? only
}
