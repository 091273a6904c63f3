import { setImmediate as nextTurn } from 'node:timers/promises'
import { expect, onTestFinished, test, vi } from 'vitest'
import { createEngineOn } from '../../../src/createEngine.ts'
import type { AdapterChoice } from '../../../src/host/host.ts'
import { rest } from '../../../src/host/node/rest.ts'
import { nodeHost } from '../../../src/nodeHost.ts'

const later = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds))

test('the thread sleeps between turns of the event loop while work is outstanding, two milliseconds at the most, and not afterwards', async () => {
  const sleep = vi.spyOn(Atomics, 'wait')
  onTestFinished(() => sleep.mockRestore())
  const resting = later(50)
  rest(resting)
  await resting
  await nextTurn()
  expect(sleep).toHaveBeenCalled()
  for (const [, , , milliseconds = Number.NaN] of sleep.mock.calls)
    expect(milliseconds).toBeLessThanOrEqual(2)
  await nextTurn()
  sleep.mockClear()
  await later(20)
  expect(sleep).not.toHaveBeenCalled()
})

test('work that fails ends the rest, and is its owner’s to catch', async () => {
  const failing = later(5).then(() => Promise.reject(new Error('lost')))
  rest(failing)
  await expect(failing).rejects.toThrow('lost')
})

test('an engine rests where the CPU computes, and never on a GPU', async () => {
  const waited: Promise<unknown>[] = []
  const engine = await createEngineOn(
    { ...nodeHost, rest: (work) => void waited.push(work) },
    { adapter: (process.env.GRAFT_ADAPTER ?? 'auto') as AdapterChoice },
  )
  try {
    waited.length = 0
    expect([...(await engine.tensor(Float32Array.of(1, 2), [2]).data())]).toEqual([1, 2])
    expect(waited.length > 0).toBe(engine.info.kind !== 'hardware')
  } finally {
    engine.dispose()
  }
})
