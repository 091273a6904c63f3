import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { graft, Workplace } from './run.ts'

// Each command is a process of its own, and a CPU adapter on a busy machine takes its time.
vi.setConfig({ testTimeout: 300_000 })

let place: Workplace
beforeAll(async () => {
  place = await Workplace.make()
})
afterAll(() => place.remove())

const fixture = (name: string) =>
  fileURLToPath(new URL(`../weights/fixtures/${name}`, import.meta.url))

describe('train --weights', () => {
  test('a PyTorch checkpoint: variant and widths are the file’s, and the run needs the file no more', async () => {
    const run = place.path('from-pytorch')
    const trained = await graft([
      'train',
      place.photos,
      '--weights',
      fixture('zip-nested.pth'),
      '--epochs',
      '1',
      '--out',
      run,
      '--json',
    ])
    expect([trained.code, trained.complaints]).toEqual([0, []])
    expect(trained.events().at(-1)).toMatchObject({
      type: 'result',
      plan: { scenario: 'small-similar', replace: 'last', startsFrom: 'pretrained' },
    })
    const evaluated = await graft(['evaluate', run, place.photos, '--json'])
    expect(evaluated.events().at(-1)).toMatchObject({ type: 'result', count: 6 })
  })

  test('a TensorFlow.js model', async () => {
    const run = place.path('from-tfjs')
    const trained = await graft([
      'train',
      place.photos,
      '--weights',
      fixture('tfjs-made/model.json'),
      '--epochs',
      '1',
      '--out',
      run,
      '--json',
    ])
    expect([trained.code, trained.complaints]).toEqual([0, []])
    expect(trained.events().at(-1)).toMatchObject({ type: 'result' })
  })

  test('a file that is none is one line and no run', async () => {
    const outcome = await graft([
      'train',
      place.photos,
      '--weights',
      fixture('make_fixtures.py'),
      '--out',
      place.path('none'),
    ])
    expect(outcome.code).not.toBe(0)
    expect(outcome.complaints).toEqual([
      expect.stringMatching(
        /make_fixtures\.py: this is not a weights file that Graft knows: it reads PyTorch/,
      ),
    ])
  })
})
