import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { ReadbackQueue } from '../../src/train/readbackQueue.ts'

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['performance'] })
})
afterEach(() => {
  vi.useRealTimers()
})

/**
 * Hands over `count` steps, each of which takes so many milliseconds on the device, and before that
 * on the host. Returns how many were sent for together, row by row.
 */
async function handOver(
  count: number,
  device: (step: number) => number,
  host: (step: number) => number = () => 0,
): Promise<number[]> {
  const [rows, taken]: [number[], number[]] = [[], []]
  let sent = 0
  const readbacks = new ReadbackQueue(async (_, value: number) => {
    vi.advanceTimersByTime(device(value))
    taken.push(value)
  })
  const noteRow = async (adding: Promise<void>) => {
    const before = rows.reduce((sum, row) => sum + row, 0)
    await adding
    if (sent > before) rows.push(sent - before)
  }
  for (let step = 0; step < count; step++) {
    const values = async () => {
      sent++
      return step
    }
    vi.advanceTimersByTime(host(step))
    await noteRow(readbacks.add({ values }))
  }
  await noteRow(readbacks.drain())
  expect(taken).toEqual(Array.from({ length: count }, (_, i) => i))
  return rows
}

describe('what steps come to', () => {
  test.each<[string, number, (step: number) => number, number[]]>([
    ['one by one where steps are slow', 5, () => 300, [1, 1, 1, 1, 1]],
    ['as many together as a tenth of a second takes', 37, () => 10, [1, 1, 4, 10, 10, 10, 1]],
    [
      'never more than the driver has memory for',
      100,
      () => 0.1,
      [1, 1, 4, 16, 16, 16, 16, 16, 14],
    ],
    [
      'one by one again once steps are slow',
      57,
      (step) => (step < 22 ? 1 : 500),
      [1, 1, 4, 16, 16, 16, 1, 1, 1],
    ],
  ])('comes back %s', async (_, count, milliseconds, rows) => {
    expect(await handOver(count, milliseconds)).toEqual(rows)
  })

  test('comes back within a tenth of a second where the host is slow', async () => {
    const rows = await handOver(
      30,
      () => 0.1,
      (step) => (step < 6 ? 0 : 60),
    )
    expect(rows.slice(0, 3)).toEqual([1, 1, 4])
    expect(Math.max(...rows.slice(3))).toBe(2)
  })

  test('is met once more where taking it in failed, and nothing after it is taken', async () => {
    const taken: number[] = []
    const readbacks = new ReadbackQueue(async (_, value: number) => {
      if (value === 1) throw new Error('not finite')
      taken.push(value)
    })
    const steps = [0, 1, 2].map((step) => ({ values: async () => step }))
    for (const step of steps.slice(0, 2)) await readbacks.add(step)
    await expect(readbacks.drain()).rejects.toThrow('not finite')
    await expect(readbacks.drain()).rejects.toThrow('not finite')
    expect(taken).toEqual([0])
  })
})
