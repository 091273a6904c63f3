import { describe, expect, test } from 'vitest'
import { type Case, type Contestant, contest } from '../../bench/contest.ts'
import { type Row, toRow } from '../../bench/results.ts'
import { summarize } from '../../bench/summary.ts'

/** A contestant that takes the given times, and notes its turns. */
function clock(
  name: string,
  turns: string[],
  times: readonly number[],
  value = 1,
): () => Promise<Contestant> {
  let turn = 0
  return async () => ({
    async time() {
      turns.push(name)
      return times[turn++ % times.length] ?? 0
    },
    values: async () => Float32Array.of(value),
    dispose: () => void turns.push(`${name} leaves`),
  })
}

function caseOf(contestants: Case['contestants']): Case {
  return {
    name: 'GEMM 1024',
    pass: 'product',
    shape: '1',
    family: 'gemm',
    flops: 2e9,
    bytes: 1e6,
    expected: () => [{ index: 0, value: 1, tolerance: 1e-3 }],
    contestants,
  }
}

const limits = { gflops: 40, gbps: 10 }
const options = { rounds: 3, patience: 3000, limit: async () => limits }

describe('a row of the benchmark', () => {
  test('takes turns round by round and gives medians, spread, ratio and the share of the limit', async () => {
    const turns: string[] = []
    const wanted = caseOf({
      graft: clock('graft', turns, [90, 100, 130]),
      tfjs_webgpu: clock('tfjs', turns, [700, 500, 300]),
    })
    const row = toRow(wanted, await contest(wanted, options))
    expect(turns).toEqual([
      'graft',
      'tfjs',
      'graft',
      'tfjs',
      'graft',
      'tfjs',
      'graft leaves',
      'tfjs leaves',
    ])
    expect(row).toMatchObject({
      graft: { ms: 100, spread: [90, 130], gflops: 20, share: 0.5 },
      ratio: 5,
      agree: true,
    })
    expect(row.tfjs_webgpu).toEqual({ ms: 500, spread: [300, 700] })
  })

  test('is bound by bytes where they take longer than operations', async () => {
    const wanted = { ...caseOf({ graft: clock('graft', [], [100]) }), bytes: 8e8 }
    expect(toRow(wanted, await contest(wanted, options)).graft.share).toBeCloseTo(0.8)
  })

  test('reports a faster wrong answer as wrong, not as fast', async () => {
    const wanted = caseOf({
      graft: clock('graft', [], [1], 1.5),
      tfjs_webgpu: clock('tfjs', [], [100]),
    })
    const row = toRow(wanted, await contest(wanted, options))
    expect(row).toMatchObject({
      ratio: null,
      agree: false,
      note: expect.stringContaining('wrong: element 0 is 1.5'),
    })
  })

  test('does not compare with a peer that is wrong and faster', async () => {
    const wanted = caseOf({
      graft: clock('graft', [], [100]),
      tfjs_webgpu: clock('tfjs', [], [1], 2),
    })
    const row = toRow(wanted, await contest(wanted, options))
    expect(row).toMatchObject({
      ratio: null,
      agree: true,
      tfjs_webgpu: { ms: 1, error: expect.stringContaining('wrong') },
    })
  })

  test('says that a peer is wrong, and takes its time all the same', async () => {
    const wanted = caseOf({
      graft: clock('graft', [], [1]),
      tfjs_webgpu: clock('tfjs', [], [100], Number.NaN),
    })
    const row = toRow(wanted, await contest(wanted, options))
    expect(row).toMatchObject({
      ratio: 100,
      agree: true,
      tfjs_webgpu: { ms: 100, error: expect.stringContaining('wrong') },
    })
  })

  test('goes on when one cannot take part, and clears up', async () => {
    const turns: string[] = []
    const wanted = caseOf({
      graft: clock('graft', turns, [1]),
      tfjs_webgpu: () => Promise.reject(new Error('no room\nat a line')),
      ort: async () => ({
        time: () => Promise.reject(new Error('fell over')),
        values: async () => Float32Array.of(1),
        dispose: () => void turns.push('ort leaves'),
      }),
    })
    const row = toRow(wanted, await contest(wanted, options))
    expect(row).toMatchObject({
      ratio: null,
      agree: true,
      tfjs_webgpu: { ms: null, error: 'no room' },
      ort: { ms: null, error: 'fell over' },
    })
    expect(turns).toContain('ort leaves')
  })

  test('has only so much patience with a slow competitor', async () => {
    const turns: string[] = []
    const wanted = caseOf({
      graft: clock('graft', turns, [1]),
      tfjs_webgpu: clock('tfjs', turns, [2000]),
    })
    await contest(wanted, { ...options, rounds: 7 })
    expect(turns.filter((who) => who === 'tfjs')).toHaveLength(2)
    expect(turns.filter((who) => who === 'graft')).toHaveLength(7)
  })
})

describe('the summary', () => {
  const row = async (name: string, pass: string, graft: number, tfjs?: number) => {
    const wanted: Case = {
      ...caseOf({
        graft: clock('graft', [], [graft]),
        ...(tfjs ? { tfjs_webgpu: clock('tfjs', [], [tfjs]) } : {}),
      }),
      name,
      pass,
    }
    return toRow(wanted, await contest(wanted, options))
  }

  test('comes from the rows', async () => {
    const rows = await Promise.all([
      row('GEMM 1024', 'product', 100, 400),
      row('torchvision', 'training step', 10, 160),
      row('alexnet-64', 'training step', 10, 80),
      row('frozen epoch', 'recomputed', 500),
      row('frozen epoch', 'cached', 10),
      row('first step', 'cold', 4000),
      row('first step', 'warm', 1500),
    ])
    // Only training steps count: an inference may take more.
    const bytes = (one: Row) =>
      one.pass !== 'training step' ? [90, 10] : one.name === 'torchvision' ? [50, 100] : [50, 200]
    const memory = rows.map((one): Row => {
      const [ours = 0, theirs = 0] = bytes(one)
      const tfjs = one.tfjs_webgpu && { tfjs_webgpu: { ...one.tfjs_webgpu, peakBytes: theirs } }
      return { ...one, graft: { ...one.graft, peakBytes: ours }, ...tfjs }
    })
    expect(summarize(memory)).toEqual({
      minRatio: 4,
      geomeanRatio: expect.closeTo((4 * 16 * 8) ** (1 / 3)),
      gemmShare: 0.5,
      trainStepRatio: { torchvision: 16, alexnet64: 8 },
      memoryRatio: 0.5,
      cacheSpeedup: 50,
      coldStartMs: 4000,
      warmStartMs: 1500,
    })
  })

  test('has every field where rows are missing', () => {
    const nothing = summarize([])
    expect(
      Object.values(nothing).flatMap((value) =>
        typeof value === 'object' && value ? Object.values(value) : [value],
      ),
    ).toEqual(new Array(9).fill(null))
  })
})
