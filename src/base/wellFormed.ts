const mark = '\0'

/**
 * A text that can be written as UTF-8, from any text: halves of surrogate pairs, as names of files
 * that are not UTF-8 have them, are written as escapes. Different texts stay different.
 */
export function wellFormed(text: string): string {
  return text.startsWith(mark) || /\p{Surrogate}/u.test(text) ? mark + JSON.stringify(text) : text
}

/** The text that `wellFormed` wrote. */
export function original(text: string): string {
  return text.startsWith(mark) ? (JSON.parse(text.slice(1)) as string) : text
}
