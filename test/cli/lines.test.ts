import { spawnSync } from 'node:child_process'
import { describe, expect, test, vi } from 'vitest'
import { fsPath } from '../../src/base/node/fileNames.ts'
import { quoted } from '../../src/base/node/quoted.ts'
import { widthOf } from '../../src/base/textWidth.ts'
import { describeChoice } from '../../src/cli/describeChoice.ts'
import { labeled, labeledCommand, reflowed, table } from '../../src/cli/lines.ts'
import { Output } from '../../src/cli/output.ts'
import { barLine } from '../../src/cli/progress.ts'
import { dataName } from '../../src/cli/shell.ts'

describe('lines', () => {
  test('text is broken where the terminal ends, and at 110 columns at the most', () => {
    const words = Array.from({ length: 60 }, () => 'word').join(' ')
    const longest = (columns: number) =>
      Math.max(...labeled('data', words, columns).map((line) => line.length))
    expect([longest(80), longest(60), longest(300)]).toEqual([77, 57, 107])
    expect(labeled('data', 'a b', 10)).toEqual(['data         a b'])
  })

  test('a number and its unit stay on one line, whatever the unit', () => {
    const text =
      'took 2 min 15 s, right in 16.7 % (95 % interval) of 1,200 images, conv1 conv2 conv3'
    for (let columns = 36; columns < 110; columns++)
      for (const line of labeled('', text, columns)) {
        expect(line).not.toMatch(/(^|[ (])[\d.,]+$/)
        expect(line.length).toBeLessThanOrEqual(columns)
      }
    expect(labeled('', 'conv1 conv2 conv3', 26)).toHaveLength(2)
    expect(labeled('', 'food 4 + 1, cars 4 + 1', 31)).toEqual([
      `${' '.repeat(13)}food 4 + 1, cars`,
      `${' '.repeat(13)}4 + 1`,
    ])
  })

  test('columns stand below each other, also with letters that take two columns', () => {
    expect(
      table(
        [
          ['class', 'images'],
          ['柴犬', 9],
          ['a🐕b', 10],
          ['ﾈｺ、', 3],
          ['e\u0301', 4],
        ],
        { right: [1] },
      ),
    ).toEqual([
      'class  images',
      '柴犬        9',
      'a🐕b       10',
      'ﾈｺ、        3',
      'e\u0301           4',
    ])
    expect(labeled('data', '日本 '.repeat(10).trim(), 40)).toEqual([
      'data         日本 日本 日本 日本 日本',
      '             日本 日本 日本 日本 日本',
    ])
  })

  test('a table fits a narrow terminal: closer columns, then the last one broken or below', () => {
    const rows = [
      ['operator', 'cases', 'kernels'],
      ['conv2d', 27, 'conv2d/forward, reduce/rows'],
      ['関数', 8],
    ]
    const at = (columns: number) => table(rows, { right: [1], columns })
    expect(at(44)).toEqual(table(rows, { right: [1], columns: Number.POSITIVE_INFINITY }))
    expect(at(42)[1]).toBe('conv2d      27 conv2d/forward, reduce/rows')
    expect(at(32)).toEqual([
      'operator cases kernels',
      'conv2d      27 conv2d/forward,',
      '               reduce/rows',
      '関数         8',
    ])
    expect(at(24)).toEqual([
      'operator cases',
      '    kernels',
      'conv2d      27',
      '    conv2d/forward,',
      '    reduce/rows',
      '関数         8',
    ])
    expect(table([], { columns: 20 })).toEqual([])
  })

  test('paragraphs of a help text are broken where the terminal ends, lists and examples not', () => {
    const list = '  --seed <n>  a number that decides the split and the order'
    const help = `Usage: graft x\n\nOne sentence in\ntwo lines.\n\nOptions:\n${list}\n`
    expect(reflowed(help, 20)).toBe(
      `Usage: graft x\n\nOne sentence in two\nlines.\n\nOptions:\n${list}\n`,
    )
  })

  test('a depth is called chosen only where something is put on it', () => {
    const interval = { low: 0.4, high: 0.9 }
    const depth = (layer: string, behind: number) => ({
      ...{ layer, part: 'early' as const, features: 9, accuracy: 0.7, expected: 0.7, interval },
      ...{ behind: { value: behind, low: behind - 0.1, high: behind + 0.1 } },
      ...{ validation: 0.7, validationOfHalf: 0.7 },
    })
    const counts = { images: 18, classes: 2, sampled: 18, sampledClasses: 2, folds: 3, steps: 9 }
    const more = { validation: 6, sampledValidation: 6, seconds: 1, readSeconds: 1, seed: 0 }
    const depths = [depth('features.2', 0.02), depth('features.5', 0)]
    const evidence = { ...counts, ...more, chance: 0.5, pretrained: true, depths }
    const head = { replace: 'last', cut: null, tie: null, forecast: null, reason: '' } as const
    const shown = (scenario: 'small-different' | 'large-similar') => {
      const output = new Output()
      const lines = vi.spyOn(output, 'lines').mockReturnValue()
      describeChoice(output, { ...head, scenario, basis: 'features.2', evidence })
      return lines.mock.calls.flat(2).find((line) => line.includes('features.2'))
    }
    expect(shown('small-different')).toMatch(/-8\.0 to 12\.0 +chosen$/)
    expect(shown('large-similar')).toMatch(/-8\.0 to 12\.0 +tie$/)
  })

  test('a progress bar fits its terminal, and the time left stands at its end', () => {
    const standing = { share: 0.48, note: 'epoch 2/30  loss 0.912  acc 50.0 %', left: '0:12 left' }
    expect(barLine('training', standing, 120)).toBe(
      `training [${'='.repeat(13)}${' '.repeat(15)}] 48 %  ${standing.note}  0:12 left`,
    )
    for (const columns of [80, 60, 40]) {
      const line = barLine('training', { ...standing, note: `日本 ${standing.note}` }, columns)
      expect(widthOf(line)).toBeLessThan(columns)
      expect(line).toMatch(/^training \[=+ +\] 48 %.* 0:12 left$/)
    }
    expect(barLine('reading', { share: 1, note: '', left: '' }, 40)).toMatch(
      /^reading \[=+\]100 %$/,
    )
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
  ['s3://bucket/photos/', 'photos'],
  ['s3://bucket', 'bucket'],
  ['s3://bucket/a/labels.csv', 'labels'],
  ['file:///data/my%20photos', 'my photos'],
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
