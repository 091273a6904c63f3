import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { relu } from '../../../src/autograd/functions.ts'
import { Lifetimes } from '../../../src/gpu/memory/layout.ts'
import type { Storage } from '../../../src/gpu/memory/pool.ts'
import { testEngine } from '../../support/engine.ts'

/** Requests for memory: their sizes, and after how many more requests each is given back. */
const requests = fc.array(
  fc.record({
    bytes: fc.integer({ min: 1, max: 60 }).map((n) => 256 * n),
    held: fc.nat({ max: 12 }),
  }),
  {
    minLength: 1,
    maxLength: 60,
  },
)

describe('a layout', () => {
  test('shares buffers only among requests that are never held at the same time', () => {
    fc.assert(
      fc.property(requests, (wanted) => {
        const lifetimes = new Lifetimes()
        const held = new Map<number, { readonly until: number; readonly storage: Storage }>()
        let peak = 0
        for (const [i, { bytes, held: length }] of wanted.entries()) {
          const storage = { bytes } as Storage
          lifetimes.take(storage, String(i), 'layer')
          held.set(i, { until: i + length, storage })
          peak = Math.max(
            peak,
            [...held.values()].reduce((sum, { storage }) => sum + storage.bytes, 0),
          )
          for (const [key, { until, storage }] of held)
            if (until <= i || i === wanted.length - 1) {
              lifetimes.giveBack(storage)
              held.delete(key)
            }
        }
        lifetimes.submit()
        const { capacities, buffers } = lifetimes.layout()
        expect(buffers.size).toBe(wanted.length)
        const last = wanted.length - 1
        for (const [i, a] of wanted.entries()) {
          const buffer = buffers.get(String(i)) ?? -1
          expect(capacities[buffer]).toBeGreaterThanOrEqual(a.bytes)
          for (let j = i + 1; j <= Math.min(i + a.held, last); j++)
            expect(buffers.get(String(j))).not.toBe(buffer)
        }
        const sum = capacities.reduce((a, b) => a + b, 0)
        expect(sum).toBeGreaterThanOrEqual(peak)
        expect(sum).toBeLessThanOrEqual(wanted.reduce((total, { bytes }) => total + bytes, 0))
      }),
    )
  })

  test('leaves out what outlives the work, and what no layer asks for', () => {
    const lifetimes = new Lifetimes()
    const [own, state] = [{ bytes: 256 } as Storage, { bytes: 512 } as Storage]
    lifetimes.take(own, 'own', 'layer')
    lifetimes.take(state, 'state', 'layer')
    const input = { bytes: 768 } as Storage
    lifetimes.take(input, 'input', null)
    for (const one of [own, input]) lifetimes.giveBack(one)
    lifetimes.submit()
    lifetimes.giveBack(state)
    expect([...lifetimes.layout().buffers.keys()]).toEqual(['own'])
  })

  test('is used by prepared work every time, whatever else is allocated', async () => {
    const engine = await testEngine()
    const { gpu } = engine
    const x = engine.tensor(Float32Array.of(-1, 2), [2])
    const ids: number[][] = []
    const work = () => {
      const layer = gpu.layer
      gpu.layer = 'here'
      const used: number[] = []
      const storages = [40_000, 30_000, 20_000].map((bytes) => {
        const storage = gpu.allocate(bytes)
        used.push(storage.id)
        storage.release()
        return storage
      })
      expect(storages[2]?.bytes).toBe(20_224)
      const y = relu(x)
      used.push(y.buffer.storage.id)
      y.dispose()
      gpu.layer = layer
      gpu.submit()
      ids.push(used)
    }
    await gpu.prepare(work)
    ids.length = 0
    const before = gpu.memory().liveBytes
    work()
    expect(new Set(ids[0]?.slice(0, 3)).size).toBe(1) // they share one buffer, one after the other
    const other = gpu.allocate(35_000) // would fit into the layout's free buffer
    expect(ids[0]).not.toContain(other.id)
    work()
    expect(ids[1]).toEqual(ids[0])
    other.release()
    gpu.trim()
    work() // its buffer was destroyed by trim
    expect(new Set(ids[2]?.slice(0, 3)).size).toBe(1)
    expect(gpu.memory().liveBytes).toBe(before)
    x.dispose()
    await gpu.settle()
  })
})
