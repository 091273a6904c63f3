import { symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { openLabelFile } from '../../src/data/labelFile.ts'
import { openData } from '../../src/data/openData.ts'
import { touch } from './images.ts'
import { byClass, fourFiles, useTables } from './tables.ts'

const { inTemp, opened, refusal, table, withoutFolder } = useTables()

describe('columns', () => {
  const rows = (...cells: readonly string[]) =>
    fourFiles.map((file, i) =>
      cells
        .map((cell) => (cell === 'F' ? file : cell === 'L' ? 'ab'.charAt(i >> 1) : cell))
        .join(','),
    )
  const two = { a: ['1.jpg', '2.jpg'], b: ['3.jpg', '4.jpg'] }
  test.each([
    'file,label',
    'filename,class',
    'File_Name,Category',
    'image_id,breed',
    'id,species',
    'path,target',
    'filepath,LABEL',
    'Image Path,class_name',
    'img,tags',
    'name,label',
    ' image , label ',
    '"image","label"',
  ])('%s', async (header) => {
    expect((await opened([header, ...rows('F', 'L')].join('\n'))).classes).toEqual(two)
  })

  test.each<[string, string, readonly string[]]>([
    ['an index without a name, as pandas writes it', ',file,label', rows('7', 'F', 'L')],
    ['numbers beside', 'width,image,height,label,x', rows('64', 'F', '48', 'L', '0.5')],
    ['a number and a file', 'id,label,filename', rows('7', 'L', 'F')],
    ['two columns that may name the file', 'file,path,label', rows('lost', 'F', 'L')],
    ['a column called dataset that divides nothing', 'dataset,image_id,dx', rows('ham', 'F', 'L')],
    ['cells left empty at the end', 'file,label,,', rows('F', 'L', '', '', '')],
  ])('%s', async (_, header, lines) => {
    const { classes, remarks } = await opened([header, ...lines].join('\n'))
    expect(classes).toEqual(two)
    expect(remarks).toEqual([])
  })

  test('the only column left is the label, and that is said', async () => {
    const { classes, remarks } = await opened(['image,flower', ...rows('F', 'L')].join('\n'))
    expect(classes).toEqual(two)
    expect(remarks).toEqual([
      '…/labels.csv: the labels are those of the column flower, the only one left',
    ])
  })

  test.each<[string, string, string]>([
    [
      'several labels',
      'image,class_id,class_name\n1.jpg,0,a\n',
      '…/labels.csv: the columns class_id, class_name may all be the label: keep one of them, and name it label',
    ],
    [
      'a column for each class',
      'image_id,healthy,rust,scab\n1.jpg,1,0,0\n2.jpg,0,1,0\n',
      '…/labels.csv: the columns healthy, rust, scab mark the classes of an image, and one column, label, must name its only class',
    ],
    [
      'two columns that divide',
      'file,label,split,is_valid\n1.jpg,a,train,0\n',
      '…/labels.csv: the columns split, is_valid say which images are for validation: keep one',
    ],
    [
      'nothing that is known',
      'image,color,size\n1.jpg,red,large\n',
      '…/labels.csv: the first line names no column label (it says image, color, size): it must be file,label or file,label,split',
    ],
    [
      'a label with a comma and no quotation marks',
      'file,label\n1.jpg,a\n2.jpg,Retriever, Golden\n',
      '…/labels.csv, line 3: it has 3 cells, and the first line 2: a name with a comma needs quotation marks',
    ],
    [
      'an answer that is none',
      'file,label,is_valid\n1.jpg,a,perhaps\n',
      '…/labels.csv, line 2: there is no split "perhaps": write true or false',
    ],
    [
      'the name of what every object has',
      'file,label,split\n1.jpg,a,constructor\n',
      '…/labels.csv, line 2: there is no split "constructor": write train or val',
    ],
    [
      'a file with two labels',
      'file,label\n1.jpg,a\n2.jpg,b\n./1.jpg,b\n',
      '…/labels.csv, line 4: ./1.jpg is already named in line 2: remove one of the two lines',
    ],
    [
      'a file in two parts',
      'file,label,split\n1.jpg,a,train\n1.jpg,a,val\n',
      '…/labels.csv, line 3: 1.jpg is already named in line 2: remove one of the two lines',
    ],
    [
      'several labels in a cell',
      'image,label\n1.jpg,scab\n2.jpg,rust\n3.jpg,scab|rust\n',
      '…/labels.csv, line 4: "scab|rust" seems to be several labels, and an image has one class: keep one of them, or, if it is one name, write it with a hyphen',
    ],
    [
      'several labels with spaces between them',
      'image,labels\n1.jpg,scab rust\n2.jpg,rust\n3.jpg,scab\n',
      '…/labels.csv, line 2: "scab rust" seems to be several labels, and an image has one class: keep one of them, or, if it is one name, write it with a hyphen',
    ],
  ])('%s is refused', async (_, text, message) => {
    expect(await refusal(text)).toBe(message)
  })

  test('one label may have spaces and marks', async () => {
    const text = 'image,label\n1.jpg,hot dog\n2.jpg,hot dog\n3.jpg,hot\n4.jpg,hot\n'
    expect(Object.keys((await opened(text)).classes)).toEqual(['hot', 'hot dog'])
    const marks = 'image,tags\n1.jpg,n/a\n2.jpg,n/a\n3.jpg,a b\n4.jpg,a b\n'
    expect(Object.keys((await opened(marks)).classes)).toEqual(['a b', 'n/a'])
  })

  test.each<[string, readonly string[]]>([
    ['split', ['train', 'val', 'TRAIN', 'Valid']],
    ['subset', ['training', 'validation', 'trn', 'dev']],
    ['is_valid', ['False', 'True', 'FALSE', 'TRUE']],
    ['is_valid', ['0', '1', '0.0', '1.0']],
    ['is_train', ['yes', 'no', 'y', 'n']],
    ['set', ['train', 'val', 'train', 'val']],
  ])('the parts of %s: %s', async (name, cells) => {
    const lines = fourFiles.map((file, i) => `${file},${'aabb'.charAt(i)},${cells[i]}`)
    const data = await openLabelFile(await table([`file,label,${name}`, ...lines].join('\n')))
    expect([...data.train].map((one) => one.name)).toEqual(['1.jpg', '3.jpg'])
    expect([...data.val].map((one) => one.name)).toEqual(['2.jpg', '4.jpg'])
  })

  test('images of the part test are left out, or validate where no other do', async () => {
    const six = [...fourFiles, '5.jpg', '6.jpg']
    const lines = (parts: readonly string[]) =>
      six.map((file, i) => `${file},${'aaabbb'.charAt(i)},${parts[i % 3]}`)
    const of = async (parts: readonly string[]) => {
      const path = await table(['file,label,split', ...lines(parts)].join('\n'), six)
      const { train, val, remarks = [] } = await openLabelFile(path)
      return [train.length, val.length, remarks.map(withoutFolder)]
    }
    expect(await of(['train', 'val', 'test'])).toEqual([
      2,
      2,
      [
        '…/labels.csv: 2 images of the part test are left out: they are neither trained on nor validated with',
      ],
    ])
    const path = await table(
      'file,label,split\n1.jpg,a,train\n2.jpg,a,val\n3.jpg,b,train\n4.jpg,b,val\n5.jpg,c,test\n',
      six,
    )
    expect((await openLabelFile(path)).classes).toEqual(['a', 'b'])
    expect((await openLabelFile(path, { testSet: true })).classes).toEqual(['a', 'b', 'c'])
    expect((await openLabelFile(path, { testSet: true })).val.length).toBe(3)
    expect(await of(['train', 'train', 'test'])).toEqual([
      4,
      2,
      ['…/labels.csv: 2 images of the part test validate'],
    ])
  })
})

describe('names of files', () => {
  const rowsOf = (names: readonly string[]) =>
    ['id,breed', ...names.map((name, i) => `${name},${'aabb'.charAt(i)}`)].join('\n')
  test.each<[string, readonly string[], readonly string[]]>([
    ['no extension', ['1', '2', '3', '4'], fourFiles],
    ['no extension and no folder', ['1', '2', '3', '4'], fourFiles.map((name) => `train/${name}`)],
    ['no folder', fourFiles, fourFiles.map((name) => `deep/er/${name}`)],
    [
      'half a path',
      ['a/1', 'a/2', 'b/1', 'b/2'],
      ['x/a/1.png', 'x/a/2.PNG', 'x/b/1.webp', 'x/b/2.jpeg'],
    ],
    [
      'the paths of another computer',
      fourFiles.map((name) => `/home/ada/photos/${name}`),
      fourFiles,
    ],
    [
      'the paths of Windows',
      fourFiles.map((name) => `C:\\Users\\ada\\in\\${name}`),
      fourFiles.map((name) => `in/${name}`),
    ],
    ['backslashes', fourFiles.map((name) => `in\\${name}`), fourFiles.map((name) => `in/${name}`)],
    [
      'NFD on the disk',
      ['ä1', 'ä2', 'ä3', 'ä4'].map((name) => name.normalize('NFC')),
      fourFiles.map((name) => `ä${name}`.normalize('NFD')),
    ],
    [
      'NFC on the disk',
      ['ä1', 'ä2', 'ä3', 'ä4'].map((name) => name.normalize('NFD')),
      fourFiles.map((name) => `ä${name}`.normalize('NFC')),
    ],
    [
      'dots in names',
      ['v1.1', 'v1.2', 'v2.1', 'v2.2'],
      ['v1.1.jpg', 'v1.2.jpg', 'v2.1.jpg', 'v2.2.jpg'],
    ],
  ])('%s', async (_, names, files) => {
    const { classes, remarks } = await opened(rowsOf(names), files)
    expect(classes).toEqual({ a: files.slice(0, 2), b: files.slice(2) })
    expect(remarks).toEqual([
      `…/labels.csv: 4 files are not where the table says and were found below its folder, such as ${names[0]} as ${files[0]}`,
    ])
  })

  test('a name that fits two files is refused, and one that fits none stays to be reported', async () => {
    expect(
      await refusal(rowsOf(['1', '2', '3', '4']), ['x/1.jpg', 'y/1.jpg', ...fourFiles.slice(1)]),
    ).toMatch(/labels\.csv, line 2: 1 may be [xy]\/1\.jpg or [xy]\/1\.jpg: write the path/)
    expect(await refusal(rowsOf(['1']), ['1.jpg', '1.png'])).toMatch(
      /line 2: 1 may be 1\.jpg or 1\.png/,
    )
    const { classes } = await opened(rowsOf(['1', '2', '3', 'lost']), fourFiles)
    expect(classes).toEqual({ a: ['1.jpg', '2.jpg'], b: ['3.jpg', 'lost'] })
  })

  test('a circle of folders ends', async () => {
    const path = await table(rowsOf(['1', '2', '3', '4']))
    await symlink('.', join(path, '..', 'around'))
    expect((await openLabelFile(path)).classes).toEqual(['a', 'b'])
  })
})

describe('labels', () => {
  const labeled = (labels: readonly string[]) =>
    opened(['file,label', ...fourFiles.map((file, i) => `${file},${labels[i]}`)].join('\n'))
  test('spaces around them do not count; case, and numbers with zeros, do', async () => {
    expect((await labeled(['a ', '" a"', 'b\u00a0', 'b'])).classes).toEqual({
      a: ['1.jpg', '2.jpg'],
      b: ['3.jpg', '4.jpg'],
    })
    expect((await labeled(['01', '01', '1', '1'])).classes).toEqual({
      '01': ['1.jpg', '2.jpg'],
      1: ['3.jpg', '4.jpg'],
    })
    expect((await labeled(['Cat', 'Cat', 'cat', 'cat'])).data.classes).toEqual(['Cat', 'cat'])
  })

  test('both Unicode forms are one class', async () => {
    const { classes, remarks } = await labeled(['\u00e4', 'a\u0308', 'b', 'b'])
    expect(classes).toEqual({ '\u00e4': ['1.jpg', '2.jpg'], b: ['3.jpg', '4.jpg'] })
    expect(remarks).toEqual([
      '…/labels.csv: the label "\u00e4" is written in two Unicode forms (lines 2 and 3): they are one class',
    ])
  })

  test('a row that repeats another counts once', async () => {
    const { classes, remarks } = await opened(
      'file,label\n1.jpg,a\n2.jpg,a\n./2.jpg,a\n3.jpg,b\n4.jpg,b\n4,b\n',
    )
    expect(classes).toEqual({ a: ['1.jpg', '2.jpg'], b: ['3.jpg', '4.jpg'] })
    expect(remarks).toEqual([
      '…/labels.csv: 2 rows repeat another one and count once, such as line 4 repeats line 3',
    ])
  })

  test('may have the names of what every object has', async () => {
    const { data } = await labeled(['constructor', 'constructor', '__proto__', '__proto__'])
    expect(data.classes).toEqual(['__proto__', 'constructor'])
  })
})

test('a folder of images with a table beside it, as Kaggle gives them', async () => {
  const folder = inTemp('kaggle')
  await touch(folder, ['train/1.jpg', 'train/2.jpg', 'train/3.jpg', 'train/4.jpg', 'test/5.jpg'])
  await writeFile(join(folder, 'labels.csv'), 'id,breed\n1,a\n2,a\n3,b\n4,b\n')
  await writeFile(join(folder, 'notes.csv'), 'name,class\nAda,7\n')
  expect(byClass(await openData(folder))).toEqual({
    a: ['train/1.jpg', 'train/2.jpg'],
    b: ['train/3.jpg', 'train/4.jpg'],
  })
})
