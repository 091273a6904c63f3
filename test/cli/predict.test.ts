import { cp, mkdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parse } from 'csv-parse/sync'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { openLabelFile } from '../../src/data/labelFile.ts'
import { readRunConfig, writeRunTrust } from '../../src/train/runFolder.ts'
import { narrowWeights } from '../support/narrowWeights.ts'
import { exists, graft, Workplace } from './run.ts'
import { graftHere, trainOnceHere } from './runHere.ts'

// A CPU adapter on a busy machine takes its time.
vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 })

let place: Workplace
let run: string
/** Seven images and other files, in folders; one image is broken. */
let mixed: string
const inside = [
  ...['a/1.png', 'a/10.png', 'a/2.png', 'b/[x].png', 'b/c/deep.PNG', 'plain.png'],
  'z, "q"\n.png',
]
beforeAll(async () => {
  place = await Workplace.make()
  run = place.path('run')
  mixed = place.path('mixed')
  const image = join(place.photos, 'val', 'circle', '0.png')
  for (const name of inside) {
    await mkdir(join(mixed, name, '..'), { recursive: true })
    await cp(image, join(mixed, name))
  }
  for (const name of ['notes.txt', '.hidden.png', 'a/broken.png'])
    await writeFile(join(mixed, name), 'text')
  await mkdir(place.path('empty'))
  await symlink('.', join(mixed, 'b', 'around'))
  const trained = await trainOnceHere(
    place.photos,
    run,
    '--weights',
    await narrowWeights(place.path('narrow.safetensors')),
  )
  expect(trained.code).toBe(0)
})
afterAll(() => place.remove())

const predict = (...args: readonly string[]) =>
  graftHere(['predict', run, ...args], { cwd: place.folder })
/** The names of the images that were classified, below the folder. */
const named = (names: readonly unknown[]) =>
  names.map((name) => String(name).replace(/^mixed\//, ''))
const jsonNames = (events: readonly Record<string, unknown>[]) =>
  named(events.filter(({ type }) => type === 'prediction').map(({ name }) => name))

describe('what is classified', () => {
  test('a folder: the images below it in the order of their names; a broken one is named', async () => {
    const { code, events, complaints } = await predict('mixed', '--json')
    expect(code).toBe(1)
    expect(jsonNames(events())).toEqual(inside)
    expect(complaints).toEqual([expect.stringMatching(/^graft: mixed\/a\/broken\.png: not a JPEG/)])
    expect(events().at(-1)).toMatchObject({ type: 'result', images: 7, failed: 1 })
    expect(events().filter(({ type }) => type === 'skipped')).toHaveLength(1)
  })

  test('patterns, as a shell would take them; a file of that name comes first', async () => {
    const of = async (...names: readonly string[]) =>
      jsonNames((await predict(...names, '--json')).events())
    expect(await of('mixed/a/?.png')).toEqual(['a/1.png', 'a/2.png'])
    expect(await of('mixed/{plain,a/1}.png', 'mixed/a/[1]*.png')).toEqual([
      ...['a/1.png', 'plain.png', 'a/1.png', 'a/10.png'],
    ])
    expect(await of('mixed/b/[x].png')).toEqual(['b/[x].png'])
    expect(await of('mixed/**/*.PNG')).toEqual(['b/c/deep.PNG'])
    expect(await of('mixed/b*')).toEqual(['b/[x].png', 'b/c/deep.PNG'])
  })

  test('nothing fits: one line, before anything is computed', async () => {
    for (const [name, message] of [
      ['mixed/*.jpg', 'graft: no file fits mixed/*.jpg: give files, folders, or another pattern'],
      [
        'nowhere/*.jpg',
        'graft: no file fits nowhere/*.jpg: give files, folders, or another pattern',
      ],
      ['empty', 'graft: empty holds no image: it needs files in .jpg, .jpeg, .png or .webp'],
    ] as const) {
      const { code, stdout, complaints } = await predict(name)
      expect([code, stdout, complaints]).toEqual([1, '', [message]])
    }
  })
})

describe('what is written', () => {
  test('CSV on standard output, which is also a table of labels', async () => {
    const { code, stdout } = await predict('mixed/a/1.png', 'mixed', '--csv', '--top', '2')
    expect(code).toBe(1)
    const [header, ...rows] = parse(stdout) as string[][]
    expect(header).toEqual(['file', 'label', 'probability', 'next_1', 'probability_1'])
    expect(named(rows.map(([name]) => name))).toEqual(['a/1.png', ...inside])
    for (const [, label, probability, next] of rows) {
      expect(['circle', 'square', 'stripes']).toEqual(expect.arrayContaining([label, next]))
      expect(Number(probability)).toBeGreaterThan(1 / 3)
    }
  })

  test('files of both kinds, complete or not at all', async () => {
    // In a process of its own, which says how it was started.
    const table = await graft(['predict', run, 'mixed', '--out', 'all.csv'], { cwd: place.folder })
    expect([table.code, table.stdout]).toEqual([
      1,
      expect.stringMatching(
        /^written {6}all\.csv: 7 images\nnext {9}node .* inspect \S+ --image mixed\/a\/1\.png\n$/,
      ),
    ])
    const text = await readFile(place.path('all.csv'), 'utf8')
    expect(named((parse(text) as string[][]).slice(1).map(([name]) => name))).toEqual(inside)
    const labels = await openLabelFile(place.path('all.csv')).catch(String)
    expect(String(labels)).toMatch(/only one class|object Object/)

    const lines = await predict('mixed', '--out', 'all.jsonl', '--json')
    const events = (await readFile(place.path('all.jsonl'), 'utf8'))
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>)
    expect(jsonNames(events)).toEqual(inside)
    expect(lines.events()).toEqual([
      { type: 'result', run, out: 'all.jsonl', images: 7, failed: 1 },
    ])
    expect((await predict('mixed', '--out', 'no/such/folder.csv')).complaints.at(-1)).toMatch(
      /cannot write no\/such\/folder\.csv: there is no folder no\/such/,
    )
  })

  test('where no class is like it: "none of these", with the nearest; it can be turned off', async () => {
    const judged = place.path('judged')
    await cp(run, judged, { recursive: true })
    const { channels, hidden } = (await readRunConfig(run)).architecture
    const looks = channels.reduce((sum, count) => sum + count)
    // Classes without an image: nothing is like them.
    const spread = { means: [null, null, null], directions: [], variances: [], rest: 1 }
    const scale = { mean: 0, deviation: 1 }
    await writeRunTrust(judged, {
      temperature: 1,
      spreads: { look: { ...spread, width: looks }, features: { ...spread, width: hidden } },
      scales: { look: scale, features: scale },
      distances: Array.from({ length: 19 }, () => 0),
    })
    const said = (...args: readonly string[]) =>
      graftHere(['predict', judged, 'mixed/plain.png', ...args], { cwd: place.folder })
    expect((await said('--top', '2')).stdout).toMatch(
      /^mixed\/plain\.png {2}none of these \(the nearest: \w+ [\d.]+ %, \w+ [\d.]+ %\)\n$/,
    )
    const [prediction] = (await said('--json')).events().filter(({ type }) => type === 'prediction')
    expect(prediction).toMatchObject({ verdict: { known: false, typical: 0.05 } })
    const [header, row] = parse((await said('--csv', '--top', '1')).stdout) as string[][]
    expect([header?.at(-1), row?.at(-1)]).toEqual(['known', 'no'])
    expect((await said('--refuse', '0')).stdout).not.toMatch(/none of these/)
  })

  test.each([
    [['--csv', '--json'], /--csv and --json both say what is printed/],
    [['--csv', '--out', 'x.csv'], /--out writes a file and --csv prints/],
    [['--refuse', '0.1'], /run cannot say "none of these": it has no trust\.json/],
    [['--out', 'x.txt'], /x\.txt has to end in \.csv or \.jsonl/],
  ])('%s is refused', async (args, message) => {
    const { code, complaints } = await predict('mixed', ...args)
    expect(code).toBe(2)
    expect(complaints[0]).toMatch(message)
    expect(await exists(place.path('x.txt'))).toBe(false)
  })
})
