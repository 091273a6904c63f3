import { setImmediate as nextTurn } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { createEngineOn } from '../../../src/createEngine.ts'
import { rest } from '../../../src/gpu/node/rest.ts'
import type { AdapterChoice } from '../../../src/gpu/platform.ts'
import { nodeHost } from '../../../src/nodeHost.ts'

/** Turns of the event loop while a promise is pending. */
async function turnsDuring(work: Promise<unknown>): Promise<number> {
  let [pending, turns] = [true, 0]
  const end = () => {
    pending = false
  }
  work.then(end, end)
  for (; pending; turns++) await nextTurn()
  return turns
}

const later = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds))

test('the event loop turns slowly while it rests, and fast again afterwards', async () => {
  const busy = await turnsDuring(later(100))
  const resting = later(100)
  rest(resting)
  expect(await turnsDuring(resting)).toBeLessThan(busy / 4)
  expect(await turnsDuring(later(100))).toBeGreaterThan(busy / 4)
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
