import { cp, mkdir, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { writeSafetensors } from '../../src/weights/safetensors.ts'
import { exists, truncatedJpeg, Workplace } from './run.ts'
import { graftHere } from './runHere.ts'

let place: Workplace
beforeAll(async () => {
  place = await Workplace.make()
})
afterAll(() => place.remove())

const inBoth = (root: string, names: readonly string[], act: (path: string) => Promise<unknown>) =>
  Promise.all(['train', 'val'].flatMap((part) => names.map((name) => act(join(root, part, name)))))

async function shortWeights(): Promise<string> {
  const path = place.path('short.safetensors')
  await cp('weights/alexnet-64-tinyimagenet100.safetensors', path)
  await truncate(path, 100_000)
  return path
}

async function overlappingWeights(): Promise<string> {
  const path = place.path('overlap.safetensors')
  const array = { shape: [4], data: new Float32Array(4) }
  const bytes = Buffer.from(writeSafetensors({ a: array, b: array }))
  bytes.write(bytes.toString('latin1').replace('[16,32]', '[12,28]'), 0, 'latin1')
  await writeFile(path, bytes)
  return path
}

interface BadInput {
  /** What is typed after `graft train`. */
  readonly args: () => Promise<string[]> | string[]
  readonly says: RegExp
  readonly code?: number
}

const cases: Readonly<Record<string, BadInput>> = {
  'an empty --out': {
    args: () => [place.photos, '--out', ''],
    says: /option '--out <run>' argument '' is invalid/,
    code: 2,
  },
  'everything frozen': {
    args: () => [place.photos, '--freeze', '*'],
    says: /no parameter is trainable: .*--train 'classifier\.\*'/,
    code: 2,
  },
  'no such folder': { args: () => [place.path('nowhere')], says: /no such folder: .*nowhere/ },
  'an empty class': {
    args: async () => [
      await place.spoiled('empty-class', (path) => mkdir(join(path, 'train', 'triangle'))),
    ],
    says: /triangle/,
  },
  'one class': {
    args: async () => [
      await place.spoiled('one-class', (path) =>
        inBoth(path, ['square', 'stripes'], (folder) => rm(folder, { recursive: true })),
      ),
    ],
    says: /only one class, "circle"/,
  },
  'a class that only val has': {
    args: async () => [
      await place.spoiled('val-only', (path) =>
        cp(join(path, 'val', 'circle'), join(path, 'val', 'ring'), { recursive: true }),
      ),
    ],
    says: /"ring" is in val\/ but not in train\//,
  },
  'a class of broken images alone': {
    args: async () => [
      await place.spoiled('broken-class', async (path) => {
        for (const name of await readdir(join(path, 'train', 'circle')))
          await writeFile(join(path, 'train', 'circle', name), 'text')
      }),
    ],
    says: /none of the training images of the class "circle" can be decoded/,
  },
  'a truncated JPEG under --strict': {
    args: async () => [await place.spoiled('truncated', truncatedJpeg), '--strict'],
    says: /cut\.jpg: the JPEG file is cut short or damaged/,
  },
  'a weights file cut short': {
    args: async () => [place.photos, '--weights', await shortWeights()],
    says: /short\.safetensors/,
  },
  'a weights file with overlapping offsets': {
    args: async () => [place.photos, '--weights', await overlappingWeights()],
    says: /overlap\.safetensors/,
  },
  'a loss that is not finite': {
    args: () => [
      place.photos,
      '--scenario',
      'large-similar',
      '--optimizer',
      'sgd',
      '--lr',
      '1e30',
      '--batch-size',
      '4',
    ],
    says: /stopped in epoch 1, step \d+: .* is the first tensor that is not finite/,
  },
  'a layer that does not exist': {
    args: () => [place.photos, '--scenario', 'small-different', '--cut', 'features.99'],
    says: /there is no layer features\.99/,
    code: 2,
  },
  'an AlexNet without weights': {
    args: () => [place.photos, '--variant', 'bvlc'],
    says: /knows no weights for bvlc/,
    code: 2,
  },
  'weights that are elsewhere, offline': {
    args: () => [place.photos, '--variant', 'torchvision', '--offline'],
    says: /torchvision\/alexnet: the file is not on this machine, and nothing is fetched while offline/,
  },
  'a run folder that is a file': {
    args: () => [place.photos, '--out', join(place.photos, 'val', 'circle', '0.png')],
    says: /0\.png is not a folder/,
    code: 2,
  },
  'no number of epochs': {
    args: () => [place.photos, '--epochs', 'many'],
    says: /--epochs .* 'many' is invalid/,
    code: 2,
  },
  'a negative learning rate': {
    args: () => [place.photos, '--lr', '-1'],
    says: /--lr .* '-1' is invalid/,
    code: 2,
  },
  'empty batches': {
    args: () => [place.photos, '--batch-size', '0'],
    says: /--batch-size .* '0' is invalid/,
    code: 2,
  },
  'auto with a cut by hand': {
    args: () => [place.photos, '--scenario', 'auto', '--cut', 'features.7'],
    says: /--scenario auto, the default, picks the cut and what is replaced/,
    code: 2,
  },
  'auto with pretrained by hand': {
    args: () => [place.photos, '--scenario', 'auto', '--init', 'pretrained'],
    says: /--init pretrained is for --scenario large-different/,
    code: 2,
  },
}

test.each(Object.entries(cases))(
  '%s gets one clear line and leaves nothing behind',
  async (name, { args, says, code = 1 }) => {
    const run = place.path(`out-${name.replaceAll(' ', '-')}`)
    const typed = await args()
    const before = await readdir(place.folder, { recursive: true })
    const outcome = await graftHere(['train', '--out', run, '--json', ...typed])
    expect(outcome.code).toBe(code)
    expect(outcome.complaints).toEqual([expect.stringMatching(/^graft: /)])
    expect(outcome.complaints[0]).toMatch(says)
    expect(outcome.events().at(-1)).toEqual({
      type: 'error',
      code: expect.any(String),
      message: outcome.complaints[0]?.replace('graft: ', ''),
    })
    expect(await readdir(place.folder, { recursive: true })).toEqual(before)
  },
)

test('broken images are left out, named and counted', async () => {
  const path = await place.spoiled('broken', async (root) => {
    await truncatedJpeg(root)
    await writeFile(join(root, 'train', 'square', 'text.png'), 'this is text')
  })
  const outcome = await graftHere([
    'train',
    path,
    '--epochs',
    '1',
    '--out',
    place.path('broken-run'),
  ])
  expect(outcome.code).toBe(0)
  expect([...outcome.complaints].sort()).toEqual([
    expect.stringMatching(/^graft: skipped train\/circle\/cut\.jpg: the JPEG file is cut short/),
    expect.stringMatching(/^graft: skipped train\/square\/text\.png: .*it holds text/),
  ])
  expect(outcome.stdout).toMatch(/skipped +2 broken images left out of training/)
})

test('a damaged run, and classes that are not the run’s', async () => {
  const run = place.path('run')
  expect((await graftHere(['train', place.photos, '--epochs', '1', '--out', run])).code).toBe(0)
  const other = await place.spoiled('other-classes', (path) =>
    Promise.all([
      inBoth(path, ['circle'], (folder) =>
        cp(folder, folder.replace('circle', 'ring'), { recursive: true }),
      ),
      inBoth(path, ['square'], (folder) => rm(folder, { recursive: true })),
    ]),
  )
  const evaluated = await graftHere(['evaluate', run, other])
  expect([evaluated.code, evaluated.complaints]).toEqual([
    1,
    [
      expect.stringMatching(
        /has other classes than .*: it lacks square; the run does not know ring/,
      ),
    ],
  ])
  const nothing = await graftHere(['predict', place.folder, 'x.png'])
  expect([nothing.code, nothing.complaints]).toEqual([
    2,
    [expect.stringMatching(/is no run folder: it has no config\.json/)],
  ])
  const weights = join(run, 'weights.safetensors')
  await truncate(weights, (await readFile(weights)).length - 4)
  const predicted = await graftHere(['predict', run, join(place.photos, 'val', 'circle', '0.png')])
  expect([predicted.code, predicted.complaints]).toEqual([
    1,
    [expect.stringMatching(/weights\.safetensors/)],
  ])
  expect(await exists(weights)).toBe(true)
})
