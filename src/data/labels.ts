import { DataError } from '../base/errors.ts'

/** Written for a byte that could not be read: whatever it was is lost. */
const replacement = '\ufffd'

interface Known {
  readonly number: number
  /** The line that it was first met in. */
  readonly line: number
  /** As it was written there. */
  readonly written: string
}

/** The labels of a table, numbered in the order in which they are met. */
export class Labels {
  /** Names labels that were met in two Unicode forms. */
  readonly remarks: string[] = []
  readonly #path: string
  readonly #known = new Map<string, Known>()
  readonly #twoForms = new Set<string>()

  /** @param path the table's, for messages */
  constructor(path: string) {
    this.#path = path
  }

  get names(): string[] {
    return [...this.#known.keys()]
  }

  /**
   * The number of a label, by its text without spaces around it, in the composed form of Unicode.
   * @throws DataError for a label that a program has damaged before
   */
  numberOf(cell: string, line: number): number {
    if (cell.includes(replacement))
      throw new DataError(
        `${this.#path}, line ${line}: the label "${cell}" has lost letters when the table was ` +
          'saved in another encoding: save it again from where it comes, as UTF-8',
      )
    const written = cell.trim()
    const name = written.normalize('NFC')
    const known = this.#known.get(name)
    if (!known) {
      const number = this.#known.size
      this.#known.set(name, { number, line, written })
      return number
    }
    if (known.written !== written && !this.#twoForms.has(name)) {
      this.#twoForms.add(name)
      this.remarks.push(
        `${this.#path}: the label "${name}" is written in two Unicode forms (lines ${known.line} ` +
          `and ${line}): they are one class`,
      )
    }
    return known.number
  }

  /**
   * Refuses cells that name several classes: all their parts are labels of other rows.
   * @param many whether the column's name is in the plural, so that spaces may separate labels
   * @throws DataError naming the first of them
   */
  requireSingle(many: boolean): void {
    const separators = many ? /[|;,/\s]+/ : /[|;,/]+/
    for (const [name, { line }] of this.#known) {
      const parts = name.split(separators).map((part) => part.trim())
      if (parts.length > 1 && parts.every((part) => this.#known.has(part)))
        throw new DataError(
          `${this.#path}, line ${line}: "${name}" seems to be several labels, and an image has ` +
            'one class: keep one of them, or, if it is one name, write it with a hyphen',
        )
    }
  }
}
