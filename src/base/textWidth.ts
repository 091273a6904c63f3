const segmenter = new Intl.Segmenter('en', { granularity: 'grapheme' })

/**
 * What a reader sees as letters, each with its width: East Asian letters and emoji are twice as
 * wide as Latin ones.
 */
function lettersOf(text: string): { readonly letter: string; readonly width: number }[] {
  return [...segmenter.segment(text)].map(({ segment }) => ({
    letter: segment,
    width: wide.test(segment) ? 2 : 1,
  }))
}

const wide = new RegExp(
  '\\p{Script=Han}|\\p{Script=Hiragana}|\\p{Script=Katakana}|\\p{Script=Hangul}' +
    '|\\p{Emoji_Presentation}|[\\uff01-\\uff60]',
  'u',
)

/** How many Latin letters' room a text takes. */
export function widthOf(text: string): number {
  return lettersOf(text).reduce((sum, { width }) => sum + width, 0)
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
