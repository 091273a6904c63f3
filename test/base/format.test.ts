import fc from 'fast-check'
import { expect, test } from 'vitest'
import { duration } from '../../src/base/format.ts'
import { shortened, widthOf } from '../../src/base/textWidth.ts'

test('a name is cut between letters as people see them', () => {
  expect(shortened('labrador', 8)).toBe('labrador')
  expect(shortened('labrador', 7)).toBe('labrad…')
  expect(shortened('labrador', 7, 'end')).toBe('…brador')
  // A family is one letter of eleven code units, two columns wide; so is every Chinese one.
  expect(shortened('ab👨‍👩‍👧‍👦cdef', 5)).toBe('ab👨‍👩‍👧‍👦…')
  expect(shortened('ab👨‍👩‍👧‍👦cdef', 4)).toBe('ab…')
  expect(shortened('日本語の', 6)).toBe('日本…')
  expect([widthOf('日本'), widthOf('é'), widthOf('كلب')]).toEqual([4, 1, 3])
  fc.assert(
    fc.property(
      fc.string({ unit: 'grapheme' }),
      fc.integer({ min: 1, max: 20 }),
      fc.constantFrom('beginning', 'end'),
      (text, most, keep) => {
        const short = shortened(text, most, keep)
        expect(widthOf(short)).toBeLessThanOrEqual(most)
        expect(() => encodeURIComponent(short)).not.toThrow() // as half a surrogate pair would
      },
    ),
  )
})

test('times below a tenth of a second are told in milliseconds', () => {
  expect([0, 0.031, 0.0994, 0.0996, 75.31, 119.7].map(duration)).toEqual([
    '0.0 s',
    '31 ms',
    '99 ms',
    '0.1 s',
    '75.3 s',
    '2 min 0 s',
  ])
})
