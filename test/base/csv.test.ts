import { parse } from 'csv-parse/sync'
import { expect, test } from 'vitest'
import { csvRow } from '../../src/base/csv.ts'
import { oddNames } from '../support/oddNames.ts'

test('what a program reads back are the cells, with an apostrophe before formulas', () => {
  const cells = [
    ...oddNames,
    'a\nb',
    'a\r\nb',
    ' space ',
    '',
    'über',
    ';',
    '\ttab',
    '-1',
    '@x',
    '+x',
  ]
  const [read] = parse(csvRow(cells)) as string[][]
  expect(read).toEqual(cells.map((cell) => (/^[=+\-@\t\r]/.test(cell) ? `'${cell}` : cell)))
  expect(csvRow(['a', -0.5, 'b,"c"'])).toBe('a,-0.5,"b,""c"""')
})
