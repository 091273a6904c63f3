import { spawnSync } from 'node:child_process'
import { describe, expect, test } from 'vitest'
import { fsPath } from '../../src/base/node/fileNames.ts'
import { quoted } from '../../src/base/node/quoted.ts'
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
    const command = `npx graft-webgpu predict 'runs/${'long name '.repeat(20)}' cat.jpg`
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
  ['K\udce4fer\n', 'K_fer_'],
])('runs on %s are called after %s', (dir, name) => {
  expect(dataName(dir)).toBe(name)
})

test.each([
  ['photos/cat.jpg', 'photos/cat.jpg'],
  ["a 'b' c", "'a '\\''b'\\'' c'"],
  ['two\nlines', "$'two\\x0alines'"],
  ["it's \\ \u202e", "$'it\\'s \\\\ \\xe2\\x80\\xae'"],
  ['gr\udcfc\udcdfe', "$'gr\\xfc\\xdfe'"],
])('the argument %j is quoted so that a shell gives it back', (argument, text) => {
  expect(quoted(argument)).toBe(text)
  const { error, stdout } = spawnSync('bash', ['-c', `printf %s ${text}`])
  if (!error) expect([...stdout]).toEqual([...Buffer.from(fsPath(argument))])
})
