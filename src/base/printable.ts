/** Letters of scripts that join: in them, and in emoji, U+200C and U+200D are spelling. */
const joining =
  '(?!\\p{Script=Latin})[\\p{L}\\p{M}\\p{Extended_Pictographic}\\p{Emoji_Modifier}\\ufe0f]'

/**
 * What a terminal acts on instead of showing it, or what nobody sees: control characters, line and
 * paragraph separators, marks that turn the direction of a text, characters of no width, and halves
 * of surrogate pairs. Joiners between letters that join, variation selectors, and the tags in a
 * flag's emoji are parts of what is seen.
 */
const unseen = new RegExp(
  [
    '[\\p{Cc}\\p{Zl}\\p{Zp}\\p{Cs}]',
    '(?![\\u200c\\u200d\\p{Variation_Selector}\\u{e0020}-\\u{e007f}])\\p{DI}',
    `(?<!${joining})[\\u200c\\u200d]|[\\u200c\\u200d](?!${joining})`,
    '(?<!\\u{1f3f4}[\\u{e0020}-\\u{e007f}]*)[\\u{e0020}-\\u{e007f}]',
  ].join('|'),
  'gu',
)

const short = new Map([
  ['\b', '\\b'],
  ['\f', '\\f'],
  ['\n', '\\n'],
  ['\r', '\\r'],
  ['\t', '\\t'],
])

function escaped(character: string): string {
  const code = character.codePointAt(0) ?? 0
  // A byte of a file's name that is no UTF-8: see src/base/node/fileNames.ts.
  if (code >= 0xdc80 && code <= 0xdcff) return `\\x${(code - 0xdc00).toString(16)}`
  if (code > 0xffff) return `\\u{${code.toString(16)}}`
  return short.get(character) ?? `\\u${code.toString(16).padStart(4, '0')}`
}

/**
 * A text as one line that moves no cursor, turns no direction and hides nothing: a file's name may
 * hold line breaks and worse. They appear as \n, \u001b, \u202e and, for bytes that are no UTF-8,
 * \xfc. What is printable already stays as it is.
 * @example printable('a\nb') // 'a\\nb'
 */
export function printable(text: string): string {
  return text.replace(unseen, escaped)
}
