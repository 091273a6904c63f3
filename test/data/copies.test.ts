import { create } from 'tar'
import { describe, expect, test } from 'vitest'
import { type Copy, findCopies } from '../../src/data/copies.ts'
import type { Sample, Source } from '../../src/data/dataset.ts'
import { openData } from '../../src/data/openData.ts'
import { useTempFolder, writeFiles } from './images.ts'

const inTemp = useTempFolder()
/** Bytes of a length that differ for each number, in the middle only if they are long. */
const bytes = (number: number, length = 100) => {
  const all = new Uint8Array(length).fill(1)
  all[Math.floor(length / 2)] = number
  return all
}
const pairs = (copies: readonly Copy[]) => copies.map(({ name, of }) => `${name} of ${of}`)

/** Datasets of the same images: in files, in an archive, and in memory. */
async function forms(name: string, files: Readonly<Record<string, Uint8Array>>) {
  await writeFiles(inTemp(name), files)
  const archive = inTemp(`${name}.tar`)
  await create({ file: archive, cwd: inTemp(name) }, Object.keys(files))
  const folder = await openData(inTemp(name))
  const inMemory = (blob: (bytes: Uint8Array<ArrayBuffer>) => Source) => {
    const part = (samples: Iterable<Sample>): Sample[] =>
      Array.from(samples, (sample) => ({
        ...sample,
        source: blob(new Uint8Array(files[sample.name] ?? [])),
      }))
    return { train: part(folder.train), val: part(folder.val) }
  }
  return {
    folder,
    archive: await openData(archive),
    bytes: inMemory((all) => all),
    blobs: inMemory((all) => new Blob([all])),
  }
}

describe('copies of a file', () => {
  test.each([100, 3 * 4096 + 1])(
    'of %i bytes in both parts, and in two classes, are found',
    async (length) => {
      const of = (number: number) => bytes(number, length)
      const data = await forms(`both ${length}`, {
        'train/a/1.jpg': of(1),
        'train/a/2.jpg': of(2),
        'train/a/2 again.jpg': of(2),
        'train/b/3.jpg': of(3),
        'train/b/also 1.jpg': of(1),
        'val/a/2.jpg': of(2),
        'val/a/4.jpg': of(4),
        'val/b/5.jpg': of(5),
        'val/b/6.jpg': of(6),
        'val/b/6 again.jpg': of(6),
      })
      for (const [form, one] of Object.entries(data)) {
        const { validated, labeled, unread, sizes } = await findCopies(one)
        const inForm = (text: string) =>
          form === 'archive' ? text.replaceAll(/(train|val)\//g, `both ${length}.tar/$1/`) : text
        expect(pairs(validated), form).toEqual([inForm('val/a/2.jpg of train/a/2 again.jpg')])
        expect(pairs(labeled), form).toEqual([inForm('train/b/also 1.jpg of train/a/1.jpg')])
        expect([unread, [...sizes]], form).toEqual([0, new Array(10).fill(length)])
      }
    },
  )

  test('files of one size, head and tail that differ are no copies', async () => {
    const long = (end: number) => bytes(1, 10_000).fill(end, 9_000)
    const { folder } = await forms('alike', {
      'train/a/1.jpg': long(1),
      'train/b/2.jpg': long(2),
      'val/a/3.jpg': long(3),
      'val/b/4.jpg': long(4),
    })
    const { validated, labeled } = await findCopies(folder)
    expect([validated, labeled]).toEqual([[], []])
  })

  test('what is missing or too much is not compared, and that is said', async () => {
    const gone = { source: inTemp('gone.jpg'), name: 'gone.jpg', label: 0 }
    const kept = (name: string, label = 0) => ({ source: bytes(7), name, label })
    const missing = await findCopies({ train: [gone, kept('1')], val: [gone, kept('2')] })
    expect([pairs(missing.validated), [...missing.sizes]]).toEqual([
      ['2 of 1'],
      [Number.NaN, 100, Number.NaN, 100],
    ])
    const many = { train: [kept('1'), kept('2')], val: [kept('3')] }
    expect(await findCopies(many, 2)).toMatchObject({ validated: [], unread: 3 })
  })
})
