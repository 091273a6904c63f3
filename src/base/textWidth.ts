const segmenter = new Intl.Segmenter('en', { granularity: 'grapheme' })

/**
 * What a reader sees as letters, each with its width: East Asian letters and emoji are twice as
 * wide as Latin ones, and marks alone have none.
 */
function lettersOf(text: string): { readonly letter: string; readonly width: number }[] {
  return [...segmenter.segment(text)].map(({ segment }) => ({
    letter: segment,
    width: wide.test(segment) ? 2 : bare.test(segment) ? 0 : 1,
  }))
}

/** Blocks that terminals draw two columns wide (Unicode's UAX #11: W and F), and emoji. */
const wide = new RegExp(
  '^[\\u1100-\\u115f\\u2e80-\\u303e\\u3041-\\ua4cf\\ua960-\\ua97f\\uac00-\\ud7a3\\uf900-\\ufaff' +
    '\\ufe10-\\ufe19\\ufe30-\\ufe6f\\uff01-\\uff60\\uffe0-\\uffe6\\u{20000}-\\u{3fffd}]' +
    '|\\p{Emoji_Presentation}|\\ufe0f',
  'u',
)
const bare = /^[\p{Mn}\p{Me}\p{Cf}]+$/u

/** How many Latin letters' room a text takes. */
export function widthOf(text: string): number {
  return lettersOf(text).reduce((sum, { width }) => sum + width, 0)
}

/** A text with spaces after it, or before it, up to a width. */
export function padded(text: string, width: number, align: 'left' | 'right' = 'left'): string {
  const spaces = ' '.repeat(Math.max(0, width - widthOf(text)))
  return align === 'left' ? text + spaces : spaces + text
}

/**
 * At most as wide as that many Latin letters: of a longer text the beginning, or its end. No letter
 * is cut in two.
 */
export function shortened(
  text: string,
  most: number,
  keep: 'beginning' | 'end' = 'beginning',
): string {
  if (widthOf(text) <= most) return text
  const letters = keep === 'beginning' ? lettersOf(text) : lettersOf(text).reverse()
  const kept: string[] = []
  let room = most - 1
  for (const { letter, width } of letters) {
    room -= width
    if (room < 0) break
    kept.push(letter)
  }
  return keep === 'beginning' ? `${kept.join('')}…` : `…${kept.reverse().join('')}`
}
