import { describe, expect, test } from 'vitest'
import { labeled, labeledCommand } from '../../src/cli/lines.ts'
import { dataName } from '../../src/cli/shell.ts'

describe('lines', () => {
  test('text is broken where the terminal ends, and at 110 columns at the most', () => {
    const words = Array.from({ length: 60 }, () => 'word').join(' ')
    const longest = (columns: number) =>
      Math.max(...labeled('data', words, columns).map((line) => line.length))
    expect([longest(80), longest(60), longest(300)]).toEqual([77, 57, 107])
    expect(labeled('data', 'a b', 10)).toEqual(['data         a b'])
  })

  test('a command stays on one line, as it is to be copied', () => {
    const command = `npx graft predict 'runs/${'long name '.repeat(20)}' cat.jpg`
    expect(labeledCommand('next', command)).toBe(`next         ${command}`)
  })
})

test.each([
  ['photos', 'photos'],
  ['a/photos.v2', 'photos.v2'],
  ['../birds.2024/', 'birds.2024'],
  ['labels.csv', 'labels'],
  ['x/shards.TAR', 'shards'],
  ['/', 'images'],
])('runs on %s are called after %s', (dir, name) => {
  expect(dataName(dir)).toBe(name)
})
