import { expect, test } from 'vitest'
import { specs } from '../../src/train/options/table.ts'
import { fieldRule, readNumber } from '../../src/web/fieldProblems.ts'
import { defaults, type PageOption, pageOptions } from '../../src/web/settings.ts'
import { startProblems } from '../../src/web/startProblems.ts'

const read = (name: PageOption, text: string, mayBeEmpty = false) => {
  const { rule, field } = specs[name]
  if (!rule) throw new Error(`${name} has no rule`)
  return readNumber(text, fieldRule(name, rule), { off: field?.off, mayBeEmpty })
}

test.each<readonly [PageOption, string, RegExp]>([
  ['epochs', '0', /whole number from 1 to 10000/],
  ['epochs', '', /whole number/],
  ['epochs', '2.5', /whole number/],
  ['epochs', '1e9', /from 1 to 10000/],
  ['epochs', '-3', /from 1/],
  ['epochs', 'NaN', /whole number/],
  ['epochs', 'Infinity', /whole number/],
  ['epochs', '0x10', /whole number/],
  ['epochs', 'ten', /whole number/],
  ['batchSize', '0', /from 1 to 4096/],
  ['batchSize', '99999999', /from 1 to 4096/],
  ['lr', '0', /above 0, up to 10/],
  ['lr', '-1', /above 0/],
  ['lr', '1e400', /above 0/],
  ['lr', '0,01', /Write 0\.01, with a point/],
  ['weightDecay', '2', /from 0 to 1/],
  ['seed', '-1', /0 or more/],
  ['seed', '1.5', /whole number/],
  ['labelSmoothing', '3', /from 0 to 1/],
  ['mixup', '-0.1', /above 0, up to 10, or 0/],
  ['patience', '-1', /from 1 to 10000, or 0/],
  ['headEpochs', '1.5', /whole number/],
])('%s %j is refused at its field', (name, text, problem) => {
  expect(read(name, text)).toEqual({ problem: expect.stringMatching(problem) })
})

test('numbers as people write them are taken, and an empty field where there is a default', () => {
  expect(read('lr', ' 1e-3 ')).toEqual({ value: 0.001 })
  expect(read('lr', '.5')).toEqual({ value: 0.5 })
  expect(read('lr', '', true)).toEqual({ value: null })
  expect(read('patience', '0')).toEqual({ value: null })
  expect(read('epochs', '+20')).toEqual({ value: 20 })
})

test('every default of the page passes its own field', () => {
  for (const name of pageOptions) {
    const value = defaults[name]
    if (typeof value === 'number') expect(read(name, String(value)), name).toHaveProperty('value')
  }
})

test('the start button says what is missing, first things first', () => {
  const data = { classes: [] } as never
  const none = { prepared: null, problem: null }
  const given = { open: true, data, fields: new Map(), settings: defaults, planning: none }
  const field = new Map([['f', { label: 'Rounds', message: 'Write a whole number.' }]])
  const noRoom = {
    problem: null,
    prepared: { memory: { problem: 'does not fit', largestBatchSize: 8 } } as never,
  }
  expect(startProblems(given)).toEqual([])
  expect(startProblems({ ...given, open: false })).toEqual([expect.stringMatching(/GPU/)])
  expect(startProblems({ ...given, data: 'Add images.', fields: field })).toEqual([
    'Add images.',
    '“Rounds”: Write a whole number.',
  ])
  expect(startProblems({ ...given, settings: { ...defaults, start: 'file' } })).toEqual([
    expect.stringMatching(/file of weights/),
  ])
  expect(startProblems({ ...given, planning: { ...none, problem: 'no' } })).toEqual(['no'])
  expect(startProblems({ ...given, planning: noRoom })).toEqual([
    expect.stringMatching(/does not fit: take 8\./),
  ])
})
