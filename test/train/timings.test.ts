import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { UsageError } from '../../src/base/errors.ts'
import { runFiles } from '../../src/base/runFiles.ts'
import type { TrainEvent } from '../../src/train/events.ts'
import { readRunTimings, writeRunTimings } from '../../src/train/runFolder.ts'
import { Stopwatch } from '../../src/train/timings.ts'

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['performance'] })
})
afterEach(() => {
  vi.useRealTimers()
})

test('the time up to an event belongs to what the event ends', () => {
  const stopwatch = new Stopwatch({ choosing: 3, training: 10 })
  const after = (seconds: number, event: TrainEvent) => {
    vi.advanceTimersByTime(1000 * seconds)
    stopwatch.note(event)
  }
  vi.advanceTimersByTime(5000)
  stopwatch.start()
  after(1, { type: 'read', split: 'train', done: 1, total: 2 })
  after(2, { type: 'read', split: 'train', done: 2, total: 2 })
  after(0.5, { type: 'compile', done: 1, total: 1 })
  // What names no phase goes on with the next.
  after(1, { type: 'skipped', name: 'a.png', reason: 'broken', split: 'train', label: 0 })
  after(3, { type: 'step', epoch: 1, step: 1, steps: 1, loss: 1, accuracy: 0, lr: 0 })
  after(0.25, {
    type: 'epoch',
    epoch: 1,
    trainLoss: 1,
    trainAccuracy: 0,
    valLoss: 1,
    valAccuracy: 0,
    seconds: 3,
  })
  expect(stopwatch.timings).toEqual({
    choosing: 3,
    reading: 3,
    compiling: 0.5,
    training: 14,
    validating: 0.25,
  })
  expect(stopwatch.total).toBe(20.75)
})

test('a run keeps them; without them there are none, and a damaged file is named', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'graft-timings-'))
  try {
    expect(await readRunTimings(folder)).toBe(null)
    const timings = { choosing: 1, reading: 2, compiling: 3, training: 4, validating: 5 }
    await writeRunTimings(folder, timings)
    expect(await readRunTimings(folder)).toEqual(timings)
    await writeFile(join(folder, runFiles.timings), '{"choosing": 1,')
    await expect(readRunTimings(folder)).rejects.toThrow(UsageError)
    await expect(readRunTimings(folder)).rejects.toThrow(/timings\.json is damaged/)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
})
