import { access } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { pipeline, Readable } from 'node:stream'
import { CsvError, parse } from 'csv-parse'
import { DataError } from '../base/errors.ts'
import { inputPieces, openInput, readError } from '../base/node/inputFile.ts'
import { Catalog, type Part } from './catalog.ts'
import type { ImageDataset } from './dataset.ts'
import { type DataOptions, resolveSplit } from './split.ts'

/** The names that a column may have. */
const columnNames = {
  file: ['file', 'filename', 'path', 'image'],
  label: ['label', 'class', 'category'],
  split: ['split', 'part'],
} as const

const partNames: Readonly<Record<string, Part>> = {
  train: 'train',
  val: 'val',
  valid: 'val',
  validation: 'val',
}

/**
 * How many files are looked for before training: if none of them exists, the paths are wrong.
 */
const soughtFiles = 32

/** Bytes that a file of labels may have: more than 10 million rows. */
const mostBytes = 2 ** 30

interface Columns {
  readonly file: number
  readonly label: number
  /** Negative if there is no such column. */
  readonly split: number
}

/** A row of the file as the parser gives it, with the line that it ends on. */
interface Row {
  readonly record: readonly string[]
  readonly info: { readonly lines: number }
}

/**
 * Opens a file of labels, separated by commas, semicolons or tabs. Its first line names the columns
 * `file,label` and, if it divides the images, `split` (train or val), in any order and with any
 * others. Paths are relative to the file's folder. The file is read as a stream; no image is
 * decoded yet.
 * @throws DataError with one line that says what to do: no such file, no such column, a row without
 * a file or label, a file named twice, an unknown split, none of the files exists, and what
 * `openImageFolder` refuses about classes
 * @throws UsageError for a split outside (0, 1) or a seed that is not a non-negative safe integer
 * @example const data = await openLabelFile('flowers/labels.csv', { split: 0.2 })
 */
export async function openLabelFile(
  path: string,
  options: DataOptions = {},
): Promise<ImageDataset> {
  const division = resolveSplit('openLabelFile', options)
  const folder = dirname(resolve(path))
  const catalog = new Catalog((name) => resolve(folder, name))
  const classes = new Map<string, number>()
  const lines = new Map<string, number>()
  let columns: Columns | null = null
  const delimiter = delimiterOf(await firstLine(path))
  const parser = parse({
    bom: true,
    delimiter,
    info: true,
    relax_column_count: true,
    skip_empty_lines: true,
    trim: true,
  })
  // Passes errors of the file on to the loop below, and closes the file if a row is refused there.
  pipeline(Readable.from(inputPieces(path, mostBytes)), parser, () => {})
  try {
    for await (const { record, info } of parser as AsyncIterable<Row>) {
      if (!columns) {
        columns = findColumns(path, record)
        continue
      }
      const where = `${path}, line ${info.lines}`
      const { file, label, part } = readRow(where, record, columns)
      const before = lines.get(file)
      if (before !== undefined)
        throw new DataError(
          `${where}: ${file} is already named in line ${before}: remove one of the two lines`,
        )
      lines.set(file, info.lines)
      const known = classes.get(label) ?? classes.size
      classes.set(label, known)
      catalog.add(file, known, part)
    }
  } catch (cause) {
    if (cause instanceof DataError) throw cause
    throw cause instanceof CsvError
      ? new DataError(`${path}, line ${String(cause.lines)}: ${cause.message}`, { cause })
      : fileError(path, cause)
  }
  if (!columns)
    throw new DataError(
      `${path} is empty: write file,label into its first line, and a line for each image below`,
    )
  if (lines.size === 0)
    throw new DataError(`${path} names no image: add a line for each below the first one`)
  await requireSomeFiles(path, folder, lines.keys())
  return catalog.divide(path, catalog.sortClasses([...classes.keys()]), division)
}

/** Whether a file's first line names the columns of a file of labels. */
export async function isLabelFile(path: string): Promise<boolean> {
  const line = await firstLine(path)
  const cells = line
    .split(delimiterOf(line))
    .map((cell) => cell.replaceAll('"', '').trim().toLowerCase())
  return [columnNames.file, columnNames.label].every((names: readonly string[]) =>
    cells.some((cell) => names.includes(cell)),
  )
}

/** The separator of the columns: whichever of the three comes first in the first line. */
function delimiterOf(line: string): string {
  return /[,;\t]/.exec(line)?.[0] ?? ','
}

async function firstLine(path: string): Promise<string> {
  const { file } = await openInput(path, mostBytes).catch((cause: unknown) => {
    throw fileError(path, cause)
  })
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(4096), 0, 4096, 0)
    return buffer
      .toString('utf8', 0, bytesRead)
      .replace(/^\ufeff/, '')
      .replace(/\r?\n.*/s, '')
  } catch (cause) {
    throw fileError(path, cause)
  } finally {
    await file.close()
  }
}

function fileError(path: string, cause: unknown): DataError {
  return new DataError(`cannot read ${path} (${readError(path, cause).reason})`, { cause })
}

function findColumns(path: string, header: readonly string[]): Columns {
  const cells = header.map((cell) => cell.toLowerCase())
  const find = (names: readonly string[]) => cells.findIndex((cell) => names.includes(cell))
  const [file, label, split] = [
    find(columnNames.file),
    find(columnNames.label),
    find(columnNames.split),
  ]
  const lacking = [...(file < 0 ? ['file'] : []), ...(label < 0 ? ['label'] : [])]
  if (lacking.length > 0)
    throw new DataError(
      `${path}: the first line names no column ${lacking.join(' and no column ')} ` +
        `(it says ${header.join(', ')}): it must be file,label or file,label,split`,
    )
  return { file, label, split }
}

function readRow(where: string, record: readonly string[], columns: Columns) {
  // A cell that a short row leaves out counts as empty.
  const cell = (column: number) => record[column] ?? ''
  const [file, label] = [cell(columns.file), cell(columns.label)]
  if (file === '') throw new DataError(`${where}: it names no file`)
  if (label === '') throw new DataError(`${where}: ${file} has no label`)
  if (columns.split < 0) return { file, label, part: null }
  const text = cell(columns.split)
  const part = partNames[text.toLowerCase()]
  if (text !== '' && !part)
    throw new DataError(`${where}: there is no split "${text}": write train or val`)
  return { file, label, part: part ?? null }
}

async function requireSomeFiles(
  path: string,
  folder: string,
  names: Iterable<string>,
): Promise<void> {
  let sought = 0
  let first = ''
  for (const name of names) {
    if (sought++ === soughtFiles) break
    first ||= name
    const there = await access(resolve(folder, name)).then(
      () => true,
      () => false,
    )
    if (there) return
  }
  throw new DataError(
    `${path}: none of the files that it names exists, such as ${first}: ` +
      `paths are relative to ${folder}`,
  )
}
