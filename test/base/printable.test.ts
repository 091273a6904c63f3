import { expect, it } from 'vitest'
import { printable } from '../../src/base/printable.ts'

it.each([
  ['an escape sequence', 'an\u001b[31mts', 'an\\u001b[31mts'],
  [
    'line breaks and tabs',
    'a\nb\r\tc\u2028d\u2029e\u0085f',
    'a\\nb\\r\\tc\\u2028d\\u2029e\\u0085f',
  ],
  ['a right-to-left override', 'cat\u202egpj.exe', 'cat\\u202egpj.exe'],
  [
    'every mark of direction',
    '\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u2066\u2067\u2068\u2069',
    '\\u061c\\u200e\\u200f\\u202a\\u202b\\u202c\\u202d\\u2066\\u2067\\u2068\\u2069',
  ],
  ['letters of no width', 'ca\u200bt\u2060\ufeff\u00ad', 'ca\\u200bt\\u2060\\ufeff\\u00ad'],
  ['invisible letters', '\u3164\u115f\uffa0', '\\u3164\\u115f\\uffa0'],
  ['joiners in Latin', 'cat\u200d do\u200cg', 'cat\\u200d do\\u200cg'],
  ['tags outside a flag', 'cat\u{e0061}', 'cat\\u{e0061}'],
  ['bytes that are no UTF-8', 'gr\udcfc\udcdfe', 'gr\\xfc\\xdfe'],
  ['halves of surrogate pairs', 'a\ud800b\udfff', 'a\\ud800b\\udfff'],
  ['the mark of a terminal command', '\u009b31m', '\\u009b31m'],
])('shows %s', (_, text, shown) => {
  expect(printable(text)).toBe(shown)
  expect(printable(shown)).toBe(shown)
})

it.each([
  ['Latin with accents, composed or not', 'Käfer Ka\u0308fer'],
  ['Arabic and Hebrew', 'قطة חתול'],
  ['a joiner in Persian', 'می\u200cخواهم'],
  ['a joiner in Hindi', 'क्\u200dष'],
  ['a family', '👩\u200d👩\u200d👧 and ❤\ufe0f\u200d🔥 and 👩🏽\u200d🚀'],
  ['flags', '🏴\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f} 🇩🇪'],
  ['Chinese, and a backslash', '猫 \\n'],
])('leaves %s alone', (_, text) => {
  expect(printable(text)).toBe(text)
})
