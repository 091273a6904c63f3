import { join } from 'node:path'
import type { ImageDataset } from '../../src/data/dataset.ts'
import { openLabelFile } from '../../src/data/labelFile.ts'
import { dataErrorOf, touch, useTempFolder, writeFiles } from './images.ts'

/** The files beside a table, if a test names no others. */
export const fourFiles: readonly string[] = ['1.jpg', '2.jpg', '3.jpg', '4.jpg']

/** Functions that open tables of labels, each in a folder of its own, and say what came of it. */
export function useTables() {
  const inTemp = useTempFolder()
  let made = 0
  /** The path of a table with empty files beside it. */
  const table = async (content: string | Uint8Array, files = fourFiles): Promise<string> => {
    const folder = inTemp(`table ${made++}`)
    await touch(folder, files)
    await writeFiles(folder, { 'labels.csv': content })
    return join(folder, 'labels.csv')
  }
  /** A message about the last table. */
  const withoutFolder = (text: string) => text.replaceAll(inTemp(`table ${made - 1}`), '…')
  const refusal = async (content: string | Uint8Array, files = fourFiles) =>
    withoutFolder((await dataErrorOf(openLabelFile(await table(content, files)))).message)
  const opened = async (content: string | Uint8Array, files = fourFiles) => {
    const data = await openLabelFile(await table(content, files), { split: 0.5 })
    return { data, classes: byClass(data), remarks: (data.remarks ?? []).map(withoutFolder) }
  }
  return { inTemp, table, withoutFolder, refusal, opened }
}

/** The names of the images of each class, of both parts. */
export function byClass({ classes, train, val }: ImageDataset): Record<string, string[]> {
  const namesOf = (label: number) =>
    [...train, ...val].filter((one) => one.label === label).map(({ name }) => name)
  return Object.fromEntries(classes.map((name, label) => [name, namesOf(label).sort()]))
}
