import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { sweepChart } from '../../src/cli/charts.ts'
import { combinations, gridAxis } from '../../src/cli/grid.ts'
import { jobId } from '../../src/jobs/identity.ts'
import { JobError } from '../../src/jobs/job.ts'
import { trainingKind } from '../../src/jobs/node/training.ts'
import { openStore } from '../../src/store/node/openStore.ts'
import { bestRow, sweepRow } from '../../src/train/sweep.ts'
import { runHere } from '../cli/runHere.ts'
import { narrowWeights } from '../support/narrowWeights.ts'
import { drawnShapes } from '../support/shapes.ts'
import { placeOfTests, stored, storedShapes } from '../support/stored.ts'

vi.setConfig({ testTimeout: 300_000 })

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'graft-sweep-'))
  await stored(await drawnShapes({ train: 4, val: 2 }), join(folder, 'shapes'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

describe('a grid', () => {
  test('has the options of train, by their flags or names', () => {
    expect(gridAxis('lr=1e-4,1e-3')).toMatchObject({ name: 'lr', values: [1e-4, 1e-3] })
    expect(gridAxis('lr-floor=0.1')).toMatchObject({ name: 'lrFloor', values: [0.1] })
    expect(gridAxis('augment=light|strong,flip=0').values).toEqual(['light', 'strong,flip=0'])
    const both = combinations([gridAxis('lr=1,2'), gridAxis('replace=last,all')])
    expect(both.map(({ settings }) => settings)).toEqual([
      { lr: 1, replace: 'last' },
      { lr: 1, replace: 'all' },
      { lr: 2, replace: 'last' },
      { lr: 2, replace: 'all' },
    ])
  })

  test.each([
    ['lr', /takes name=a,b/],
    ['rate=1', /rate is none of those that a run's config keeps/],
    ['resume=true', /resume is none/],
    ['seed=1,2', /--seeds N/],
    ['lr=fast', /--grid lr=fast: .*number/],
    ['lr=find', /no value to compare/],
    ['scenario=small', /Allowed choices are/],
    ['epochs=2,2', /names a value twice/],
  ])('%s is refused', (text, message) => {
    expect(() => gridAxis(text)).toThrow(message)
  })
})

test('rows have the mean and the deviation of their seeds, and the chart a bar for each', () => {
  const rows = [sweepRow(['1'], [0.5, 0.7], 0), sweepRow(['2'], [0.9], 0), sweepRow(['3'], [], 2)]
  expect(rows.map(({ mean, deviation }) => [mean, deviation])).toEqual([
    [0.6, expect.closeTo(Math.SQRT2 / 10)],
    [0.9, null],
    [Number.NaN, null],
  ])
  const sweep = { options: ['lr'], seeds: 2, rows }
  expect(bestRow(sweep)).toBe(1)
  const [first, second, third] = sweepChart(sweep)
  expect(first).toMatch(/^ {2}1 {2}█{23}\[█{6}·{7}\]·+ {2}60\.0 %$/)
  expect([second, third]).toEqual([
    expect.stringMatching(/^ {2}2 {2}█{45}·{6} {2}90\.0 %$/),
    expect.stringMatching(/^ {2}3 {2}·{51} {2}none$/),
  ])
})

test('a sweep trains as train does, and finds what is done', async () => {
  const work = join(folder, 'work')
  const page = join(folder, 'sweep.html')
  const narrow = await narrowWeights(join(folder, 'narrow.safetensors'))
  const common = ['--scenario', 'small-similar', '--epochs', '2', '--weights', narrow]
  const args = [
    ...['sweep', join(folder, 'shapes'), ...common, '--grid', 'lr=1e-4,1e-2', '--seeds', '2'],
    ...['--store', work, '--out', page, '--json'],
  ]
  const first = await runHere(...args)
  expect([first.code, first.stderr]).toEqual([0, ''])
  const events = (text: string) =>
    text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>)
  const result = events(first.stdout).at(-1)
  expect(result).toMatchObject({
    type: 'result',
    options: ['lr'],
    seeds: 2,
    rows: [{ values: ['1e-4'] }, { values: ['1e-2'] }],
  })
  const html = await readFile(page, 'utf8')
  expect(html).toMatch(/A sweep on .*shapes/)
  expect(html).toContain('1e-2')

  const runs = result?.runs as readonly { run: string; seed: number; values: string[] }[]
  const own = runs.find(({ seed, values }) => seed === 1 && values[0] === '1e-2')
  const alone = join(folder, 'alone')
  const trained = await runHere(
    ...['train', join(folder, 'shapes'), ...common, '--lr', '1e-2', '--seed', '1', '--out', alone],
  )
  expect([trained.code, trained.stderr]).toEqual([0, ''])
  const weights = (run: string) => readFile(join(run, 'weights.safetensors'))
  expect(Buffer.compare(await weights(join(work, own?.run ?? '')), await weights(alone))).toBe(0)

  const before = (await stat(join(work, own?.run ?? '', 'weights.safetensors'))).mtimeMs
  // One training is lost: the others are found.
  const [mark = ''] = (await readdir(join(work, 'done'))).filter(
    (name) => !name.includes(own?.run.slice(5) ?? ''),
  )
  await rm(join(work, 'done', mark))
  const second = await runHere(...args)
  expect(events(second.stdout).at(-1)).toEqual(result)
  const counted = events(second.stdout).findLast(({ type }) => type === 'jobs')
  expect(counted).toMatchObject({ total: 4, done: 4, found: 3 })
  expect((await stat(join(work, own?.run ?? '', 'weights.safetensors'))).mtimeMs).toBe(before)
})

test('a training that was stopped goes on from its checkpoint, with the bytes of a whole one', async () => {
  const data = join(folder, 'broken-one')
  const { root } = await storedShapes(data)
  const settings = { scenario: 'large-similar', split: 0.25, seed: 0, epochs: 3, batchSize: 8 }
  const ignores = ['split', 'seed']
  const task = { data: root, ignores, settings, variant: 'alexnet-64', graft: '1' }
  const trained = async (work: string, stopAfter: number) => {
    const store = await openStore(join(folder, work))
    const stop = new AbortController()
    const told: number[] = []
    const progress = (images: number) => {
      told.push(images)
      if (told.length === stopAfter) stop.abort(new Error('stopped'))
    }
    const job = { kind: 'training', work: store.address, images: 30, task }
    const run = join(folder, work, 'runs', await jobId(job))
    const result = await placeOfTests()
      .do(job, { signal: stop.signal, progress })
      .then(({ result }) => result, String)
    return { told, result, run }
  }
  const cut = await trained('cut', 1)
  expect(cut.result).toBe('Error: stopped')
  expect(await readdir(join(cut.run, 'checkpoints'))).toHaveLength(1)
  const rest = await trained('cut', 0)
  const whole = await trained('whole', 0)
  // The first one it tells is what it found.
  expect([rest.told, whole.told]).toEqual([
    [10, 20, 30],
    [10, 20, 30],
  ])
  const broken = [{ name: 'train/circle/x.png', reason: expect.any(String) }]
  expect([rest.result, whole.result]).toEqual([
    expect.objectContaining({ broken }),
    expect.objectContaining({ broken }),
  ])
  const [a, b] = await Promise.all(
    [rest.run, whole.run].map((run) => readFile(join(run, 'weights.safetensors'))),
  )
  expect(a && b && Buffer.compare(a, b)).toBe(0)
  expect(await readdir(join(cut.run, 'checkpoints'), { recursive: true })).not.toContainEqual(
    expect.stringContaining('safetensors'),
  )
})

test.each([
  [{ checkpoint: '/etc/cron.d' }, /checkpoint is no option of a training/],
  [{ lr: 'fast' }, /lr is "fast"/],
  [{ weights: '/etc/passwd' }, /its settings name weights/],
  [{ lr: 'find' }, /leave the learning rate to be found/],
])('a training job with the settings %j is refused', (more, message) => {
  const settings = { scenario: 'small-similar', split: 0.25, seed: 0, epochs: 1, ...more }
  const task = { data: 'file:///x', ignores: [], settings, graft: '1' }
  expect(() => trainingKind.check(task)).toThrow(JobError)
  expect(() => trainingKind.check(task)).toThrow(message)
})
