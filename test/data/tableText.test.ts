import { execFileSync } from 'node:child_process'
import { mkdir, open, rm, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { openLabelFile } from '../../src/data/labelFile.ts'
import { dataErrorOf } from './images.ts'
import { useTables } from './tables.ts'

const { inTemp, opened, refusal, table } = useTables()

const germanRows = '1.jpg,Bär\n2.jpg,Bär\n3.jpg,Bör\n4.jpg,Bör\n'
const german = { Bär: ['1.jpg', '2.jpg'], Bör: ['3.jpg', '4.jpg'] }
const latin1 = (text: string) => Buffer.from(text, 'latin1')
const utf16 = (text: string, big = false) => {
  const bytes = Buffer.from(`\ufeff${text}`, 'utf16le')
  return big ? bytes.swap16() : bytes
}

describe('encodings', () => {
  const text = `file,label\n${germanRows}`
  test.each<[string, Uint8Array]>([
    ['UTF-8', Buffer.from(text)],
    ['UTF-8 with a mark', Buffer.from(`\ufeff${text}`)],
    ['UTF-16 LE', utf16(text)],
    ['UTF-16 BE', utf16(text, true)],
    [
      'UTF-16 LE, tabs and Windows lines, as Excel’s Unicode text',
      utf16(text.replaceAll(',', '\t').replaceAll('\n', '\r\n')),
    ],
    ['the lines of an old Mac', Buffer.from(text.replaceAll('\n', '\r'))],
    ['no end of the last line', Buffer.from(text.trim())],
  ])('%s is read', async (_, bytes) => {
    expect((await opened(bytes)).classes).toEqual(german)
  })

  test.each<[string, Uint8Array, string]>([
    [
      'Windows-1252',
      latin1(text),
      '…/labels.csv, line 2: this is not UTF-8; as WINDOWS-1252 it is "1.jpg,Bär". If that is right, ' +
        'iconv -f WINDOWS-1252 -t UTF-8 …/labels.csv > …/labels-utf8.csv; else give its own encoding after -f',
    ],
    [
      'GBK',
      Buffer.from([...Buffer.from('file,label\n1.jpg,a\n2.jpg,'), 0xb9, 0xb7, 0x0a]),
      '…/labels.csv, line 3: this is not UTF-8; as GBK it is "2.jpg,狗". If that is right, ' +
        'iconv -f GBK -t UTF-8 …/labels.csv > …/labels-utf8.csv; else give its own encoding after -f',
    ],
    [
      'Windows-1251',
      Buffer.concat([
        Buffer.from('file,label\n1.jpg,'),
        Buffer.from([0xea, 0xee, 0xf8, 0xea, 0xe0]),
      ]),
      '…/labels.csv, line 2: this is not UTF-8; as WINDOWS-1251 it is "1.jpg,кошка". If that is right, ' +
        'iconv -f WINDOWS-1251 -t UTF-8 …/labels.csv > …/labels-utf8.csv; else give its own encoding after -f',
    ],
    [
      'UTF-16 without a mark',
      utf16(text).subarray(2),
      '…/labels.csv, line 1: this is UTF-16LE without a byte order mark, and UTF-8 is needed: ' +
        'iconv -f UTF-16LE -t UTF-8 …/labels.csv > …/labels-utf8.csv',
    ],
    [
      'UTF-16 BE without a mark',
      utf16(text, true).subarray(2),
      '…/labels.csv, line 1: this is UTF-16BE without a byte order mark, and UTF-8 is needed: ' +
        'iconv -f UTF-16BE -t UTF-8 …/labels.csv > …/labels-utf8.csv',
    ],
    [
      'UTF-32',
      Buffer.from([0xff, 0xfe, 0, 0, ...Buffer.from('f\0\0\0')]),
      '…/labels.csv, line 1: this is UTF-32LE, and UTF-8 is needed: ' +
        'iconv -f UTF-32LE -t UTF-8 …/labels.csv > …/labels-utf8.csv',
    ],
    [
      'half a pair of UTF-16',
      Buffer.concat([utf16('file,label\n1.jpg,'), Buffer.from([0, 0xd8, 0x0a, 0])]),
      '…/labels.csv: this is no valid UTF-16LE: save the table again',
    ],
    [
      'a replacement character of another program',
      Buffer.from('file,label\n1.jpg,B\ufffdr\n'),
      '…/labels.csv, line 2: the label "B\ufffdr" has lost letters when the table was saved in ' +
        'another encoding: save it again from where it comes, as UTF-8',
    ],
    [
      'no text',
      Buffer.from('file,label\n1.jpg,a\n2.jpg\0,b\n'),
      '…/labels.csv, line 3: this is no text: a table of labels is a text file, .csv or .tsv',
    ],
  ])('%s is refused', async (_, bytes, message) => {
    expect((await refusal(bytes)).replaceAll("'", '')).toBe(message)
  })

  test('the wrong line is found far from the start', async () => {
    const rows = Array.from({ length: 50_000 }, (_, i) => `photos/number ${i}.jpg,class ${i % 7}\n`)
    rows[40_000] = 'x.jpg,Bär\n'
    expect(await refusal(latin1(`file,label\n${rows.join('')}`))).toMatch(
      /labels\.csv, line 40002: /,
    )
  })
})

describe('bounds', () => {
  test('a line, and a row of many lines, have one', async () => {
    const long = 'x'.repeat(3 * 2 ** 20)
    expect(await refusal(`file,label\n1.jpg,a\n2.jpg,${long}\n`)).toBe(
      '…/labels.csv, line 3: the line has more than 1048576 bytes: a table of labels has a line for each image',
    )
    expect(await refusal(`file,label\n1.jpg,"a\n${'2.jpg,b\n'.repeat(200_000)}`)).toMatch(
      /a row has more than 1048576 characters: a quotation mark may be missing/,
    )
  })

  test.runIf(process.platform === 'linux')(
    'a line of half a gigabyte takes little memory',
    async () => {
      const path = await table('file,label\n')
      const file = await open(path, 'r+')
      await file.truncate(500 * 2 ** 20)
      await file.close()
      expect((await dataErrorOf(openLabelFile(path))).message).toMatch(
        /more than 1048576 bytes|no text/,
      )
      const tooLarge = await open(path, 'r+')
      await tooLarge.truncate(2 ** 31)
      await tooLarge.close()
      expect((await dataErrorOf(openLabelFile(path))).message).toMatch(/1073741824 are the most/)
      await rm(path)
    },
  )

  test.runIf(process.platform === 'linux')('only regular files are read', async () => {
    const folder = inTemp('irregular')
    await mkdir(folder)
    execFileSync('mkfifo', [join(folder, 'pipe.csv')])
    await symlink('/dev/zero', join(folder, 'zero.csv'))
    await mkdir(join(folder, 'folder.csv'))
    for (const name of ['pipe.csv', 'zero.csv', 'folder.csv'])
      expect((await dataErrorOf(openLabelFile(join(folder, name)))).message, name).toMatch(
        /cannot read .*(pipe|device|folder)/,
      )
  })
})
