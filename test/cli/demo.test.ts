import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { exists, Workplace } from './run.ts'
import { graftHere } from './runHere.ts'

// A CPU adapter on a busy machine takes its time.
vi.setConfig({ testTimeout: 300_000 })

let place: Workplace
beforeAll(async () => {
  place = await Workplace.make()
})
afterAll(() => place.remove())

test('demo trains three networks, reads what came out and keeps the graft where asked', async () => {
  const run = place.path('emoji')
  const outcome = await graftHere(['demo', '--each', '3', '--seconds', '5', '--out', run])
  expect([outcome.code, outcome.complaints]).toEqual([0, []])
  const said = outcome.stdout
  expect(said).toMatch(/15 classes, 45 images to train on, 15 to validate/)
  expect(said).toMatch(
    /scenario +small-different, from pretrained weights[\s\S]*cut +after features\.7/,
  )
  expect(said).toMatch(/scenario +large-different, from random weights[\s\S]*frozen +nothing/)
  for (const name of ['the graft', 'scratch', 'random trunk, frozen'])
    expect(said).toMatch(
      new RegExp(`\n +${name} +\\d+\\.\\d % +\\d+\\.\\d % +\\d+ +\\d+ +\\d+\\.\\d\n`),
    )
  expect(said).toMatch(/g the graft {3}s scratch {3}r random trunk, frozen\n/)
  expect(said).toMatch(/result +In [^\n]*the graft reaches/)
  expect(said.match(/is \w+ +taken for \w+ +\d+\.\d % +(right|wrong)/g)?.length).toBe(8)
  expect(said).toMatch(/npx graft-webgpu train YOUR_FOLDER/)
  const predicted = await graftHere([
    'predict',
    run,
    `${place.photos}/val/circle/0.png`,
    '--top',
    '15',
    '--json',
  ])
  const { predictions } = predicted.events().at(-1) as { predictions: { top: unknown[] }[] }
  expect(predictions[0]?.top.length).toBe(15)
})

test('demo writes nothing by itself, and tells a program everything', async () => {
  const { code, events } = await graftHere(['demo', '--each', '1', '--seconds', '1', '--json'], {
    cwd: place.folder,
  })
  expect(code).toBe(0)
  const all = events()
  expect(new Set(all.filter(({ type }) => type === 'epoch').map(({ of }) => of))).toEqual(
    new Set(['graft', 'scratch', 'random']),
  )
  expect(all.at(-1)).toMatchObject({
    type: 'result',
    graft: { plan: { scenario: 'small-different' } },
    scratch: { plan: { frozen: [] } },
    random: { plan: { startsFrom: 'random', scenario: 'small-different' } },
  })
  expect(await exists(place.path('runs'))).toBe(false)
})
