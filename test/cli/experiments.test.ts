/** The commands that fetch a dataset by themselves: reproduce, and demo --photos. */
import { join } from 'node:path'
import { expect, test, vi } from 'vitest'
import { budgetSeconds } from '../../src/cli/commands/reproduce.ts'
import { readRunConfig, readRunMetrics } from '../../src/train/runFolder.ts'
import { drawnShapes } from '../support/shapes.ts'
import { withDataset } from './datasetPlace.ts'
import { runHere } from './runHere.ts'

vi.setConfig({ testTimeout: 300_000 })

const { server, folder } = withDataset('shapes', 'parts', async () => {
  const { train, val } = await drawnShapes({ train: 4, val: 2 })
  const bytesOf = ({ source }: (typeof train)[number]) =>
    source instanceof Uint8Array ? source : new Uint8Array()
  return Object.fromEntries([
    ...[...train, ...val].map((sample) => [`x/${sample.name}`, bytesOf(sample)]),
    ...val.slice(1).map((sample) => [`x/${sample.name.replace(/^val/, 'test')}`, bytesOf(sample)]),
  ])
})

const own = ['shapes', '--weights', 'alexnet-64-tinyimagenet100']
const run = join('runs', 'shapes-reproduce', 'frozen')
const testLeft = 'graft: test/ is left for evaluation: it is neither trained nor validated on\n'

test('reproduce fetches its images, trains both as the notebook does, and shows both beside it', async () => {
  const { stdout, stderr, code } = await runHere('reproduce', ...own, '--budget', '1s')
  expect([code, stderr]).toEqual([0, testLeft])
  expect(server.requests).toEqual(['/shapes.zip'])
  expect(stdout).toMatch(/frozen: frozen, a new last layer, 50 epochs\n/)
  expect(stdout).toMatch(/scratch: from scratch, 200 epochs\n/)
  expect(stdout).toMatch(/\n +here +95 % +article +notebook\n/)
  expect(stdout).toMatch(/AlexNet, frozen, a new last layer +\d.* % +\d.* to \d.* % +69 % +53 %/)
  expect(stdout).toMatch(/AlexNet, from scratch +\d.* % +\d.* to \d.* % +10 % +20 %\n/)
  expect(stdout).toMatch(/VGG-19, frozen +- +- +69 %\n/)
  expect(stdout).toMatch(/Here: accuracy on 5 images to test with\.\n/)
  expect(stdout).toMatch(/shortened +frozen: \d+ of 50 epochs, in /)
  expect(stdout).toMatch(/shortened +scratch: \d+ of 200 epochs, in /)
  expect(stdout).toMatch(
    /reproduce shapes --out runs\/shapes-reproduce --weights alexnet-64-tinyimagenet100 --resume\n/,
  )
  const config = await readRunConfig(run)
  expect(config.options).toMatchObject({
    optimizer: 'sgd',
    lr: 0.005,
    momentum: 0,
    weightDecay: 0,
    batchSize: 64,
    augment: 'crop=0.08-1,flip=0.5',
    data: join(folder(), 'cache', 'datasets', 'shapes'),
  })
  expect(config.plan).toMatchObject({ scenario: 'small-similar', replace: 'last' })
  expect(config.plan.trained.length).toBe(2)
})

test('reproduce --resume goes on with whole epochs; a second start without it is refused', async () => {
  const epochs = (await readRunMetrics(run)).length
  const again = await runHere('reproduce', ...own, '--only', 'frozen')
  expect([again.code, again.stderr]).toEqual([2, expect.stringContaining('--resume')])
  const other = await runHere('reproduce', 'shapes', '--resume', '--seed', '3', ...own.slice(1))
  expect([other.code, other.stderr]).toEqual([2, expect.stringContaining('started with --seed 0')])
  const more = await runHere(
    ...['reproduce', ...own, '--only', 'frozen', '--resume', '--json'],
    ...['--epochs', String(epochs + 1)],
  )
  expect(more.code).toBe(0)
  const result = JSON.parse(more.stdout.trim().split('\n').at(-1) ?? '')
  expect(result).toMatchObject({
    type: 'result',
    experiments: [{ name: 'frozen', epochs: epochs + 1, part: 'test', of: 5, run }],
  })
  expect((await readRunMetrics(run)).length).toBe(epochs + 1)
  const measured = await runHere('evaluate', run, 'shapes', '--json')
  expect(measured.code).toBe(0)
})

test('demo --photos races on photographs: by the name of a dataset, or a folder', async () => {
  const { stdout, stderr, code } = await runHere('demo', '--photos', 'shapes', '--seconds', '0.1')
  expect([code, stderr]).toEqual([0, testLeft])
  expect(stdout).toMatch(/data +shapes: 3 classes, 12 images to train on, 6 to validate/)
  expect(stdout).toMatch(/scenario +small-similar, from pretrained weights/)
  expect(stdout).toMatch(/result +In [^\n]*the graft reaches/)
})

test('a budget is a time with its unit', () => {
  expect(['90s', '30m', '1.5h', '2min'].map(budgetSeconds)).toEqual([90, 1800, 5400, 120])
  for (const wrong of ['', '5', '0s', '-3m', '2 days']) expect(() => budgetSeconds(wrong)).toThrow()
})
