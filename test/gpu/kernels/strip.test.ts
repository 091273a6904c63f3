import { describe, expect, test } from 'vitest'
import { stripKernel } from '../../../src/gpu/kernels/kernel.ts'
import { testEngine } from '../../support/engine.ts'

const workgroup = 4
const add = stripKernel('add/forward', { workgroup })

describe.each([1, 3, 8])('strips of %i', (STRIP) => {
  test.each([
    1,
    workgroup,
    workgroup * STRIP - 1,
    workgroup * STRIP,
    workgroup * STRIP + 1,
    5 * workgroup * STRIP - 2,
    65_536 * workgroup * STRIP + 5,
  ])('process each of %i vectors once, and nothing more', async (n) => {
    const { gpu } = await testEngine()
    const given = Float32Array.from({ length: 4 * n + 4 }, (_, i) => (i % 251) + 1)
    const [x, y] = [gpu.upload(given), gpu.upload(new Float32Array(given.length))]
    gpu.run(add, { a: x, b: x, y }, { n }, { STRIP, RELU: 0 })
    const [bytes = new ArrayBuffer(0)] = await gpu.read([{ storage: y, bytes: 4 * given.length }])
    for (const storage of [x, y]) storage.release()
    const wrong = new Float32Array(bytes).findIndex(
      (value, i) => value !== (i < 4 * n ? 2 * (given[i] ?? 0) : 0),
    )
    expect(wrong).toBe(-1)
  })
})

test('counts the threads that have something to do', () => {
  const constants = { WG: 4, STRIP: 3 }
  const threads = [1, 4, 11, 12, 13, 23, 24].map((n) => add.threads?.({ n }, constants))
  expect(threads).toEqual([1, 4, 4, 4, 5, 8, 8])
})
