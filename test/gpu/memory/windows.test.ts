import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ShapeError } from '../../../src/base/errors.ts'
import { eachPart, partsOf, windowOf } from '../../../src/gpu/memory/windows.ts'
import { testEngine } from '../../support/engine.ts'

const engine = await testEngine()
const alignment = 256
const limit = fc.integer({ min: 2, max: 100 }).map((n) => ({ bytes: n * alignment, alignment }))

describe('an array in parts', () => {
  test('covers every item once, in parts that can be bound', () => {
    fc.assert(
      fc.property(
        limit,
        fc.integer({ min: 1, max: 3000 }),
        fc.integer({ min: 1, max: 3000 }),
        (limits, count, words) => {
          const itemBytes = 4 * words
          const storage = engine.gpu.allocate(count * itemBytes)
          try {
            if (
              count * itemBytes > limits.bytes &&
              itemBytes > limits.bytes - alignment &&
              itemBytes % alignment !== 0
            ) {
              expect(() => partsOf(limits, count, itemBytes)).toThrow(ShapeError)
              return
            }
            if (itemBytes > limits.bytes && count > 0) {
              expect(() => partsOf(limits, count, itemBytes)).toThrow(
                /one row of a tensor takes \d+ bytes/,
              )
              return
            }
            let next = 0
            for (const part of partsOf(limits, count, itemBytes)) {
              expect(part.first).toBe(next)
              expect(part.count).toBeGreaterThan(0)
              next += part.count
              const { storage: bound, base } = windowOf(limits, storage, part, itemBytes)
              const offset = 'offset' in bound ? bound.offset : 0
              expect(bound.bytes).toBeLessThanOrEqual(Math.max(limits.bytes, alignment))
              expect(offset % alignment).toBe(0)
              expect(offset + 4 * base).toBe(part.first * itemBytes)
              expect(offset + bound.bytes).toBeGreaterThanOrEqual(
                (part.first + part.count) * itemBytes,
              )
              expect(offset + bound.bytes).toBeLessThanOrEqual(storage.bytes)
            }
            expect(next).toBe(count)
          } finally {
            storage.release()
          }
        },
      ),
    )
    engine.gpu.trim()
  })

  test('has few parts of nearly equal length', () => {
    expect(partsOf({ bytes: 134_217_728, alignment }, 4096, 36_864)).toEqual([
      { first: 0, count: 2048 },
      { first: 2048, count: 2048 },
    ])
    // only every 64th row begins at a multiple of 256, and 5 rows fit into a window
    expect(partsOf({ bytes: 1024, alignment }, 100, 132)).toHaveLength(20)
    expect(partsOf({ bytes: 1024, alignment }, 10, 4)).toEqual([{ first: 0, count: 10 }])
  })

  test('covers every element once for an element-wise kernel', () => {
    fc.assert(
      fc.property(limit, fc.integer({ min: 1, max: 20_000 }), (limits, n) => {
        const storage = engine.gpu.allocate(4 * n)
        let next = 0
        eachPart(limits, n, { x: storage }, ({ x }, count) => {
          expect('offset' in x ? x.offset : 0).toBe(4 * next)
          expect(x.bytes).toBeGreaterThanOrEqual(16 * Math.ceil(count / 4))
          expect(x.bytes).toBeLessThanOrEqual(limits.bytes)
          next += count
        })
        expect(next).toBe(n)
        storage.release()
      }),
    )
    engine.gpu.trim()
  })
})
