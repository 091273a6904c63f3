import fc from 'fast-check'
import { expect, test } from 'vitest'
import { amount, rate, share, time } from '../../src/inspect/web/text.ts'

test('amounts have a space before their unit, and three digits whatever they round to', () => {
  expect(
    [0, 900, 999, 1000, 999_499, 999_500, 999_999, 31_200, 151e6].map((value) =>
      amount(value, 'B'),
    ),
  ).toEqual([
    '0 B',
    '900 B',
    '999 B',
    '1.00 kB',
    '999 kB',
    '1.00 MB',
    '1.00 MB',
    '31.2 kB',
    '151 MB',
  ])
  expect([amount(12), amount(76_900)]).toEqual(['12', '76.9 k'])
  fc.assert(
    fc.property(fc.nat(2 ** 31 - 1), (value) => {
      const [, digits = '', prefix = ''] = /^([\d.]+) ([kMG]?)B$/.exec(amount(value, 'B')) ?? []
      const read = Number(digits) * { k: 1e3, M: 1e6, G: 1e9 }[prefix as 'k'] || Number(digits)
      expect(Math.abs(read - value)).toBeLessThanOrEqual(0.005 * value)
    }),
  )
})

test('rates, shares and times', () => {
  expect(rate(112e6, 10, 'FLOP')).toBe('11.2 GFLOP/s')
  expect([0, 0.0004, 0.0094, 0.0096, 0.5, 1.05].map(share)).toEqual([
    '0 %',
    '0.04 %',
    '0.9 %',
    '1 %',
    '50 %',
    '105 %',
  ])
  expect([null, 0, 0.0456, 0.99949, 0.99951, 1.234, 99.994, 99.996, 1234].map(time)).toEqual([
    'not timed',
    '0 µs',
    '46 µs',
    '999 µs',
    '1.00 ms',
    '1.23 ms',
    '99.99 ms',
    '100 ms',
    '1234 ms',
  ])
})
