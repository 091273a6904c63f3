import { DataError } from '../base/errors.ts'

/** What a row says about which part its image belongs to. */
export type TablePart = 'train' | 'val' | 'test'

/** Where the cells of a row are that matter. */
export interface Columns {
  /** Those that may name the image, the most likely one first. */
  readonly files: readonly number[]
  readonly label: number
  /** Whether the label's column has a name in the plural. */
  readonly many: boolean
  readonly split: {
    readonly column: number
    /** Null for an empty cell, undefined for one that names no part. */
    readonly partOf: (cell: string) => TablePart | null | undefined
    /** What a cell may say, for a message. */
    readonly words: string
  } | null
  /** What a person should know about the choice. */
  readonly remark: string | null
}

// Names of columns are compared without case, spaces, dots, hyphens and underscores.
const fileColumns = [
  ...['file', 'filename', 'filepath', 'imagefile', 'imagefilename', 'imagepath', 'imagename'],
  ...['path', 'image', 'images', 'img', 'imgpath', 'imgname', 'imgfile', 'fname', 'photo'],
  ...['imageid', 'imgid', 'photoid', 'fileid', 'id'],
  'name',
]
const labelColumns = new Set([
  ...['label', 'labels', 'labelname', 'class', 'classes', 'classname', 'classlabel', 'category'],
  ...['categories', 'categoryname', 'target', 'targets', 'breed', 'species', 'variety', 'tag'],
  ...['tags', 'diagnosis', 'dx', 'groundtruth', 'classid', 'labelid', 'categoryid'],
])
const severalNames = new Set(['labels', 'classes', 'categories', 'targets', 'tags'])
const splitColumns = new Set(['split', 'part', 'partition', 'subset'])
/** Columns of these names may be about something else: their cells decide. */
const possibleSplitColumns = new Set(['set', 'dataset', 'phase', 'usage'])

const partWords = new Map<string, TablePart>([
  ...['train', 'training', 'trn'].map((word) => [word, 'train'] as const),
  ...['val', 'valid', 'validation', 'dev'].map((word) => [word, 'val'] as const),
  ...['test', 'testing', 'tst'].map((word) => [word, 'test'] as const),
])
const yes = new Set(['true', 't', 'yes', 'y', '1', '1.0'])
const no = new Set(['false', 'f', 'no', 'n', '0', '0.0'])

type PartOf = (cell: string) => TablePart | null | undefined

const namedPart: PartOf = (cell) => (cell === '' ? null : partWords.get(cell.toLowerCase()))

/** The part of an image by a column that says yes or no. */
function answeredPart(ifYes: TablePart, ifNo: TablePart): PartOf {
  return (cell) => {
    if (cell === '') return null
    if (yes.has(cell.toLowerCase())) return ifYes
    return no.has(cell.toLowerCase()) ? ifNo : undefined
  }
}

const answers = new Map<string, PartOf>([
  ...['isvalid', 'isval', 'isvalidation'].map(
    (name) => [name, answeredPart('val', 'train')] as const,
  ),
  ['istrain', answeredPart('train', 'val')],
  ['istraining', answeredPart('train', 'val')],
  ['istest', answeredPart('test', 'train')],
])

const simplified = (name: string) =>
  name
    .normalize('NFC')
    .toLowerCase()
    .replace(/[\s_.-]+/g, '')

/** The separator of the columns: whichever of the three comes first in the first line. */
export function delimiterOf(line: string): string {
  return /[,;\t]/.exec(line.replace(/"[^"]*"/g, ''))?.[0] ?? ','
}

/**
 * Whether a first line names the columns of a table of labels. Many other tables have a column
 * `name` too: it does not count.
 */
export function namesLabels(line: string): boolean {
  const cells = line
    .split(delimiterOf(line))
    .map((cell) => simplified(cell.replaceAll('"', '').trim()))
  return (
    cells.some((cell) => cell !== 'name' && fileColumns.includes(cell)) &&
    cells.some((cell) => labelColumns.has(cell))
  )
}

/**
 * Finds the columns by their usual names, in any order.
 * @param header the cells of the first line
 * @param rows some of the rows below it
 * @throws DataError in one line: no column for the image or for the label, several for the label,
 * or several that say train or val
 */
export function findColumns(
  path: string,
  header: readonly string[],
  rows: readonly (readonly string[])[],
): Columns {
  const names = header.map(simplified)
  const columns = [...names.keys()].filter((column) => names[column] !== '')
  const named = (list: { has(name: string): boolean }) =>
    columns.filter((column) => list.has(names[column] ?? ''))
  const cellsOf = (column: number) => rows.map((row) => row[column] ?? '')

  const files = fileColumns.flatMap((name) => columns.filter((column) => names[column] === name))
  const splits = [
    ...named(splitColumns),
    ...named(answers),
    ...named(possibleSplitColumns).filter((column) => cellsOf(column).every(namedPart)),
  ]
  const textOf = (list: readonly number[]) => {
    const shown = list.slice(0, 5).map((column) => header[column])
    return shown.join(', ') + (list.length > 5 ? ` and ${list.length - 5} more` : '')
  }
  if (splits.length > 1)
    throw new DataError(
      `${path}: the columns ${textOf(splits)} say which images are for validation: keep one`,
    )
  const labels = named(labelColumns)
  if (labels.length > 1)
    throw new DataError(
      `${path}: the columns ${textOf(labels)} may all be the label: keep one of them, ` +
        'and name it label',
    )
  const others = columns.filter((column) => !files.includes(column) && !splits.includes(column))
  const [label = others.length === 1 ? others[0] : undefined] = labels
  const lacking = [
    ...(files.length === 0 ? ['file'] : []),
    ...(label === undefined ? ['label'] : []),
  ]
  if (files.length > 0) refuseMarks(path, others, { label, cellsOf, textOf })
  if (lacking.length > 0 || label === undefined)
    throw new DataError(
      `${path}: the first line names no column ${lacking.join(' and no column ')} ` +
        `(it says ${header.join(', ')}): it must be file,label or file,label,split`,
    )
  const [split] = splits
  const answer = split === undefined ? undefined : answers.get(names[split] ?? '')
  return {
    files,
    label,
    many: severalNames.has(names[label] ?? ''),
    split:
      split === undefined
        ? null
        : {
            column: split,
            partOf: answer ?? namedPart,
            words: answer ? 'true or false' : 'train or val',
          },
    remark: labels.length
      ? null
      : `${path}: the labels are those of the column ${header[label]}, the only one left`,
  }
}

/** Refuses a table that has a column for each class, with a 1 in that of the image's class. */
function refuseMarks(
  path: string,
  others: readonly number[],
  {
    label,
    cellsOf,
    textOf,
  }: {
    readonly label: number | undefined
    readonly cellsOf: (column: number) => readonly string[]
    readonly textOf: (columns: readonly number[]) => string
  },
): void {
  if (label !== undefined) return
  const marks = others.filter((column) => {
    const cells = cellsOf(column)
    return cells.length > 0 && cells.every((cell) => yes.has(cell) || no.has(cell))
  })
  if (marks.length > 1)
    throw new DataError(
      `${path}: the columns ${textOf(marks)} mark the classes of an image, and one column, ` +
        'label, must name its only class',
    )
}
