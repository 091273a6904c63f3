import { cp, mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { narrowWeights } from '../support/narrowWeights.ts'
import { Workplace } from './run.ts'
import { graftHere, trainOnceHere } from './runHere.ts'

vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 })

let place: Workplace
let run: string
beforeAll(async () => {
  place = await Workplace.make()
  run = place.path('run')
  const trained = await trainOnceHere(
    place.photos,
    run,
    '--weights',
    await narrowWeights(place.path('narrow.safetensors')),
  )
  expect(trained.code).toBe(0)
})
afterAll(() => place.remove())

/** A folder with the first images of the classes that validate. */
async function testSet(name: string, counts: Readonly<Record<string, number>>): Promise<string> {
  for (const [label, count] of Object.entries(counts)) {
    await mkdir(place.path(name, label), { recursive: true })
    for (let i = 0; i < count; i++)
      await cp(
        join(place.photos, 'val', label.normalize('NFC'), `${i}.png`),
        place.path(name, label, `${i}.png`),
      )
  }
  return place.path(name)
}

interface Result {
  readonly count: number
  readonly split: string
  readonly absent: readonly string[]
  readonly confusion: readonly (readonly number[])[]
  readonly perClass: readonly { readonly name: string; readonly count: number }[]
}
async function evaluated(...args: readonly string[]): Promise<Result> {
  const { code, complaints, events } = await graftHere(['evaluate', run, ...args, '--json'])
  expect([code, complaints]).toEqual([0, []])
  return events().at(-1) as unknown as Result
}
const counts = ({ perClass }: Result) => perClass.map(({ name, count }) => `${name} ${count}`)

describe('a test set needs no division', () => {
  test('one image of each class, with and without --part all', async () => {
    const dir = await testSet('one-each', { circle: 1, square: 1, stripes: 1 })
    for (const args of [[], ['--part', 'all']]) {
      const result = await evaluated(dir, ...args)
      expect(counts(result)).toEqual(['circle 1', 'square 1', 'stripes 1'])
      expect([result.split, result.count, result.absent]).toEqual(['all', 3, []])
    }
    const shown = await graftHere(['evaluate', run, dir])
    expect(shown.stdout).toMatch(/data +.*one-each, all of it: 3 images/)
  })

  test('absent classes are named: no folder, an empty one, and one without images', async () => {
    const dir = await testSet('lacking', { square: 2, stripes: 0 })
    await writeFile(join(dir, 'stripes', 'notes.txt'), '')
    const result = await evaluated(dir)
    expect(counts(result)).toEqual(['circle 0', 'square 2', 'stripes 0'])
    expect(result.absent).toEqual(['circle', 'stripes'])
    expect(result.confusion.map((row) => row.reduce((a, b) => a + b))).toEqual([0, 2, 0])
    const shown = await graftHere(['evaluate', run, dir, '--part', 'all'])
    expect(shown.code).toBe(0)
    expect(shown.stdout).toMatch(/absent +no image is of circle, stripes/)
    // Only the last class is there: its label is not the first one of the network.
    expect(counts(await evaluated(await testSet('last', { stripes: 1 })))).toEqual([
      ...['circle 0', 'square 0', 'stripes 1'],
    ])
  })

  test('train/ and val/ that lack different classes', async () => {
    const dir = place.path('divided')
    await cp(place.photos, dir, { recursive: true })
    await rm(join(dir, 'val', 'circle'), { recursive: true })
    await rm(join(dir, 'train', 'square'), { recursive: true })
    const val = await evaluated(dir)
    expect([val.split, counts(val)]).toEqual(['val', ['circle 0', 'square 2', 'stripes 2']])
    expect(counts(await evaluated(dir, '--part', 'train'))).toEqual([
      ...['circle 4', 'square 0', 'stripes 4'],
    ])
    expect((await evaluated(dir, '--part', 'all')).count).toBe(12)
  })

  test('a table of labels, with the part test', async () => {
    const dir = await testSet('table', { circle: 1, square: 1 })
    await writeFile(
      join(dir, 'labels.csv'),
      'file,label,split\ncircle/0,circle,test\nsquare/0,square,test\n',
    )
    const { code, complaints, events } = await graftHere([
      'evaluate',
      run,
      join(dir, 'labels.csv'),
      '--json',
    ])
    expect([code, complaints]).toEqual([0, []])
    expect(counts(events().at(-1) as unknown as Result)).toEqual([
      'circle 1',
      'square 1',
      'stripes 0',
    ])
  })

  test('classes that the run does not know are named', async () => {
    const dir = await testSet('unknown', { circle: 1 })
    for (const name of ['ring', 'constructor'])
      await cp(join(dir, 'circle'), join(dir, name), { recursive: true })
    const { code, complaints } = await graftHere(['evaluate', run, dir])
    expect(code).toBe(1)
    expect(complaints).toEqual([
      `graft: ${dir} has other classes than ${run}: it lacks square, stripes; the run does not know constructor, ring`,
    ])
  })

  test('a part that is not there, and a folder without any image', async () => {
    const dir = await testSet('no-train', { circle: 1, square: 1 })
    const { code, complaints } = await graftHere(['evaluate', run, dir, '--part', 'train'])
    expect([code, complaints.length]).toEqual([1, 1])
    const empty = await graftHere(['evaluate', run, await testSet('nothing', { circle: 0 })])
    expect([empty.code, empty.complaints]).toEqual([
      1,
      [`graft: ${place.path('nothing')} holds no image (JPEG, PNG or WebP)`],
    ])
  })
})

test('the images of the training are divided as for it, also in another place', async () => {
  const own = place.path('own')
  for (const [part, year] of [
    ['train', '2024'],
    ['val', '2025'],
  ] as const)
    for (const name of ['circle', 'square', 'stripes'])
      await cp(join(place.photos, part, name), join(own, name, year), { recursive: true })
  const ownRun = place.path('own-run')
  expect(
    (
      await graftHere([
        'train',
        own,
        '--scenario',
        'small-similar',
        '--epochs',
        '1',
        '--out',
        ownRun,
      ])
    ).code,
  ).toBe(0)
  const moved = place.path('moved')
  await cp(own, moved, { recursive: true })
  for (const dir of [own, moved]) {
    const { events } = await graftHere(['evaluate', ownRun, dir, '--json'])
    expect(events().at(-1)).toMatchObject({ split: 'val', count: 6 })
  }
  await rm(join(moved, 'circle', '2025', '0.png'))
  const { events } = await graftHere(['evaluate', ownRun, moved, '--json'])
  expect(events().at(-1)).toMatchObject({ split: 'all', count: 17 })
})
