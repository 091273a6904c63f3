import { expect, test } from 'vitest'
import type { EpochResult } from '../../src/train/events.ts'
import { type Action, type Run, reduce } from '../../src/web/run.ts'
import type { Result, WorkEvent } from '../../src/web/workerApi.ts'

const epoch = (n: number): EpochResult => ({
  epoch: n,
  trainLoss: 1,
  trainAccuracy: 0.5,
  valLoss: 1,
  valAccuracy: 0.5,
  seconds: 1,
})
const step = (n: number, s: number): WorkEvent => ({
  type: 'step',
  epoch: n,
  step: s,
  steps: 4,
  loss: 1,
  accuracy: 0.5,
  lr: 1e-3,
})
const heard = (event: WorkEvent, at = 0): Action => ({ type: 'event', event, at })
const after = (...actions: Action[]) => actions.reduce(reduce, null) as Run | null
const start: Action = { type: 'start', epochs: 5 }

const agenda: WorkEvent = {
  type: 'agenda',
  epochs: 5,
  done: 0,
  batches: 0,
  trainImages: 128,
  valImages: 32,
  batchSize: 32,
  maxSeconds: null,
  patience: null,
  stages: [{ last: 5, stored: false, frozenWork: 0, work: 1e6 }],
}
const validated: WorkEvent = { type: 'validate', epoch: 1, done: 32, total: 32 }

test('the time left is that of the command: unknown at first, then from what an epoch took', () => {
  expect(after(start, heard(agenda), heard(step(1, 1), 1000))?.left).toBe(null)
  const run = after(
    start,
    heard(agenda, 0),
    heard(step(1, 1), 1000),
    heard({ type: 'preview', images: [] }, 1200),
    heard(step(1, 4), 2500),
    heard(validated, 2900),
    heard({ type: 'epoch', ...epoch(1) }, 3000),
    heard(step(2, 1), 3500),
  )
  // Four more epochs of two to three seconds, less the step that was made.
  expect(run?.left?.seconds).toBeGreaterThan(6)
  expect(run?.left?.seconds).toBeLessThan(13)
  expect(run?.doing).toEqual({ what: 'Round 2 of 5', done: 5, total: 20 })
})

test('losses are shown from the first step on, and no more than a chart can show', () => {
  const many = Array.from({ length: 1000 }, (_, i) =>
    heard(step(1 + Math.floor(i / 4), 1 + (i % 4))),
  )
  expect(after(start, heard(step(1, 1)))?.losses).toEqual([{ x: 0.25, y: 1 }])
  const run = after(start, ...many)
  expect(run?.losses.length).toBeLessThanOrEqual(400)
  expect(run?.losses.at(-1)?.x).toBe(250)
  // Reading, in the first round, does not take the bar back.
  const reading = run && reduce(run, heard({ type: 'read', split: 'val', done: 1, total: 9 }))
  expect(reading?.doing.what).toMatch(/^Round/)
})

test('a screen reader hears of epochs, not of steps', () => {
  const said = (...actions: Action[]) => after(start, ...actions)?.said
  expect(said(heard(step(1, 1)))).toBe('Training begins.')
  expect(said(heard({ type: 'epoch', ...epoch(1) }), heard(step(2, 1)))).toBe(
    'Round 1 of 5: 50.0 % of the images held out are right.',
  )
})

test('what comes after the result changes nothing, and a failure keeps the curves', () => {
  const result = {
    epochs: [epoch(1)],
    skipped: [],
    accuracy: null,
    aborted: true,
    problem: null,
  } as unknown as Result
  const done = after(start, { type: 'done', result })
  expect(done && reduce(done, heard({ type: 'epoch', ...epoch(2) }))).toBe(done)
  expect(done).toMatchObject({ status: 'done', epochs: [{ epoch: 1 }] })
  const failed = after(start, heard({ type: 'epoch', ...epoch(1) }), {
    type: 'failed',
    stopped: false,
    message: 'the GPU is gone',
  })
  expect(failed).toMatchObject({
    status: 'failed',
    problem: 'the GPU is gone',
    epochs: [{ epoch: 1 }],
  })
})

test('classes that are renamed have their new names wherever the result names them', () => {
  const figures = { pictures: 2, precision: null, recall: null }
  const loss = { name: 'cat/1.png', probability: 0.9, actualProbability: 0.1, loss: 2.3 }
  const result = {
    epochs: [epoch(1)],
    skipped: [],
    accuracy: null,
    classes: ['cat', 'dog'],
    perClass: [
      { name: 'cat', ...figures },
      { name: 'dog', ...figures },
    ],
    topLosses: [{ ...loss, actual: 'cat', predicted: 'dog' }],
  } as unknown as Result
  const rename: Action = { type: 'rename', classes: ['dog', 'lynx'] }
  expect(after(start, { type: 'done', result }, rename)?.result).toMatchObject({
    classes: ['dog', 'lynx'],
    perClass: [{ name: 'dog' }, { name: 'lynx' }],
    topLosses: [{ name: 'cat/1.png', actual: 'dog', predicted: 'lynx' }],
  })
  expect(after(start, rename)?.result).toBe(null)
})
