import { execFile } from 'node:child_process'
import { readdir, readFile, readlink, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { gzipSync } from 'node:zlib'
import { create } from 'tar'
import { beforeAll, describe, expect, it, test } from 'vitest'
import { UsageError } from '../../src/base/errors.ts'
import { diskFile } from '../../src/data/dataFile.ts'
import type { ImageDataset, SampleList } from '../../src/data/dataset.ts'
import { openData } from '../../src/data/openData.ts'
import { tarMembers } from '../../src/data/tarIndex.ts'
import { decodeImage } from '../../src/host/node/decode.ts'
import { dataErrorOf, plainPng, useTempFolder, writeFiles } from './images.ts'

const inTemp = useTempFolder()
/** Images of four colors, to tell them apart once decoded. */
let png: Uint8Array[]
beforeAll(async () => {
  png = await Promise.all([10, 20, 30, 40].map((level) => plainPng(level, 0, 0)))
})

const names = (samples: SampleList) => Array.from(samples, ({ name, label }) => `${name}=${label}`)
const reds = (samples: SampleList) =>
  Promise.all(Array.from(samples, async ({ source }) => (await decodeImage(source)).data[0]))

async function images(folder: string, paths: readonly string[]): Promise<string> {
  await writeFiles(
    inTemp(folder),
    Object.fromEntries(paths.map((path, i) => [path, png[i % 4] as Uint8Array])),
  )
  return inTemp(folder)
}

/** A tar of some files, as npm's tar writes it: pax headers where names are long. */
async function archive(
  folder: string,
  name: string,
  files: Record<string, string | Uint8Array>,
): Promise<string> {
  const [from, file] = [inTemp(folder, `of-${name}`), inTemp(folder, name)]
  await writeFiles(from, files)
  await create({ file, cwd: from, portable: true }, Object.keys(files))
  return file
}

describe('a file of labels', () => {
  async function csv(
    folder: string,
    text: string,
    paths = ['a/1.png', 'a/2.png', 'b/1.png', 'b/2.png'],
  ): Promise<string> {
    await images(folder, paths)
    await writeFile(inTemp(folder, 'labels.csv'), text)
    return inTemp(folder, 'labels.csv')
  }
  const refusal = async (folder: string, text: string) => {
    const path = await csv(folder, text)
    return (await dataErrorOf(openData(path))).message.replaceAll(inTemp(folder), '…')
  }

  it.each([
    [
      'commas',
      'file,label,split\na/1.png,cat,train\na/2.png,cat,val\nb/1.png,dog,train\nb/2.png,dog,val\n',
    ],
    [
      'semicolons, other columns, another order',
      'id;Label;Split;File\n1;cat;train;a/1.png\n2;cat;VALID;a/2.png\n3;dog;train;b/1.png\n4;dog;val;b/2.png',
    ],
    [
      'tabs, quotes, a byte order mark, Windows lines',
      '\ufefffile\tlabel\tsplit\r\n"a/1.png"\tcat\ttrain\r\na/2.png\tcat\tval\r\n\r\nb/1.png\tdog\ttrain\r\nb/2.png\tdog\tval\r\n',
    ],
  ])('divided by its column: %s', async (folder, text) => {
    const data = await openData(await csv(folder, text))
    expect(data.classes).toEqual(['cat', 'dog'])
    expect(names(data.train)).toEqual(['a/1.png=0', 'b/1.png=1'])
    expect(names(data.val)).toEqual(['a/2.png=0', 'b/2.png=1'])
    expect([await reds(data.train), await reds(data.val)]).toEqual([
      [10, 30],
      [20, 40],
    ])
  })

  it('holds a seeded share out where it does not divide, as a folder of the same names does', async () => {
    const paths = ['cat', 'dog'].flatMap((name) =>
      Array.from({ length: 8 }, (_, i) => `${name}/${i}.png`),
    )
    const text = [
      'file,label',
      ...[...paths].reverse().map((path) => `${path},${path.slice(0, 3)}`),
    ].join('\n')
    const path = await csv('undivided', text, paths)
    const [byFile, byFolder] = [
      await openData(path, { seed: 3 }),
      await openData(inTemp('undivided'), { seed: 3 }),
    ]
    expect(byFile.val.length).toBe(4)
    expect(names(byFolder.val)).toEqual(names(byFile.val))
  })

  it('takes names with spaces, commas, emoji and line breaks, and paths from the root', async () => {
    const odd = ['a b.png', 'x, y.png', '🐱🐶.png', 'two\nlines.png']
    const path = await csv(
      'odd',
      `file,label\n${odd.map((name, i) => `"${name}",${i % 2}`).join('\n')}\n`,
      odd,
    )
    const data = await openData(path, { split: 0.5 })
    expect((await Promise.all([reds(data.train), reds(data.val)])).flat().sort()).toEqual([
      10, 20, 30, 40,
    ])
    const rooted = await csv(
      'rooted',
      `file,label\n${odd.map((name, i) => `"${inTemp('odd', name)}",${i % 2}`).join('\n')}\n`,
    )
    expect(await reds((await openData(rooted, { split: 0.5 })).val)).toHaveLength(2)
  })

  test.each<[string, string, string]>([
    [
      'empty',
      '',
      '…/labels.csv is empty: write file,label into its first line, and a line for each image below',
    ],
    [
      'no rows',
      'file,label\n',
      '…/labels.csv names no image: add a line for each below the first one',
    ],
    [
      'no header',
      'a/1.png,cat\nb/1.png,dog\n',
      '…/labels.csv: the first line names no column file and no column label (it says a/1.png, cat): it must be file,label or file,label,split',
    ],
    [
      'no label',
      'file,label\na/1.png,cat\nb/1.png\n',
      '…/labels.csv, line 3: b/1.png has no label',
    ],
    ['no file', 'file,label\n,cat\n', '…/labels.csv, line 2: it names no file'],
    [
      'another split',
      'file,label,split\na/1.png,cat,first\n',
      '…/labels.csv, line 2: there is no split "first": write train or val',
    ],
    [
      'a split for some',
      'file,label,split\na/1.png,cat,train\na/2.png,cat,\nb/1.png,dog,val\n',
      '…/labels.csv: a/2.png is neither in train nor in val, though others are: put it into one of them',
    ],
    [
      'a file twice',
      'file,label\na/1.png,cat\nb/1.png,dog\na/1.png,dog\n',
      '…/labels.csv, line 4: a/1.png is already named in line 2: remove one of the two lines',
    ],
    [
      'a class that train lacks',
      'file,label,split\na/1.png,cat,train\na/2.png,cat,val\nb/1.png,dog,val\n',
      '…/labels.csv: the class "dog" is in val but not in train: add images to train on, or remove from val',
    ],
    [
      'one class',
      'file,label\na/1.png,cat\nb/1.png,cat\n',
      '…/labels.csv has only one class, "cat": add images of at least one more',
    ],
    [
      'no such files',
      'file,label\nx/1.png,cat\nx/2.png,dog\n',
      '…/labels.csv: none of the files that it names exists, such as x/1.png: paths are relative to …',
    ],
    [
      'an open quote',
      'file,label\n"a/1.png,cat\n',
      '…/labels.csv, line 2: Quote Not Closed: the parsing is finished with an opening quote at line 2',
    ],
  ])('%s is refused in one line', async (folder, text, message) => {
    expect(await refusal(`refused ${folder}`, text)).toBe(message)
  })

  it('passes by other .csv files, and asks which of several', async () => {
    const folder = await images('by', ['a/1.png', 'a/2.png', 'b/1.png', 'b/2.png'])
    await writeFile(join(folder, 'notes.csv'), 'day,weather\n')
    expect((await openData(folder)).classes).toEqual(['a', 'b'])
    for (const name of ['x.csv', 'y.csv']) await writeFile(join(folder, name), 'file,label\n')
    expect((await dataErrorOf(openData(folder))).message).toBe(
      `${folder} holds 2 files of labels (x.csv, y.csv): give one of them`,
    )
  })
})

describe.runIf(process.platform === 'linux')('a file of labels that is refused', () => {
  it('is closed', async () => {
    const path = inTemp('long.csv')
    await writeFile(path, `file,label\n1.png\n${'2.png,cat\n'.repeat(100_000)}`)
    const open = async () => {
      const links = await Promise.all(
        (await readdir('/proc/self/fd')).map((fd) =>
          readlink(`/proc/self/fd/${fd}`).catch(() => ''),
        ),
      )
      return links.filter((target) => target === path).length
    }
    expect((await dataErrorOf(openData(path))).message).toMatch(/line 2: 1\.png has no label/)
    await expect.poll(open).toBe(0)
  })
})

describe('tar shards', () => {
  const [one, two, three, four] = [0, 1, 2, 3]
  const at = (i: number) => png[i] as Uint8Array

  it('reads class folders inside, divided or not, with and without ./', async () => {
    await archive('inside', 'x.tar', { 'train/cat/1.png': at(one), 'val/cat/2.png': at(two) })
    await archive('inside', 'y.tar', {
      './train/dog/3.png': at(three),
      './val/dog/4.png': at(four),
      './val/dog/._4.png': 'x',
      'README.md': 'x',
    })
    const data = await openData(inTemp('inside'))
    expect(data.classes).toEqual(['cat', 'dog'])
    expect([await reds(data.train), await reds(data.val)]).toEqual([
      [10, 30],
      [20, 40],
    ])
    expect(names(data.train)[0]).toBe('x.tar/train/cat/1.png=0')
  })

  it('counts images of formats that are not read', async () => {
    const [one, two] = png as [Uint8Array, Uint8Array]
    const path = await archive('other-formats', 'x.tar', {
      'a/1.png': one,
      'a/2.png': two,
      'b/1.png': one,
      'b/2.png': two,
      'b/3.avif': one,
    })
    expect((await openData(path)).passedOver).toEqual({ '.avif': 1 })
  })

  it('reads WebDataset shards: classes beside the images, parts in the names of the shards', async () => {
    await archive('web', 'flowers-train-000000.tar', {
      '000.png': at(one),
      '000.cls': '7\n',
      '001.jpg': at(two),
      '001.cls': '12',
      '001.json': '{}',
    })
    await archive('web', 'flowers-val-000000.tar', {
      'a/000.cls': '12',
      'a/000.png': at(three),
      'a/001.left.png': at(four),
      'a/001.cls': '7',
    })
    const data = await openData(inTemp('web'))
    expect(data.classes).toEqual(['12', '7'])
    expect([await reds(data.train), await reds(data.val)]).toEqual([
      [20, 10],
      [30, 40],
    ])
  })

  it('reads train/ and val/ with archives in them, and archives named after their class', async () => {
    for (const part of ['train', 'val'])
      for (const name of ['cat', 'dog'])
        await archive(`named/${part}`, `${name}.tar`, { '1.png': at(one) })
    const data = await openData(inTemp('named'))
    expect([data.classes, names(data.val)]).toEqual([
      ['cat', 'dog'],
      ['val/cat.tar/1.png=0', 'val/dog.tar/1.png=1'],
    ])
  })

  it('reads a single archive, and names longer than a header holds, in GNU and pax format', async () => {
    const long = (c: string) => `${c}/${'deep/'.repeat(60)}${'n'.repeat(90)}`
    const files = Object.fromEntries(
      ['cat', 'dog'].flatMap((c, i) =>
        [1, 2].map((n) => [`${long(c)}${n} 🐱.png`, at(2 * i + n - 1)]),
      ),
    )
    await archive('long', 'pax.tar', files)
    await promisify(execFile)('tar', [
      '--format=gnu',
      '-cf',
      inTemp('long', 'gnu.tar'),
      '-C',
      inTemp('long', 'of-pax.tar'),
      'cat',
      'dog',
    ])
    for (const name of ['pax.tar', 'gnu.tar']) {
      const data = await openData(inTemp('long', name), { split: 0.5 })
      expect(data.classes).toEqual(['cat', 'dog'])
      const all = [...data.train, ...data.val].map((sample) => sample.name.slice(name.length + 1))
      expect(all.sort()).toEqual(Object.keys(files).sort())
      expect((await Promise.all([reds(data.train), reds(data.val)])).flat().sort()).toEqual([
        10, 20, 30, 40,
      ])
    }
  })

  it('gives every byte of every member', async () => {
    const files = Object.fromEntries(
      [0, 1, 511, 512, 513, 200_000, 3].map((n, i) => [`${i}`, Buffer.alloc(n, i)]),
    )
    const path = await archive('bytes', 'x.tar', files)
    const whole = await readFile(path)
    let seen = 0
    for await (const { path: name, start, bytes } of tarMembers(diskFile(path))) {
      expect(whole.subarray(start, start + bytes).equals(files[name] as Buffer)).toBe(true)
      seen++
    }
    expect(seen).toBe(7)
  })

  const refusal = async (open: Promise<ImageDataset>) => (await dataErrorOf(open)).message
  it('refuses what it cannot read in one line', async () => {
    const good = await archive('bad', 'good.tar', { 'a/1.png': at(one), 'b/1.png': at(two) })
    const bytes = await readFile(good)
    const bad = (name: string) => inTemp('bad', name)
    await writeFile(bad('gz.tar'), gzipSync(bytes))
    expect(await refusal(openData(bad('gz.tar')))).toBe(
      `${bad('gz.tar')}: it is compressed, and single images cannot be read from it: gunzip it first`,
    )
    await writeFile(bad('text.tar'), 'x'.repeat(2000))
    expect(await refusal(openData(bad('text.tar')))).toBe(
      `${bad('text.tar')}: it is not a tar archive`,
    )
    await writeFile(bad('cut.tar'), bytes)
    await truncate(bad('cut.tar'), 530)
    expect(await refusal(openData(bad('cut.tar')))).toBe(
      `${bad('cut.tar')}: the archive is cut short within a/1.png: copy or make it again`,
    )
    const damaged = Buffer.from(bytes)
    damaged[1024] = 0x41
    await writeFile(bad('damaged.tar'), damaged)
    expect(await refusal(openData(bad('damaged.tar')))).toBe(
      `${bad('damaged.tar')}: the archive is damaged at byte 1024: make it again`,
    )
    const bare = await archive('bad', 'bare.tar', { '1.png': at(one), '1.json': '{}' })
    expect(await refusal(openData(bare))).toBe(
      `${bare}: nothing says which class 1.png is of: archives need images in class folders (train/cat/1.jpg or cat/1.jpg), or each beside a file of its class (1.jpg, 1.cls)`,
    )
    const lone = await archive('bad', 'train-0.tar', {
      '1.png': at(one),
      '1.cls': '0',
      '2.png': at(two),
      '2.cls': '1',
    })
    expect(await refusal(openData(lone))).toBe(
      `${lone}: the classes "0", "1" are in train but not in val: add images to validate on, or remove from train`,
    )
  })
})

describe('openData', () => {
  it.each(['photos.zip', 'photos.tgz', 'photos.tar.gz'])('asks to unpack %s', async (name) => {
    await writeFile(inTemp(name), 'x')
    expect((await dataErrorOf(openData(inTemp(name)))).message).toMatch(
      /is a compressed archive: unpack it and give its folder$/,
    )
  })

  it('opens a folder of classes as openImageFolder does', async () => {
    const folder = await images('plain', ['a/1.png', 'a/2.png', 'b/1.png', 'b/2.png'])
    expect((await openData(folder)).classes).toEqual(['a', 'b'])
    expect((await dataErrorOf(openData(inTemp('nowhere')))).message).toMatch(/^no such folder: /)
    expect((await dataErrorOf(openData(join(folder, 'a', '1.png')))).message).toMatch(
      /1\.png is not a file of labels or an archive: give a folder of images/,
    )
  })

  it.each([{ split: 0 }, { seed: -1 }])('refuses %o', async (options) => {
    await archive('options', 'x.tar', { 'a/1.png': png[0] as Uint8Array })
    await writeFiles(inTemp('options'), { 'x.csv': 'file,label\n' })
    for (const name of ['x.tar', 'x.csv'])
      await expect(openData(inTemp('options', name), options)).rejects.toThrow(UsageError)
  })
})
