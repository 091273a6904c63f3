import { DataError } from '../base/errors.ts'
import { type DataFile, piecesOf, unreadable } from './dataFile.ts'

/** A larger file is not a table of labels: a row of a hundred bytes for ten million images fits. */
const mostBytes = 2 ** 30
/** The most bytes of a line. */
export const longestLine = 2 ** 20
/** Bytes that are enough for the names of all columns. */
const firstBytes = 2 ** 16

const unmarked = ' without a byte order mark'

/** How the characters of a text are stored. */
interface Encoding {
  readonly name: 'utf-8' | 'utf-16le' | 'utf-16be'
  /** Bytes of the byte order mark before the text. */
  readonly mark: number
}

/**
 * The text of a table of labels, in parts that end at the end of a line: UTF-8, or UTF-16 with a
 * byte order mark, as Excel and editors write them. Anything else would be guessed, and a wrong
 * guess makes one class of two.
 * @throws DataError in one line that names the line of the file, and the command that converts it:
 * for text in another encoding, a line of more than 1 MiB, a file of more than 1 GiB, and what is
 * no regular file
 */
export async function* tableText(file: DataFile): AsyncGenerator<string, void, undefined> {
  const path = file.name
  let encoding: Encoding | null = null
  let rest: Uint8Array = new Uint8Array(0)
  let line = 1
  try {
    for await (const piece of piecesOf(file, mostBytes)) {
      let bytes: Uint8Array = Buffer.concat([rest, piece])
      if (!encoding) {
        encoding = encodingOf(path, bytes)
        bytes = bytes.subarray(encoding.mark)
      }
      const end = endOfLines(bytes, encoding)
      if (end > 0) {
        const text = decoded(path, bytes.subarray(0, end), encoding, line)
        line += linesIn(text)
        yield text
      }
      rest = bytes.subarray(end)
      if (rest.length > longestLine) throw tooLong(path, line)
    }
    if (encoding && rest.length > 0) yield decoded(path, rest, encoding, line)
  } catch (cause) {
    throw unreadable(path, cause)
  }
}

/** The first line of a table, in whatever encoding; `tableText` refuses what is not text. */
export async function firstLine({ name: path, open }: DataFile): Promise<string> {
  try {
    const file = await open(mostBytes)
    try {
      const bytes = await file.read(0, Math.min(file.size, firstBytes))
      const { name, mark } = markOf(bytes) ?? { name: 'utf-8', mark: 0 }
      return new TextDecoder(name).decode(bytes.subarray(mark)).replace(/[\r\n].*/s, '')
    } finally {
      await file.close()
    }
  } catch (cause) {
    throw unreadable(path, cause)
  }
}

function tooLong(path: string, line: number): DataError {
  return new DataError(
    `${path}, line ${line}: the line has more than ${longestLine} bytes: ` +
      'a table of labels has a line for each image',
  )
}

function markOf(bytes: Uint8Array): Encoding | null {
  const [a, b, c] = bytes
  if (a === 0xef && b === 0xbb && c === 0xbf) return { name: 'utf-8', mark: 3 }
  if (a === 0xff && b === 0xfe) return { name: 'utf-16le', mark: 2 }
  if (a === 0xfe && b === 0xff) return { name: 'utf-16be', mark: 2 }
  return null
}

/** @throws DataError for UTF-32, and for UTF-16 without a byte order mark */
function encodingOf(path: string, bytes: Uint8Array): Encoding {
  const [a, b, c, d] = bytes
  const other =
    a === 0xff && b === 0xfe && c === 0 && d === 0
      ? 'UTF-32LE'
      : a === 0 && b === 0 && c === 0xfe && d === 0xff
        ? 'UTF-32BE'
        : a !== 0 && b === 0 && c !== 0 && d === 0
          ? 'UTF-16LE'
          : a === 0 && b !== 0 && c === 0 && d !== 0
            ? 'UTF-16BE'
            : null
  if (other)
    throw new DataError(
      `${path}, line 1: this is ${other}${other.startsWith('UTF-16') ? unmarked : ''}, ` +
        `and UTF-8 is needed: ${conversion(path, other)}`,
    )
  return markOf(bytes) ?? { name: 'utf-8', mark: 0 }
}

/** The offset after the last end of a line; 0 if there is none. */
function endOfLines(bytes: Uint8Array, { name }: Encoding): number {
  const unit = name === 'utf-8' ? 1 : 2
  const low = name === 'utf-16be' ? 1 : 0
  const isCode = (start: number, code: number) =>
    bytes[start + low] === code && (unit === 1 || bytes[start + 1 - low] === 0)
  const last = bytes.length - (bytes.length % unit) - unit
  for (let start = last; start >= 0; start -= unit) if (isCode(start, 0x0a)) return start + unit
  // Lines may end with a carriage return alone; one at the end may have its line feed to come.
  for (let start = last - unit; start >= 0; start -= unit)
    if (isCode(start, 0x0d)) return start + unit
  return 0
}

/** How many lines end in a text. */
function linesIn(text: string): number {
  return text.match(/\r\n|\n|\r/g)?.length ?? 0
}

function decoded(path: string, bytes: Uint8Array, { name }: Encoding, line: number): string {
  let text: string
  try {
    text = new TextDecoder(name, { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch (cause) {
    throw name === 'utf-8'
      ? notUtf8(path, bytes, line, cause)
      : new DataError(`${path}: this is no valid ${name.toUpperCase()}: save the table again`, {
          cause,
        })
  }
  const zero = text.indexOf('\0')
  if (zero >= 0)
    throw new DataError(
      `${path}, line ${line + linesIn(text.slice(0, zero))}: this is no text: ` +
        'a table of labels is a text file, .csv or .tsv',
    )
  return text
}

/** Names the first line that is not UTF-8, and the encoding that it is probably in. */
function notUtf8(path: string, bytes: Uint8Array, line: number, cause: unknown): DataError {
  const utf8 = new TextDecoder('utf-8', { fatal: true })
  let number = line
  let wrong = bytes
  for (let start = 0; start < bytes.length; number++) {
    const feed = bytes.indexOf(0x0a, start)
    const end = feed < 0 ? bytes.length : feed + 1
    wrong = bytes.subarray(start, end)
    try {
      utf8.decode(wrong)
    } catch {
      break
    }
    start = end
  }
  const guess = probableEncoding(bytes)
  const shown = new TextDecoder(guess).decode(wrong).trim().slice(0, 80)
  return new DataError(
    `${path}, line ${number}: this is not UTF-8; as ${guess} it is "${shown}". If that is right, ` +
      `${conversion(path, guess)}; else give its own encoding after -f`,
    { cause },
  )
}

/**
 * The encoding that a text is probably in, by the runs of bytes above 127 in it: words of Cyrillic
 * letters, the pairs of GBK, or single letters of a European text.
 */
function probableEncoding(bytes: Uint8Array): string {
  const runs =
    Buffer.from(bytes)
      .toString('latin1')
      .match(/[\x80-\xff]+/g) ?? []
  const length = runs.reduce((sum, run) => sum + run.length, 0)
  if (length >= 3 * runs.length && runs.every((run) => /^[\xa8\xb8\xc0-\xff]+$/.test(run)))
    return 'WINDOWS-1251'
  const even = runs.filter((run) => run.length % 2 === 0)
  return 2 * even.length > runs.length ? 'GBK' : 'WINDOWS-1252'
}

/** The command that writes a table as UTF-8, beside it. */
function conversion(path: string, encoding: string): string {
  const quoted = (text: string) =>
    /^[\w./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`
  const [, stem = path, ending = ''] = /^(.*?)(\.[^./\\]*)?$/s.exec(path) ?? []
  return `iconv -f ${encoding} -t UTF-8 ${quoted(path)} > ${quoted(`${stem}-utf8${ending}`)}`
}
