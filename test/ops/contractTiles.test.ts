import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { problemKey, type Tiling } from '../../src/gpu/tiling/tiling.ts'
import { lavapipeRows, TilingSelector, tileRows } from '../../src/gpu/tiling/tilingSelector.ts'
import { contract } from '../../src/ops/contract.ts'
import { gaussian, rounded } from '../../src/reference/random.ts'
import { sizeOf } from '../../src/tensor/ndbuffer.ts'
import type { Tensor } from '../../src/tensor/tensor.ts'
import { expectClose, sumTolerance } from '../support/compare.ts'
import { testEngine } from '../support/engine.ts'
import { everyTiling, largeProblem, thoroughTilings } from '../support/tilings.ts'

const engine = await testEngine()
const { gpu } = engine
const selector = gpu.tilings ?? expect.fail('the tests run the fast kernels')
const extent = (max: number) => fc.integer({ min: 1, max })

interface Shape {
  readonly planes: number
  readonly rows: number
  readonly cols: number
  /** The sum's outer index, which a split divides, and its inner one. */
  readonly depth: readonly [number, number]
  readonly bias?: 'rows' | 'columns'
  readonly relu?: boolean
  readonly split?: boolean
  /**
   * Whether A's rows are neighbors in memory, and are read where they lie; there is one plane then,
   * and depth [1, n].
   */
  readonly neighbors?: boolean
}

/**
 * y[plane, row, col] = Σ A[plane, row, k] · B[plane, col, k] (+ bias), or max(that, 0), in tiles of
 * the given shape, against float64.
 */
async function check(
  tiling: Tiling,
  { planes, rows, cols, depth, bias, relu, split, neighbors = false }: Shape,
): Promise<void> {
  const before = engine.memory()
  const terms = sizeOf(depth)
  const inDepth = depth[1] % 4 === 0 && !neighbors ? 4 : 1
  const draw = (shape: readonly number[], seed: number): { tensor: Tensor; data: Float64Array } => {
    const { data } = rounded(gaussian(shape, seed))
    return { tensor: engine.tensor(Float32Array.from(data), shape), data }
  }
  const [a, b] = [draw([planes, rows, terms], 1), draw([planes, cols, terms], 2)]
  // As neighbors A's rows begin at element 4 and are filled up to a multiple of four with what must
  // not reach y.
  const wide = 4 * Math.ceil(rows / 4)
  const turned = new Float32Array(4 + terms * wide).fill(Number.NaN)
  a.data.forEach((value, i) => {
    if (neighbors) turned[4 + (i % terms) * wide + Math.floor(i / terms)] = value
  })
  const across = engine.tensor(turned, [turned.length])
  const extra = bias ? draw([bias === 'rows' ? planes * rows : cols], 3) : null
  // what lies behind y: rows that only pad a tile must not reach it
  const guard = split ? 0 : 64 * cols
  const y = engine.tensor(new Float32Array(planes * rows * cols + guard).fill(7), [
    planes * rows * cols + guard,
  ])
  gpu.withScratch(() =>
    contract(gpu, () => tiling, {
      planes,
      rows,
      interleaved: inDepth === 4 ? 'depth' : 'none',
      columns: [1, 1, cols],
      depth: [depth[0], 1, depth[1] / inDepth],
      a: neighbors
        ? { src: across.buffer, base: 4, planeStride: 0, rowStride: 1, strides: [0, 0, wide] }
        : {
            src: a.tensor.buffer,
            base: 0,
            planeStride: rows * terms,
            rowStride: terms,
            strides: [depth[1], 0, inDepth],
            elementStride: 1,
          },
      b: {
        src: b.tensor.buffer,
        base: 0,
        planeStride: cols * terms,
        columnStrides: [0, 0, terms],
        strides: [depth[1], 0, inDepth],
      },
      y: {
        dst: y.buffer,
        base: 0,
        planeStride: rows * cols,
        rowStride: cols,
        columnStrides: [0, 0, 1],
        bias: extra?.tensor.buffer ?? null,
        biasAlong: bias ?? 'rows',
        relu: relu ?? false,
      },
      split: split ?? false,
    }),
  )
  const wanted = new Float64Array(planes * rows * cols)
  for (let i = 0; i < wanted.length; i++) {
    const [col, line] = [i % cols, Math.floor(i / cols)]
    const column = Math.floor(line / rows) * cols + col
    let sum = extra?.data[bias === 'rows' ? line : col] ?? 0
    for (let k = 0; k < terms; k++)
      sum += (a.data[line * terms + k] ?? Number.NaN) * (b.data[column * terms + k] ?? Number.NaN)
    wanted[i] = relu ? Math.max(sum, 0) : sum
  }
  const relative = sumTolerance(terms + 1)
  const actual = await y.data()
  expectClose(actual.subarray(0, wanted.length), wanted, [planes, rows, cols], {
    relative,
    absolute: relative * Math.sqrt(terms + 1),
    name: 'y',
  })
  expect(actual.subarray(wanted.length)).toEqual(new Float32Array(guard).fill(7))
  for (const tensor of [a.tensor, b.tensor, across, y, extra?.tensor]) tensor?.dispose()
  expect(engine.memory()).toMatchObject({ liveBytes: before.liveBytes, buffers: before.buffers })
}

const tilings = everyTiling(selector)

describe.each(tilings)('a contraction, %s', (_, tiling) => {
  test('one row short of a tile, as many, one more', async () => {
    for (const rows of [tiling.rows - 1, tiling.rows, tiling.rows + 1])
      await check(tiling, { planes: 1, rows, cols: 15, depth: [4, 3] })
  })

  test('rows that are neighbors in memory, and what lies behind the last of them', async () => {
    for (const rows of [tiling.rows - 1, 2 * tiling.rows + 2])
      await check(tiling, {
        planes: 1,
        rows,
        cols: 33,
        depth: [1, 21],
        bias: 'columns',
        neighbors: true,
      })
  })
})

const thorough = thoroughTilings(selector)

describe.each(thorough)('a contraction, %s', (_, tiling) => {
  test('any shape', async () => {
    const shape = fc.record({
      planes: extent(2),
      rows: extent(2 * tiling.rows + 1),
      cols: extent(2 * 4 * 8 + 1),
      depth: fc.tuple(extent(40), fc.constantFrom(1, 3, 4, 8)),
    })
    const more = fc.constantFrom(
      { bias: 'rows' as const, relu: true },
      { bias: 'columns' as const },
      { bias: 'columns' as const, relu: true },
      { relu: true },
      { split: true },
      {},
    )
    const property = fc.asyncProperty(shape, more, (one, added) =>
      check({ ...tiling, splits: 3 }, { ...one, ...added }),
    )
    await fc.assert(property, { numRuns: 4, seed: tiling.rows, endOnFailure: true })
  })
})

describe.each(
  (['tile', 'block'] as const).flatMap(
    (kernel) =>
      thorough.map(([, tiling]) => tiling).find((tiling) => tiling.kernel === kernel) ?? [],
  ),
)('a contraction by $kernel', (tiling) => {
  test('a sum split into parts, the last one shorter', async () => {
    for (const images of [2, 16, 17, 31])
      await check(
        { ...tiling, splits: 16 },
        { planes: 1, rows: 3, cols: 2, depth: [images, 4], split: true },
      )
  })
})

test('more panels of rows than a grid has in one dimension', async () => {
  const [[, tiling] = []] = tilings
  if (!tiling) expect.fail('there is no tiling')
  await check(tiling, {
    planes: 1,
    rows: 65_535 * tiling.rows + 1,
    cols: 1,
    depth: [1, 1],
    bias: 'rows',
  })
})

describe('tilings', () => {
  test.each([
    [1, 8],
    [8, 8],
    [9, 16],
    [17, 32],
    [32, 32],
    [33, 48],
    [48, 48],
    [49, 64],
    [64, 64],
    [96, 32],
    [100, 64],
    [128, 64],
  ])(
    'an output of %i rows is made in tiles of %i: few idle rows, but no small tiles to save some',
    (rows, height) => {
      expect(tileRows(lavapipeRows(rows), rows)).toBe(height)
    },
  )

  test('what was measured comes before the rule, unless it needs subgroups that are not there', () => {
    const measured: Tiling = { kernel: 'tile', rows: 16, columns: 4, steps: 4, splits: 1 }
    const table = { [problemKey(largeProblem)]: measured }
    const [with8, without] = [
      new TilingSelector('lavapipe', 8, table),
      new TilingSelector('lavapipe', null, table),
    ]
    expect(with8.select(largeProblem)).toEqual(measured)
    expect(without.select(largeProblem).kernel).toBe('block')
  })

  test('a GPU gets blocks that leave few rows idle and keep it busy', () => {
    const gpuTilings = new TilingSelector('hardware', 32)
    expect(gpuTilings.rule({ ...largeProblem, rows: 2048, columns: 2048 })).toMatchObject({
      kernel: 'block',
      rows: 128,
      columns: 128,
      splits: 1,
    })
    expect(gpuTilings.rule({ ...largeProblem, rows: 8, columns: 4096 })).toMatchObject({ rows: 16 })
    expect(
      gpuTilings.rule({ ...largeProblem, rows: 64, columns: 363, depth: 24_200, mostSplits: 8 })
        .splits,
    ).toBe(8)
  })
})
