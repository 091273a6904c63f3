import { mkdir } from 'node:fs/promises'
import { pathToFileURL } from 'node:url'
import { create } from 'tar'
import { describe, expect, test } from 'vitest'
import type { ImageDataset } from '../../src/data/dataset.ts'
import { filesDataset } from '../../src/data/filesDataset.ts'
import { openData } from '../../src/data/openData.ts'
import { dataErrorOf, touch, useTempFolder } from './images.ts'

const inTemp = useTempFolder()

/** Two images of two classes in each of some folders. */
const inside = (...folders: readonly string[]) =>
  folders.flatMap((folder) =>
    ['cat', 'dog'].flatMap((name) => [1, 2].map((i) => `${folder}/${name}/${i}.png`)),
  )
/** Two images in each of some folders. */
const images = (...folders: readonly string[]) =>
  folders.flatMap((folder) => [1, 2].map((i) => `${folder}/${i}.png`))

let made = 0
/** The ways in which the same files are opened; they must not differ. */
const ways: Readonly<Record<string, (files: readonly string[]) => Promise<ImageDataset>>> = {
  'a folder': async (files) => {
    const folder = inTemp(`folder-${made++}`)
    await touch(folder, files)
    return openData(folder)
  },
  'a store': async (files) => {
    const folder = inTemp(`store-${made++}`)
    await touch(folder, files)
    return openData(pathToFileURL(folder).href)
  },
  'an archive': async (files) => {
    const folder = inTemp(`files-${made++}`)
    await mkdir(folder)
    await touch(folder, files)
    const file = inTemp(`${made}.tar`)
    await create(
      { file, cwd: folder, portable: true },
      files.map((path) => `./${path}`),
    )
    return openData(file)
  },
  'files in a browser': async (files) =>
    filesDataset(
      files.map((path) => ({ path, file: new Blob([]) })),
      { root: 'chosen' },
    ),
}
const numberOf = (data: ImageDataset) => [data.train.length, data.val.length]

describe.each(Object.entries(ways))('%s', (_, open) => {
  test.each([
    ['train', 'val'],
    ['Train', 'Validation'],
    ['TRAIN', 'VAL'],
    ['training', 'valid'],
    ['Training Set', 'Validation Set'],
    ['training_set', 'validation_set'],
    ['train_images', 'val_images'],
    ['trainImages', 'valImages'],
    ['trainset', 'valset'],
    ['train2017', 'val2017'],
    ['01-train', '02-val'],
    ['my-dataset-train', 'my-dataset-valid'],
    ['seg_train', 'seg_val'],
    ['ILSVRC2012_img_train', 'ILSVRC2012_img_val'],
    ['train', 'dev'],
    ['train', 'eval'],
  ])('%s/ and %s/ are the parts', async (train, val) => {
    const data = await open(inside(train, val))
    expect([data.classes, numberOf(data)]).toEqual([
      ['cat', 'dog'],
      [4, 4],
    ])
    expect(data.train.at(0)?.name).toContain(`${train}/cat/1.png`)
    const said = data.remarks?.join() ?? ''
    if (train === 'train' && val === 'val') expect(said).toBe('')
    else expect(said).toBe(`${train}/ is read to train on, ${val}/ to validate on`)
  })

  test('test/ beside train/ and valid/ is left alone, and that is said', async () => {
    const data = await open(inside('train', 'valid', 'test'))
    expect(numberOf(data)).toEqual([4, 4])
    expect(data.remarks).toContain(
      'test/ is left for evaluation: it is neither trained nor validated on',
    )
  })

  test.each([
    ['training_set', 'test_set'],
    ['seg_train', 'seg_test'],
    ['Train', 'Test'],
    ['Training', 'Testing'],
  ])('%s/ and %s/ without a part to validate on get a question', async (train, test) => {
    const { message } = await dataErrorOf(open(inside(train, test)))
    const both = `(${train}/ and ${test}/|${test}/ and ${train}/)`
    expect(message).toMatch(
      new RegExp(
        `has ${both} but no val/: add val/ with a folder per class, or give .*${train}.* to ` +
          `have a part of it held out, or call ${test}/ val/ to validate on its images$`,
      ),
    )
  })

  test('a test part of mere images beside train/ is named, and not proposed as val/', async () => {
    const { message } = await dataErrorOf(open([...inside('train'), ...images('test')]))
    expect(message).toMatch(/has test\/ and train\/ but no val\/: .*train.* to have a part .* out$/)
  })

  test.each<[string, string[], RegExp]>([
    ['train/ beside another name', inside('train', 'holdout'), /has train\/ but no val\/: add val/],
    [
      'valid/ and test/',
      inside('valid', 'test'),
      /has test\/ and valid\/ but no train\/: add train/,
    ],
    ['val/ alone', inside('val'), /has val\/ but no train\/: add train\//],
    ['a lone train/', inside('train'), /has train\/ but no val\/: add val\//],
    [
      'classes beside train/',
      [...inside('train'), ...images('cat', 'dog')],
      /has train\/ but no val\//,
    ],
    [
      'two training parts',
      inside('train', 'training', 'val'),
      /more than one folder that is named train, train\/ and training\//,
    ],
    [
      'two divisions',
      inside('a_train', 'a_val', 'b_train', 'b_val'),
      /divided more than once, by a_train\/ and a_val\/ and b_train\/ and b_val\//,
    ],
    [
      'parts without classes',
      images('train', 'test'),
      /test\/ and train\/ are named like parts of a dataset and hold no class folders/,
    ],
    ['parts in Chinese', inside('训练集', '验证集'), /训练集, 验证集 hold folders of the same/],
    ['folds', inside('fold1', 'fold2'), /fold1, fold2 hold folders of the same names/],
    [
      'parts in another language',
      inside('Trainingsdaten', 'Validierungsdaten'),
      /Trainingsdaten, Validierungsdaten hold folders of the same names, cat, dog, and may be parts/,
    ],
    [
      'parts in one of several folders',
      inside('images/train', 'images/val', 'labels'),
      /images.* is divided by train\/ and val\/ beside labels: give .*images/,
    ],
    [
      'parts inside the classes',
      [...images('cat/Training', 'cat/Validation', 'dog/Training', 'dog/Validation')],
      /cat.* is divided by Training\/ and Validation\/ beside dog: .*if it is a class/,
    ],
    ['train and val as one', inside('trainval', 'test'), /has test\/ but no train\//],
    ['train and val as one, in words', inside('train_val', 'holdout'), /hold folders of the same/],
    ['a folder without images', [...images('cat', 'dog'), 'notes/a.txt'], /notes.* holds no image/],
  ])('%s: an error asks', async (_, files, says) => {
    expect((await dataErrorOf(open(files))).message).toMatch(says)
  })

  test.each<[string, string[], string[], RegExp]>([
    [
      'one class named like a part',
      images('train', 'bus'),
      ['bus', 'train'],
      /train\/ holds images and is read as a class, not as a part/,
    ],
    [
      'names that all begin so',
      images('Testdaten', 'Trainingsdaten'),
      ['Testdaten', 'Trainingsdaten'],
      /^Testdaten, Trainingsdaten are read as classes; if they are parts of a dataset, call them/,
    ],
    ['names of which one begins so', images('bus', 'trainers'), ['bus', 'trainers'], /^$/],
    [
      'train_station and bus_station, with folders in them',
      ['train_station/2019/1.png', 'train_station/1.png', ...images('bus_station/2020')],
      ['bus_station', 'train_station'],
      /^$/,
    ],
    [
      'folders of the same names in unsuspicious ones',
      inside('Berlin', 'Paris'),
      ['Berlin', 'Paris'],
      /^Berlin, Paris are read as classes, though they hold folders of the same names, cat, dog$/,
    ],
    [
      'a folder around all the others',
      inside('flowers'),
      ['cat', 'dog'],
      /^the classes lie in flowers\/, the only folder$/,
    ],
    [
      'several folders around the parts',
      inside('archive/images/train', 'archive/images/val'),
      ['cat', 'dog'],
      /^the classes lie in archive\/images\/, the only folder$/,
    ],
    [
      'other folders beside the parts',
      [...inside('train', 'val'), ...images('notes')],
      ['cat', 'dog'],
      /^passed over notes beside train\/ and val\/$/,
    ],
    [
      'names that differ only in case',
      images('Cat', 'cat', 'dog'),
      ['Cat', 'cat', 'dog'],
      /^"Cat" and "cat" are different classes, though their names look alike$/,
    ],
    [
      'names that objects have',
      images('__proto__', 'constructor', 'toString'),
      ['__proto__', 'constructor', 'toString'],
      /^$/,
    ],
    [
      'what other programs left',
      [
        ...images('cat', 'dog', '@eaDir', '__MACOSX', '.thumbnails', 'lost+found', '.git'),
        ...['cat/Thumbs.db', 'cat/._1.png', 'dog/._1.png', 'dog/@eaDir/1.png/SYNO.png'],
      ],
      ['cat', 'dog'],
      /^passed over hidden files and those of other programs: \._\*, \.git, \.thumbnails, @eaDir, Thumbs\.db and 2 more$/,
    ],
    [
      'run folders',
      [
        ...images('cat', 'dog'),
        'runs/a/config.json',
        'runs/a/checkpoints/last.json',
        'runs/b/config.json',
        'runs/b/metrics.jsonl',
        'runs/b/sheet.png',
        'model/config.json',
      ],
      ['cat', 'dog'],
      /^passed over folders of trained runs: model, runs$/,
    ],
  ])('%s: read, and said', async (_, files, classes, says) => {
    const data = await open(files)
    expect(data.classes).toEqual(classes)
    expect(data.remarks?.join()).toMatch(says)
  })

  test('names composed and decomposed are one class, in both parts and in one', async () => {
    const [composed, decomposed] = ['K\u00e4fer', 'Ka\u0308fer']
    const across = await open(images(`train/${composed}`, `val/${decomposed}`, 'train/b', 'val/b'))
    expect([across.classes, numberOf(across)]).toEqual([
      ['K\u00e4fer', 'b'],
      [4, 4],
    ])
    const beside = await open(images(composed, decomposed, 'b'))
    expect([beside.classes, numberOf(beside)]).toEqual([
      ['K\u00e4fer', 'b'],
      [4, 2],
    ])
    expect(beside.remarks?.join()).toMatch(/^two folders Käfer are one class: their names are one/)
  })

  test('images outside of the class folders are counted and named', async () => {
    const flat = await open([...images('cat', 'dog'), 'x/1.png', 'x/2.png'])
    expect(flat.remarks).toEqual([])
    const parts = await open([...inside('train', 'val'), 'train/cover.png'])
    expect(parts.remarks).toEqual([
      'passed over 1 image outside of the class folders, such as train/cover.png',
    ])
  })

  test('the seeded division does not depend on the form of Unicode', async () => {
    const named = (form: 'NFC' | 'NFD') =>
      ['\u00e9', 'f', 'z', '\u00fc', 'e', 'u'].flatMap((name) =>
        ['cat', 'dog'].map((folder) => `${folder}/${name}.png`.normalize(form)),
      )
    const heldOut = async (form: 'NFC' | 'NFD') =>
      Array.from((await open(named(form))).val, ({ name }) => name.replace(/^.*\.tar\//, ''))
    expect((await heldOut('NFD')).map((name) => name.normalize('NFC'))).toEqual(
      await heldOut('NFC'),
    )
  })
})

test('a root with images beside its class folders says so, where an archive names its own', async () => {
  const data = await ways['a folder']?.([...images('cat', 'dog'), 'sheet.png'])
  expect(data?.remarks).toEqual([
    'passed over 1 image outside of the class folders, such as sheet.png',
  ])
})
