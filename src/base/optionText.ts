/** An option in a message, with the value it should have where the message names one. */
export interface NamedOption {
  readonly option: string
  readonly value?: unknown
}

/** How one kind of caller writes an option: a program, a command line, a form. */
export type WriteOption = (named: NamedOption) => string

/** `lrFloor`, or with a value `schedule: 'cosine'`: as a program writes it. */
const asProperty: WriteOption = ({ option, value }) => {
  if (value === undefined) return option
  return `${option}: ${typeof value === 'string' ? `'${value}'` : JSON.stringify(value)}`
}

/** A message about options, which names them as its reader does. */
export class OptionText {
  readonly #parts: readonly (string | NamedOption)[]

  constructor(parts: readonly (string | NamedOption)[]) {
    this.#parts = parts
  }

  /** The message for a reader who writes options in this way. */
  write(write: WriteOption = asProperty): string {
    return this.#parts.map((part) => (typeof part === 'string' ? part : write(part))).join('')
  }

  /** The message with a label in front. */
  after(label: string): OptionText {
    return new OptionText([label, ...this.#parts])
  }
}

/** Names an option in `optionText`. */
export function option(name: string, value?: unknown): NamedOption {
  return { option: name, value }
}

/**
 * A message that names options. A line break with the spaces around it stands for one space.
 * @example throw new UsageError(optionText`${option('resume')} needs ${option('checkpoint')}`)
 */
export function optionText(
  strings: TemplateStringsArray,
  ...values: readonly (NamedOption | string | number)[]
): OptionText {
  const written = values.map((value) => (typeof value === 'number' ? String(value) : value))
  return new OptionText(
    strings.flatMap((part, i) => {
      const text = part.replace(/\s*\n\s*/g, ' ')
      const value = written[i]
      return value === undefined ? [text] : [text, value]
    }),
  )
}
