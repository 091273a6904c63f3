import { expect, test } from 'vitest'
import { clock } from '../../src/base/format.ts'
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

test('the time left follows from the steps after the first', () => {
  expect(after(start, heard(step(1, 1), 1000))?.left).toBe(null)
  // Four steps in two seconds; of twenty, fifteen are left.
  const run = after(
    start,
    heard(step(1, 1), 1000),
    heard(step(1, 4), 2500),
    heard({ type: 'epoch', ...epoch(1) }),
    heard(step(2, 1), 3000),
  )
  expect(run?.left).toBe(7.5)
  expect(run?.doing).toEqual({ what: 'Epoch 2 of 5', done: 5, total: 20 })
  expect(clock(run?.left ?? 0)).toBe('0:08')
  expect(clock(75)).toBe('1:15')
})

test('a screen reader hears of epochs, not of steps', () => {
  const said = (...actions: Action[]) => after(start, ...actions)?.said
  expect(said(heard(step(1, 1)))).toBe('Training begins.')
  expect(said(heard({ type: 'epoch', ...epoch(1) }), heard(step(2, 1)))).toBe(
    'Epoch 1 of 5: 50.0 % of the images held out are right.',
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
