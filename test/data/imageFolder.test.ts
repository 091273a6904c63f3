import { mkdir, symlink } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { UsageError } from '../../src/base/errors.ts'
import { countByClass, type Sample } from '../../src/data/dataset.ts'
import { openImageFolder } from '../../src/data/imageFolder.ts'
import { dataErrorOf, touch, useTempFolder, writeFiles } from './images.ts'

const inTemp = useTempFolder()
const names = (samples: Iterable<Sample>): string[] => Array.from(samples, (sample) => sample.name)
const CLASSES_INSIDE =
  'one folder per class with its images inside, such as cat/1.jpg and dog/1.jpg'

async function link(target: string, path: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true })
  await symlink(target, path)
}

/** What the dataset of a folder with these empty files is. */
async function opened(
  folder: string,
  files: readonly string[],
): ReturnType<typeof openImageFolder> {
  await touch(inTemp(folder), files)
  return openImageFolder(inTemp(folder))
}

async function refusal(
  folder: string,
  files: readonly string[],
  folders: readonly string[] = [],
): Promise<string> {
  await mkdir(inTemp(folder), { recursive: true })
  await touch(inTemp(folder), files)
  for (const name of folders) await mkdir(inTemp(folder, name), { recursive: true })
  return (await dataErrorOf(openImageFolder(inTemp(folder)))).message
}

describe('a folder of train/ and val/', () => {
  it('gives both parts as they lie', async () => {
    const files = [
      'train/dog/2.jpg',
      'train/dog/1.jpg',
      'train/Cat/a.png',
      'val/Cat/b.webp',
      'val/dog/3.jpeg',
    ]
    const data = await opened('divided', files)
    expect(data.root).toBe(inTemp('divided'))
    expect(data.classes).toEqual(['Cat', 'dog'])
    expect(names(data.train)).toEqual(['train/Cat/a.png', 'train/dog/1.jpg', 'train/dog/2.jpg'])
    expect(Array.from(data.train, (sample) => sample.label)).toEqual([0, 1, 1])
    expect([...data.val]).toEqual([
      { source: inTemp('divided', 'val', 'Cat', 'b.webp'), name: 'val/Cat/b.webp', label: 0 },
      { source: inTemp('divided', 'val', 'dog', '3.jpeg'), name: 'val/dog/3.jpeg', label: 1 },
    ])
  })

  it('leaves other folders beside them alone', async () => {
    const data = await opened('with-test', [
      'train/a/1.png',
      'train/b/1.png',
      'val/a/2.png',
      'val/b/2.png',
      'test/1.png',
      'notes/x.png',
    ])
    expect(data.classes).toEqual(['a', 'b'])
    expect(data.train.length + data.val.length).toBe(4)
  })

  it('takes a class that happens to be called train', async () => {
    const data = await opened('vehicles', [
      'train/1.png',
      'train/2.png',
      'tram/1.png',
      'tram/2.png',
    ])
    expect(data.classes).toEqual(['train', 'tram'])
  })
})

describe('a folder of classes', () => {
  const files = ['cat', 'dog'].flatMap((name) =>
    Array.from({ length: 8 }, (_, i) => `${name}/${i}.png`),
  )

  it('holds out a seeded quarter of each', async () => {
    const data = await opened('flat', files)
    expect(data.classes).toEqual(['cat', 'dog'])
    expect(names([...data.train, ...data.val]).sort()).toEqual(files)
    for (const label of [0, 1]) expect(countByClass(data.val, 2)[label]).toBe(2)
    const again = await openImageFolder(inTemp('flat'), { seed: 0, split: 0.25 })
    expect([names(again.train), names(again.val)]).toEqual([names(data.train), names(data.val)])
    expect(names((await openImageFolder(inTemp('flat'), { seed: 1 })).val)).not.toEqual(
      names(data.val),
    )
    expect((await openImageFolder(inTemp('flat'), { split: 0.5 })).val).toHaveLength(8)
  })

  it('does not depend on where the folder lies nor on the order of writing', async () => {
    const data = await opened('flat', files)
    const elsewhere = await opened('flat-elsewhere', [...files].reverse())
    expect(names(elsewhere.val)).toEqual(names(data.val))
  })

  it('walks nested folders and passes over what is not an image', async () => {
    const data = await opened('nested', [
      'a/1.JPG',
      'a/deep/er/2.Jpeg',
      'a/deep/3.PNG',
      'a/4.webp',
      'a/notes.txt',
      'a/.hidden.png',
      'a/.thumbnails/5.png',
      'a/Thumbs.db',
      'a/.DS_Store',
      'a/png',
      'a/6.png.part',
      'b/1.png',
      'b/2.png',
      '.git/1.png',
      'cover.png',
      'readme.txt',
    ])
    expect(data.classes).toEqual(['a', 'b'])
    const all = [...data.train, ...data.val]
    expect(names(all).sort()).toEqual([
      'a/1.JPG',
      'a/4.webp',
      'a/deep/3.PNG',
      'a/deep/er/2.Jpeg',
      'b/1.png',
      'b/2.png',
    ])
    for (const { source, name } of all) expect(source).toBe(join(inTemp('nested'), name))
  })

  it('sorts classes by code unit', async () => {
    const classes = ['é', 'z', 'Z', 'a10', 'a2', 'A']
    const data = await opened(
      'sorted',
      classes.flatMap((name) => [`${name}/1.png`, `${name}/2.png`]),
    )
    expect(data.classes).toEqual(['A', 'Z', 'a10', 'a2', 'z', 'é'])
  })

  it('counts images of formats that are not read, and nothing else that lies there', async () => {
    const others = [
      'a/1.heic',
      'a/2.HEIC',
      'b/x/3.heic',
      'b/4.gif',
      'b/5.Gif',
      'a/notes.txt',
      'a/Thumbs.db',
      'b/.6.gif',
    ]
    const data = await opened('others', ['a/1.png', 'a/2.png', 'b/1.png', 'b/2.png', ...others])
    expect(data.passedOver).toEqual({ '.heic': 3, '.gif': 2 })
    expect(Object.keys(data.passedOver ?? {})[0]).toBe('.heic')
  })

  it('follows links to folders and files, once, and not in circles', async () => {
    await touch(inTemp('store'), ['dogs/1.png', 'dogs/2.png', 'more/3.png'])
    await touch(inTemp('links'), ['cat/1.png', 'cat/2.png'])
    await link(inTemp('store', 'dogs'), inTemp('links', 'dog'))
    await link(inTemp('store', 'more'), inTemp('links', 'cat', 'x'))
    await link(inTemp('store', 'more'), inTemp('links', 'cat', 'y'))
    await link(inTemp('links'), inTemp('links', 'cat', 'up'))
    await link(inTemp('links', 'cat'), inTemp('links', 'cat', 'self'))
    await link(inTemp('store', 'dogs', '1.png'), inTemp('links', 'cat', '4.png'))
    await link(inTemp('nowhere'), inTemp('links', 'cat', '5.png'))
    const data = await openImageFolder(inTemp('links'))
    expect(data.classes).toEqual(['cat', 'dog'])
    const found = names([...data.train, ...data.val]).sort()
    expect(found).toHaveLength(7)
    expect(found.filter((name) => !/^cat\/[xy]\/3\.png$/.test(name))).toEqual([
      'cat/1.png',
      'cat/2.png',
      'cat/4.png',
      'cat/5.png',
      'dog/1.png',
      'dog/2.png',
    ])
  })

  it('takes no link to a folder around it for a class', async () => {
    await touch(inTemp('around', 'photos'), ['cat/1.png', 'cat/2.png', 'dog/1.png', 'dog/2.png'])
    await link(inTemp('around', 'photos'), inTemp('around', 'photos', 'loop'))
    await link(inTemp('around'), inTemp('around', 'photos', 'up'))
    const data = await openImageFolder(inTemp('around', 'photos'))
    expect(data.classes).toEqual(['cat', 'dog'])
    expect(data.remarks).toEqual([
      `passed over ${inTemp('around', 'photos', 'loop')}: a link to a folder that it lies in`,
      `passed over ${inTemp('around', 'photos', 'up')}: a link to a folder that it lies in`,
    ])
  })
})

describe('a folder that cannot be used', () => {
  it('does not exist, or is a file', async () => {
    await writeFiles(inTemp(), { 'a-file': 'x' })
    expect((await dataErrorOf(openImageFolder(inTemp('none')))).message).toBe(
      `no such folder: ${inTemp('none')} (give a folder with ${CLASSES_INSIDE})`,
    )
    expect((await dataErrorOf(openImageFolder(inTemp('a-file')))).message).toBe(
      `not a folder: ${inTemp('a-file')} (give a folder with ${CLASSES_INSIDE})`,
    )
  })

  it('has no class folders', async () => {
    expect(await refusal('empty', [])).toBe(
      `${inTemp('empty')} holds no class folders: it needs ${CLASSES_INSIDE}`,
    )
    expect(await refusal('loose', ['1.png', '2.jpg'])).toBe(
      `${inTemp('loose')} holds images but no class folders: put them into ${CLASSES_INSIDE}`,
    )
    expect(await refusal('loose-divided', ['train/1.png', 'val/2.jpg'])).toBe(
      `${inTemp('loose-divided', 'train')} holds images but no class folders: put them into ${CLASSES_INSIDE}`,
    )
  })

  it('has one class only', async () => {
    expect(await refusal('one', ['cat/1.png', 'cat/2.png'])).toBe(
      `${inTemp('one')} has only one class, "cat": add images of at least one more`,
    )
    expect(await refusal('one-divided', ['train/cat/1.png', 'val/cat/2.png'])).toBe(
      `${inTemp('one-divided', 'train')} has only one class, "cat": add images of at least one more`,
    )
  })

  it('has an empty class', async () => {
    const empty = (path: string): string =>
      `the class folder ${path} holds no image (JPEG, PNG or WebP): add some or remove the folder`
    expect(await refusal('hollow', ['cat/1.png', 'cat/2.png', 'dog/notes.txt'])).toBe(
      empty(inTemp('hollow', 'dog')),
    )
    expect(
      await refusal('phone', ['cat/1.HEIC', 'cat/2.heic', 'cat/a.gif', 'dog/1.png', 'dog/2.png']),
    ).toBe(
      `the class folder ${inTemp('phone', 'cat')} holds no image (JPEG, PNG or WebP; it holds 2 .heic and 1 .gif): add some or remove the folder`,
    )
    const divided = ['train/cat/1.png', 'train/dog/1.png', 'val/cat/2.png']
    expect(await refusal('hollow-divided', divided, ['val/dog'])).toBe(
      empty(inTemp('hollow-divided', 'val', 'dog')),
    )
  })

  it('has a class of one image', async () => {
    expect(await refusal('single', ['cat/1.png', 'cat/2.png', 'dog/1.png'])).toBe(
      'class "dog" has only one image: add images or remove the class, two are needed to train on one and validate on the other',
    )
  })

  it('has a class in train or val alone', async () => {
    const shared = ['train/cat/1.png', 'val/cat/1.png']
    expect(await refusal('only-val', [...shared, 'val/dog/1.png'])).toBe(
      `${inTemp('only-val')}: the class "dog" is in val/ but not in train/: add images to train on, or remove from val/`,
    )
    expect(await refusal('only-train', [...shared, 'train/dog/1.png', 'train/emu/1.png'])).toBe(
      `${inTemp('only-train')}: the classes "dog", "emu" are in train/ but not in val/: add images to validate on, or remove from train/`,
    )
    const many = Array.from({ length: 7 }, (_, i) => `train/x${i}/1.png`)
    expect(await refusal('many-only-train', [...shared, ...many])).toContain(
      ': the classes "x0", "x1", "x2", "x3", "x4" and 2 more are in train/ but not in val/: ',
    )
  })

  it('has train/ without val/, or val/ without train/', async () => {
    expect(
      await refusal('no-val', ['train/a/1.png', 'train/b/1.png', 'test/a/1.png', 'test/b/1.png']),
    ).toBe(
      `${inTemp('no-val')} has test/ and train/ but no val/: add val/ with a folder per class, ` +
        `or give ${inTemp('no-val', 'train')} to have a part of it held out, ` +
        'or call test/ val/ to validate on its images',
    )
    expect(await refusal('no-train', ['val/a/1.png', 'val/b/1.png'])).toContain(
      'has val/ but no train/: add train/',
    )
  })

  it.each([0, 1, 1.5, Number.NaN])('is not looked at with the split %s', async (split) => {
    await expect(openImageFolder(inTemp('none'), { split })).rejects.toThrow(UsageError)
  })

  it.each([-1, 0.5])('is not looked at with the seed %s', async (seed) => {
    await expect(openImageFolder(inTemp('none'), { seed })).rejects.toThrow(UsageError)
  })
})
