import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { expect, it } from 'vitest'
import { DataError } from '../../src/base/errors.ts'
import { filesDataset } from '../../src/data/filesDataset.ts'
import { openImageFolder } from '../../src/data/imageFolder.ts'

const listed = (...paths: string[]) => paths.map((path) => ({ path, file: new Blob([path]) }))
const names = (samples: Iterable<{ name: string; label: number }>) =>
  Array.from(samples, ({ name, label }) => [name, label])

it.each([
  {
    layout: 'a folder for each class',
    paths: [
      'b/2.png',
      'b/1.PNG',
      'a/deep/x.jpg',
      'a/y.webp',
      'a/z.jpeg',
      '.hidden/a.png',
      'a/.b.png',
      'a/notes.txt',
      'a/c.tiff',
    ],
  },
  {
    layout: 'train and val',
    paths: ['train/b/1.png', 'val/b/2.png', 'train/a/3.png', 'val/a/4.png', 'other/a/5.png'],
  },
])('divides as the folder on the disk: $layout', async ({ paths, layout }) => {
  const folder = await mkdtemp(join(tmpdir(), 'graft-files-'))
  for (const path of paths) {
    await mkdir(dirname(join(folder, path)), { recursive: true })
    await writeFile(join(folder, path), path)
  }
  const options = layout === 'train and val' ? {} : { split: 0.4, seed: 5 }
  const [files, disk] = [
    filesDataset(listed(...paths), options),
    await openImageFolder(folder, options),
  ]
  await rm(folder, { recursive: true })
  expect([files.classes, files.passedOver]).toEqual([disk.classes, disk.passedOver])
  for (const part of ['train', 'val'] as const)
    expect(names(files[part])).toEqual(names(disk[part]))
  const first = files.train.at(0)
  expect(first?.source).toBeInstanceOf(Blob)
  expect(await new Response(first?.source as Blob).text()).toBe(first?.name)
})

it('takes what a person chose in a browser, its folder being the root', () => {
  const chosen = ['pets/cat/1.jpg', 'pets/cat/2.jpg', 'pets/dog/1.jpg', 'pets/dog/2.jpg'].map(
    (path) =>
      Object.defineProperty(new File([path], path.split('/').at(-1) ?? ''), 'webkitRelativePath', {
        value: path,
      }),
  )
  const data = filesDataset(chosen)
  expect([data.root, data.classes, data.train.length, data.val.length]).toEqual([
    'pets',
    ['cat', 'dog'],
    2,
    2,
  ])
})

it.each([
  [listed('1.png', '2.png'), /^1\.png is not in a class folder|^2\.png is not in a class folder/],
  [listed('a/1.png', 'a/2.png'), /^the selection has only one class, "a"/],
  [listed('train/a/1.png', 'train/b/1.png', 'val/a/2.png'), /in train\/ but not in val\//],
  [
    listed('a/1.png', 'a/2.png', 'b/1.png', 'b/2.png', 'c/1.heic'),
    /^the class folder c holds no image/,
  ],
  [
    listed('train/a/1.png', 'val/a/2.png', 'train/b/1.gif', 'val/b/1.png'),
    /^the class folder train\/b holds no image/,
  ],
  [[], /^the selection holds no image/],
])('says what is wrong', (files, message) => {
  expect(() => filesDataset(files)).toThrow(DataError)
  expect(() => filesDataset(files)).toThrow(message)
})

it('calls the files as it was told to, also where none is an image', () => {
  expect(() => filesDataset([], { root: 'pets' })).toThrow(/^pets holds no image/)
})
