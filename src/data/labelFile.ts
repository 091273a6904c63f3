import { dirname, resolve } from 'node:path'
import { pipeline, Readable } from 'node:stream'
import { CsvError, parse } from 'csv-parse'
import { at } from '../base/at.ts'
import { DataError } from '../base/errors.ts'
import { counted } from '../base/format.ts'
import { Catalog, type Part } from './catalog.ts'
import { Column } from './column.ts'
import { type DataFile, diskFile } from './dataFile.ts'
import type { ImageDataset } from './dataset.ts'
import { Labels } from './labels.ts'
import { DiskFiles, type FilesBelow, ListedFiles } from './listedFiles.ts'
import { type DataOptions, type Division, resolveSplit } from './split.ts'
import { type Columns, delimiterOf, findColumns, namesLabels } from './tableColumns.ts'
import { firstLine, longestLine, tableText } from './tableText.ts'

/** How many rows are looked at to find out what the columns are. */
const firstRows = 32

const partNumbers = ['train', 'val', 'test'] as const
const noPart = partNumbers.length

/** A row of the file as the parser gives it, with the line that it ends on. */
interface Row {
  readonly record: readonly string[]
  readonly info: { readonly lines: number }
}

/**
 * Opens a table of labels, separated by commas, semicolons or tabs, in UTF-8 or in UTF-16 with a
 * byte order mark. Its first line names the columns, in any order and with any others: one for the
 * image (`file`, `filename`, `path`, `image`, `image_id`, `id` …), one for the label (`label`,
 * `class`, `category`, `breed` …) and, if it divides the images, one for the part (`split`: train,
 * val or test; `is_valid`: true or false). Images are files relative to the table's folder, or, if
 * they are not there, the only ones below it of that name, with or without extension. The table is
 * read as a stream; no image is decoded yet.
 *
 * Labels are compared without spaces at their ends and in Unicode's form C. `remarks` names labels
 * that differ only in case or spaces, rows that repeat another one, and files that were searched
 * for. Images of the part test are left out, or validate if there is no part val.
 * @throws DataError with one line that says what to do: no such file, another encoding, no such
 * column, several columns of labels, a row without a file or label, a file with two labels, an
 * unknown part, a name that fits several files, none of the files exists, and what
 * `openImageFolder` refuses about classes
 * @throws UsageError for a split outside (0, 1) or a seed that is not a non-negative safe integer
 * @example const data = await openLabelFile('flowers/labels.csv', { split: 0.2 })
 */
export async function openLabelFile(
  path: string,
  options: DataOptions = {},
): Promise<ImageDataset> {
  const division = resolveSplit('openLabelFile', options)
  return openTable(diskFile(path), new DiskFiles(dirname(resolve(path))), division)
}

/** A table of labels, wherever it and its images lie. */
export async function openTable(
  file: DataFile,
  below: FilesBelow,
  division: Division,
): Promise<ImageDataset> {
  const files = new ListedFiles(below)
  const table = await readTable(file, files)
  table.requireSingleLabels()
  const catalog = await table.catalog(files, division.testSet ?? false)
  catalog.remarks.push(...table.remarks())
  return catalog.divide(file.name, catalog.sortClasses(table.classes), division)
}

/** Whether a file's first line names the columns of a table of labels. */
export async function isLabelFile(file: DataFile): Promise<boolean> {
  return namesLabels(await firstLine(file))
}

async function readTable(file: DataFile, files: ListedFiles): Promise<Table> {
  const path = file.name
  const parser = parse({
    delimiter: delimiterOf(await firstLine(file)),
    info: true,
    max_record_size: longestLine,
    relax_column_count: true,
    skip_empty_lines: true,
    trim: true,
  })
  // Passes errors of the file on to the loop below, and closes the file if a row is refused there.
  pipeline(Readable.from(tableText(file)), parser, () => {})
  let header: readonly string[] | null = null
  let table: Table | null = null
  const first: Row[] = []
  const decide = async (names: readonly string[]) => {
    const records = first.map(({ record }) => record)
    const decided = new Table(path, names, findColumns(path, names, records))
    await decided.chooseFile(files, records)
    for (const row of first) decided.add(row)
    return decided
  }
  try {
    for await (const row of parser as AsyncIterable<Row>) {
      if (!header) header = row.record
      else if (table) table.add(row)
      else if (first.push(row) === firstRows) table = await decide(header)
    }
  } catch (cause) {
    if (!(cause instanceof CsvError)) throw cause
    const why =
      cause.code === 'CSV_MAX_RECORD_SIZE'
        ? `a row has more than ${longestLine} characters: a quotation mark may be missing`
        : cause.message
    throw new DataError(`${path}, line ${String(cause.lines)}: ${why}`, { cause })
  }
  if (!header)
    throw new DataError(
      `${path} is empty: write file,label into its first line, and a line for each image below`,
    )
  table ??= await decide(header)
  if (table.length === 0)
    throw new DataError(`${path} names no image: add a line for each below the first one`)
  return table
}

/** How many there are of something, and the first of them. */
class Such {
  count = 0
  first = ''

  note(one: string): void {
    if (this.count++ === 0) this.first = one
  }
}

/** The rows of a table. */
class Table {
  readonly labels: Labels
  readonly #path: string
  readonly #columns: Columns
  /** Cells in the first line. */
  readonly #width: number
  #file: number
  readonly #names: string[] = []
  readonly #numbers = new Column(new Uint32Array(1024))
  readonly #parts = new Column(new Uint8Array(1024))
  readonly #lines = new Column(new Uint32Array(1024))
  /** Rows that repeat another one, and files found elsewhere than where their row says. */
  readonly #repeated = new Such()
  readonly #found = new Such()
  readonly #remarks: string[] = []
  /** Classes by the numbers of their labels. */
  readonly #classes = new Map<number, number>()

  constructor(path: string, header: readonly string[], columns: Columns) {
    this.labels = new Labels(path)
    this.#path = path
    this.#columns = columns
    this.#width = header.length
    this.#file = at(columns.files, 0)
  }

  get length(): number {
    return this.#names.length
  }

  /** @throws DataError for a cell that names several classes */
  requireSingleLabels(): void {
    this.labels.requireSingle(this.#columns.many)
  }

  #where(row: number): string {
    return `${this.#path}, line ${this.#lines.at(row)}`
  }

  /** Takes the first of the columns for the image in which a file is named that exists. */
  async chooseFile(files: ListedFiles, rows: readonly (readonly string[])[]): Promise<void> {
    for (const column of this.#columns.files)
      for (const row of rows) {
        const { kind } = await files.find(row[column] ?? '')
        if (kind === 'missing') continue
        this.#file = column
        return
      }
  }

  /** @throws DataError for a row without a file or label, an unknown part, or too many cells */
  add({ record, info }: Row): void {
    const where = `${this.#path}, line ${info.lines}`
    // A cell that a short row leaves out counts as empty.
    const cell = (column: number) => record[column] ?? ''
    const [file, label] = [cell(this.#file), cell(this.#columns.label)]
    if (record.slice(this.#width).some((more) => more !== ''))
      throw new DataError(
        `${where}: it has ${record.length} cells, and the first line ${this.#width}: ` +
          'a name with a comma needs quotation marks',
      )
    if (file === '') throw new DataError(`${where}: it names no file`)
    if (label.trim() === '') throw new DataError(`${where}: ${file} has no label`)
    const { split } = this.#columns
    const text = split ? cell(split.column) : ''
    const part = split?.partOf(text) ?? null
    if (text !== '' && part === null)
      throw new DataError(`${where}: there is no split "${text}": write ${split?.words}`)
    this.#names.push(file)
    this.#numbers.push(this.labels.numberOf(label, info.lines))
    this.#parts.push(part === null ? noPart : partNumbers.indexOf(part))
    this.#lines.push(info.lines)
  }

  /**
   * The images of the table, each once.
   * @param testSet whether they are only to be evaluated on: those of the part test too
   * @throws DataError for one with two labels or parts, a name that fits several files, or no file
   */
  async catalog(files: ListedFiles, testSet: boolean): Promise<Catalog> {
    const { below } = files
    const catalog = new Catalog((name) => below.sourceOf(name))
    const rows = new Map<string, number>()
    let missing = 0
    const partOf = this.#usedParts(testSet)
    for (const [row, name] of this.#names.entries()) {
      const found = await files.find(name)
      if (found.kind === 'several')
        throw new DataError(
          `${this.#where(row)}: ${name} may be ${found.paths.slice(0, 3).join(' or ')}: ` +
            'write the path',
        )
      if (found.kind === 'missing') missing++
      const file = found.kind === 'found' ? found.path : name
      const key = below.keyOf(file)
      const before = rows.get(key)
      if (before !== undefined) {
        this.#repeats(row, before, name)
        continue
      }
      rows.set(key, row)
      if (found.kind === 'found') this.#found.note(`${name} as ${file}`)
      const part = partOf(row)
      if (part !== 'left out') catalog.add(file, this.#classOf(row), part)
    }
    if (missing === this.length)
      throw new DataError(
        `${this.#path}: none of the files that it names exists, such as ${this.#names[0]}: ` +
          `paths are relative to ${below.folder}`,
      )
    return catalog
  }

  /** The names of the classes that `catalog` gave images, by their numbers there. */
  get classes(): string[] {
    const { names } = this.labels
    return [...this.#classes.keys()].map((number) => at(names, number))
  }

  /** A label that only images have which are left out is no class. */
  #classOf(row: number): number {
    const number = this.#numbers.at(row)
    const known = this.#classes.get(number) ?? this.#classes.size
    this.#classes.set(number, known)
    return known
  }

  /** @throws DataError unless both rows say the same of their image */
  #repeats(row: number, before: number, name: string): void {
    const same =
      this.#numbers.at(row) === this.#numbers.at(before) &&
      this.#parts.at(row) === this.#parts.at(before)
    if (!same)
      throw new DataError(
        `${this.#where(row)}: ${name} is already named in line ${this.#lines.at(before)}: ` +
          'remove one of the two lines',
      )
    this.#repeated.note(`line ${this.#lines.at(row)} repeats line ${this.#lines.at(before)}`)
  }

  /** The part that each row's image is used for. */
  #usedParts(testSet: boolean): (row: number) => Part | null | 'left out' {
    const counts = [0, 0, 0, 0]
    for (let row = 0; row < this.length; row++) {
      const part = this.#parts.at(row)
      counts[part] = at(counts, part) + 1
    }
    const [, val = 0, test = 0] = counts
    const left = val > 0 && !testSet
    if (test > 0)
      this.#remarks.push(
        left
          ? `${this.#path}: ${counted(test, 'image')} of the part test are left out: they are ` +
              'neither trained on nor validated with'
          : `${this.#path}: ${counted(test, 'image')} of the part test validate`,
      )
    return (row) => {
      const part = this.#parts.at(row)
      if (part === noPart) return null
      const name = at(partNumbers, part)
      return name !== 'test' ? name : left ? 'left out' : 'val'
    }
  }

  /** What a person should know about how the table was read. */
  remarks(): string[] {
    const [repeated, found] = [this.#repeated, this.#found]
    const remarks = this.#columns.remark ? [this.#columns.remark] : []
    remarks.push(...this.#remarks, ...this.labels.remarks)
    if (repeated.count > 0)
      remarks.push(
        `${this.#path}: ${counted(repeated.count, 'row')} repeat another one and count once, ` +
          `such as ${repeated.first}`,
      )
    if (found.count > 0)
      remarks.push(
        `${this.#path}: ${counted(found.count, 'file')} are not where the table says and were ` +
          `found below its folder, such as ${found.first}`,
      )
    return remarks
  }
}
