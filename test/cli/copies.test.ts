import { cp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { exists, graft, trainOnce, Workplace } from './run.ts'

// Each command is a process of its own, and a CPU adapter on a busy machine takes its time.
vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 })

let place: Workplace
let doubled: string
beforeAll(async () => {
  place = await Workplace.make()
  doubled = await place.spoiled('doubled', async (path) => {
    await cp(join(path, 'train', 'circle', '0.png'), join(path, 'val', 'circle', 'copy.png'))
    await cp(join(path, 'train', 'square', '1.png'), join(path, 'train', 'stripes', 'other.png'))
  })
})
afterAll(() => place.remove())

const inBoth =
  '1 image to validate is also trained on, byte for byte, such as val/circle/copy.png and ' +
  'train/circle/0.png: the accuracy will look better than it is; keep one of each'

test('copies are named before the training; --strict refuses them', async () => {
  const run = place.path('run')
  const refused = await graft(['train', doubled, '--strict', '--out', run])
  expect([refused.code, refused.complaints]).toEqual([1, [`graft: ${doubled}: ${inBoth}`]])
  expect(refused.stdout).toMatch(/^data +\S+: 3 classes, 13 images to train on/)
  expect(await exists(join(run, 'config.json'))).toBe(false)

  const trained = await trainOnce(doubled, run)
  expect([trained.code, trained.complaints]).toEqual([
    0,
    [
      `graft: ${inBoth}`,
      'graft: 1 image is in two classes, byte for byte, such as train/stripes/other.png and ' +
        'train/square/1.png: keep the right one',
    ],
  ])
  const resumed = await graft([
    'train',
    doubled,
    '--resume',
    '--epochs',
    '2',
    '--out',
    run,
    '--json',
  ])
  const types = resumed.events().map(({ type }) => type)
  expect(types.indexOf('copies')).toBeGreaterThanOrEqual(0)
  expect(types.indexOf('copies')).toBeLessThan(types.indexOf('epoch'))
  expect(resumed.events().find(({ type }) => type === 'copies')).toMatchObject({
    validated: 1,
    labeled: 1,
    examples: { validated: [{ name: 'val/circle/copy.png', of: 'train/circle/0.png' }] },
  })

  const tests = place.path('tests')
  await cp(join(place.photos, 'val'), tests, { recursive: true })
  expect((await graft(['evaluate', run, tests])).complaints).toEqual([])
  await cp(join(doubled, 'train', 'square', '0.png'), join(tests, 'square', 'known.png'))
  const remark =
    'graft: 1 image is among those that the run was trained on, byte for byte, such as ' +
    'square/known.png and train/square/0.png: the accuracy looks better than it is'
  expect((await graft(['evaluate', run, tests])).complaints).toEqual([remark])
  await rm(doubled, { recursive: true })
  expect((await graft(['evaluate', run, tests])).complaints).toEqual([])
})
