import { spawnSync } from 'node:child_process'
import { cp, mkdir, readdir, readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { crc32, deflateSync, gzipSync } from 'node:zlib'
import sharp from 'sharp'
import { create } from 'tar'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { narrowWeights } from '../support/narrowWeights.ts'
import { graft, Workplace } from './run.ts'
import { graftHere, trainOnceHere } from './runHere.ts'

vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 })

let place: Workplace
/** A finished run on the images. */
let run: string
/** Options for a network that is trained quickly. */
let narrow: string[]
beforeAll(async () => {
  place = await Workplace.make()
  run = place.path('run')
  narrow = ['--weights', await narrowWeights(place.path('narrow.safetensors'))]
  expect((await trainOnceHere(place.photos, run)).code).toBe(0)
})
afterAll(() => place.remove())

const square = (side: number, background: string) =>
  sharp({ create: { width: side, height: side, channels: 3, background } })

/** A PNG whose header says that it is so many pixels wide and high, and little more. */
function claimedPng(side: number): Buffer {
  const chunk = (type: string, data: Buffer) => {
    const body = Buffer.concat([Buffer.from(type, 'latin1'), data])
    const [length, check] = [Buffer.alloc(4), Buffer.alloc(4)]
    length.writeUInt32BE(data.length)
    check.writeUInt32BE(crc32(body))
    return Buffer.concat([length, body, check])
  }
  const header = Buffer.alloc(13)
  header.writeUInt32BE(side, 0)
  header.writeUInt32BE(side, 4)
  header.set([8, 2, 0, 0, 0], 8)
  const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a])
  return Buffer.concat([
    signature,
    chunk('IHDR', header),
    chunk('IDAT', deflateSync(Buffer.alloc(1000))),
    chunk('IEND', Buffer.alloc(0)),
  ])
}

interface OddImage {
  readonly file: string
  readonly bytes: () => Promise<Uint8Array> | Uint8Array
  /** What is said about it; null where it is an image like any other. */
  readonly says: string | null
}

const png = () => square(8, '#a06020').png().toBuffer()
const images: Readonly<Record<string, OddImage>> = {
  '1 x 1': { file: 'dot.png', bytes: () => square(1, '#123456').png().toBuffer(), says: null },
  '1 x 3,000': {
    file: 'line.png',
    bytes: () => square(1, '#123456').resize(1, 3000, { fit: 'fill' }).png().toBuffer(),
    says: null,
  },
  '20,000 x 20,000': {
    file: 'huge.png',
    bytes: () => claimedPng(20_000),
    says: 'the PNG image has more than 178 megapixels, the limit: make it smaller',
  },
  '16 bits': {
    file: 'deep.png',
    bytes: () => square(9, '#123456').toColorspace('rgb16').png({ compressionLevel: 1 }).toBuffer(),
    says: null,
  },
  'an animation': {
    file: 'moving.webp',
    bytes: async () => {
      const frames = Buffer.concat([Buffer.alloc(3 * 64, 40), Buffer.alloc(3 * 64, 200)])
      return sharp(frames, { raw: { width: 8, height: 16, channels: 3, pageHeight: 8 } })
        .webp({ loop: 0 })
        .toBuffer()
    },
    says: null,
  },
  'a GIF by another name': {
    file: 'gif.png',
    bytes: () => square(8, '#123456').gif().toBuffer(),
    says: 'not a JPEG, PNG or WebP image (it is a GIF): convert it to JPEG, PNG or WebP',
  },
  'zero bytes': { file: 'nothing.jpg', bytes: () => Buffer.alloc(0), says: 'the file is empty' },
  'a name with spaces': { file: 'two  words .png', bytes: png, says: null },
  'an emoji for a name': { file: '🐈‍⬛.png', bytes: png, says: null },
  'a line break in its name': { file: 'two\nlines.png', bytes: png, says: null },
  'the same, and broken': {
    file: 'no\nimage \u001b[31m.png',
    bytes: () => Buffer.from('text'),
    says: 'not a JPEG, PNG or WebP image (it holds text)',
  },
}

test('odd images are trained on, or named in one line', async () => {
  const data = await place.spoiled('odd', async (root) => {
    for (const { file, bytes } of Object.values(images))
      await writeFile(join(root, 'train', 'circle', file), await bytes())
    for (const file of ['a.heic', 'b.heic', 'c.gif', 'notes.txt'])
      await writeFile(join(root, 'train', 'circle', file), 'text')
    // A class by such a name, too.
    for (const part of ['train', 'val'])
      await rename(join(root, part, 'square'), join(root, part, 'sq\nuare ✨'))
  })
  const outcome = await graftHere([
    'train',
    data,
    '--scenario',
    'small-similar',
    '--epochs',
    '1',
    '--out',
    place.path('odd-run'),
    ...narrow,
  ])
  const shown = (file: string) => file.replace('\n', '\\n').replace('\u001b', '\\u001b')
  const expected = Object.values(images).flatMap(({ file, says }) =>
    says === null ? [] : [`graft: skipped train/circle/${shown(file)}: ${says}`],
  )
  const others =
    'graft: passed over 2 .heic and 1 .gif: images are read from .jpg, .jpeg, .png and .webp; convert or rename the others'
  expect([outcome.code, [...outcome.complaints].sort()]).toEqual([0, [others, ...expected].sort()])
  expect(outcome.stdout).toMatch(/skipped +4 broken images left out of training/)
  expect(outcome.stdout).toContain('sq\\nuare ✨ 4 + 2')
  const predicted = await graftHere([
    'predict',
    place.path('odd-run'),
    join(data, 'train', 'circle', 'two\nlines.png'),
    '--top',
    '1',
  ])
  expect([predicted.code, predicted.stdout.trimEnd().split('\n')]).toEqual([
    0,
    [expect.stringContaining('two\\nlines.png ')],
  ])
})

test('files that a list of labels names and that are not there', async () => {
  const data = await place.spoiled('listed', async (root) => {
    const names = ['circle', 'square'].flatMap((name) =>
      [0, 1, 2, 3].map((i) => `train/${name}/${i}.png,${name}`),
    )
    await writeFile(
      join(root, 'labels.csv'),
      ['file,label', ...names, 'gone.png,circle', 'train/circle/also gone.png,circle'].join('\n'),
    )
  })
  const outcome = await graftHere([
    'train',
    data,
    '--epochs',
    '1',
    '--out',
    place.path('listed-run'),
    '--json',
    ...narrow,
  ])
  expect(outcome.code).toBe(0)
  const skipped = outcome
    .events()
    .flatMap((event) => (event.type === 'skipped' ? [event.reason] : []))
  expect(skipped.sort()).toEqual([
    'gone.png: there is no such file',
    'train/circle/also gone.png: there is no such file',
  ])
})

interface BadInput {
  readonly args: () => Promise<string[]>
  readonly says: RegExp
  readonly code?: number
}

const labels = async (name: string, lines: readonly string[]) => {
  await writeFile(place.path(name), `file,label,split\n${lines.join('\n')}\n`)
  return ['train', place.path(name)]
}

/** A copy of the run with something about it changed. */
async function changedRun(
  name: string,
  change: (folder: string) => Promise<unknown>,
): Promise<string> {
  const folder = place.path(name)
  await cp(run, folder, { recursive: true })
  await change(folder)
  return folder
}

const cases: Readonly<Record<string, BadInput>> = {
  'labels of files that are elsewhere': {
    args: () => labels('elsewhere.csv', ['x/1.png,cat,train', 'x/2.png,dog,val']),
    says: /elsewhere\.csv: none of the files that it names exists, such as x\/1\.png: paths are relative to /,
  },
  'a class in val that train lacks': {
    args: () =>
      labels('lacking.csv', [
        'photos/train/circle/0.png,cat,train',
        'photos/train/circle/1.png,cat,val',
        'photos/val/circle/0.png,dog,val',
      ]),
    says: /lacking\.csv: the class "dog" is in val but not in train: add images to train on, or remove from val/,
  },
  'a row without a label': {
    args: () => labels('short.csv', ['photos/train/circle/0.png']),
    says: /short\.csv, line 2: photos\/train\/circle\/0\.png has no label/,
  },
  'a compressed archive': {
    args: async () => {
      await mkdir(place.path('shards'))
      await create({ file: place.path('shards', 'raw.tar'), cwd: place.photos }, ['train', 'val'])
      await writeFile(
        place.path('shards', 'x.tar'),
        gzipSync(await readFile(place.path('shards', 'raw.tar'))),
      )
      return ['train', place.path('shards', 'x.tar')]
    },
    says: /x\.tar: it is compressed, and single images cannot be read from it: gunzip it first/,
  },
  'an image for a dataset': {
    args: async () => ['train', join(place.photos, 'val', 'circle', '0.png')],
    says: /0\.png is not a file of labels or an archive: give a folder of images, a \.csv that names file,label, or \.tar archives/,
  },
  'an augmentation that is not there': {
    args: async () => ['train', place.photos, '--augment', 'wild'],
    says: /--augment .* 'wild' is invalid\. there is no augmentation 'wild'; there are light, standard, strong/,
    code: 2,
  },
  'a sheet that is no PNG': {
    args: async () => ['show-batch', place.photos, '--out', place.path('sheet.gif')],
    says: /the sheet is a PNG: --out .*sheet\.gif has to end in \.png/,
    code: 2,
  },
  'a run folder with the weights of another model': {
    args: async () => [
      'evaluate',
      await changedRun('mixed', (folder) =>
        cp('weights/alexnet-64-tinyimagenet100.safetensors', join(folder, 'weights.safetensors')),
      ),
      place.photos,
    ],
    says: /mixed.weights\.safetensors: classifier\.6\.weight has the shape \[100, 512\] in the weights, \[3, 512\] in the network; it is not of the model that config\.json describes: restore one of the two, or train again/,
  },
  'going on with a run of another model': {
    args: async () => [
      'train',
      place.photos,
      '--out',
      run,
      '--resume',
      '--variant',
      'torchvision',
      '--weights',
      'none',
    ],
    says: /run was started without --weights; leave --weights out to continue it, or train into another folder with --out/,
    code: 2,
  },
  'a run of other classes': {
    args: async () => [
      'train',
      await place.spoiled('fewer', async (root) => {
        for (const part of ['train', 'val'])
          await rename(join(root, part, 'square'), join(root, part, 'box'))
      }),
      '--out',
      run,
      '--resume',
      '--epochs',
      '2',
    ],
    says: /run was trained on other classes \(circle, square, stripes\): train into another folder with --out/,
  },
}

test.each(Object.entries(cases))('%s gets one clear line', async (_, { args, says, code = 1 }) => {
  const typed = await args()
  const out = typed[0] === 'train' && !typed.includes('--out') ? ['--out', place.path('never')] : []
  const outcome = await graftHere([...typed, ...out])
  expect([outcome.code, outcome.complaints]).toEqual([code, [expect.stringMatching(says)]])
  expect(outcome.complaints[0]).toMatch(/^graft: /)
})

/**
 * Whether a disk of one's own can be mounted here, as it can on Linux where user namespaces are
 * allowed.
 */
const canMount = spawnSync('unshare', ['-rm', 'mount', '-t', 'tmpfs', 'none', '/mnt']).status === 0

describe.skipIf(!canMount)('a disk that takes nothing', () => {
  /** A train command on a small disk in the place of a folder. */
  async function trainOn(name: string, options: string) {
    const folder = place.path(name)
    await mkdir(folder)
    const mount = [
      'unshare',
      '-rm',
      'sh',
      '-c',
      `mount -t tmpfs -o ${options} none "$0" && exec "$@"`,
      folder,
    ]
    return {
      folder,
      outcome: await graft(
        [
          'train',
          place.photos,
          '--scenario',
          'small-similar',
          '--epochs',
          '1',
          '--out',
          join(folder, 'run'),
        ],
        {
          within: mount,
        },
      ),
    }
  }

  test('a run folder that is read-only is told before anything is computed', async () => {
    const { folder, outcome } = await trainOn('read-only', 'ro')
    const said =
      `graft: cannot write the run to ${folder}/run: ${folder} is not writable; ` +
      'choose another folder with --out'
    expect([outcome.code, outcome.complaints]).toEqual([1, [said]])
  })

  test('a full disk is told in one line', async () => {
    // Room for the checkpoint of the new layer, none for all the weights.
    const { folder, outcome } = await trainOn('full', 'size=600k')
    const said = `graft: cannot write ${folder}/run/weights.safetensors: the disk is full; free some space`
    expect([outcome.code, outcome.complaints]).toEqual([1, [said]])
    expect(await readdir(folder)).toEqual([])
  })
})
