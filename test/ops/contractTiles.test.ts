import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { chooseRows, type TileShape, tileShape } from '../../src/gpu/tuning.ts'
import { contract } from '../../src/ops/contract.ts'
import { gaussian } from '../../src/reference/random.ts'
import { sizeOf } from '../../src/tensor/ndbuffer.ts'
import type { Tensor } from '../../src/tensor/tensor.ts'
import { expectClose, sumTolerance } from '../support/compare.ts'
import { testEngine } from '../support/engine.ts'
import { rounded } from '../support/testOp.ts'

const engine = await testEngine()
const { gpu } = engine
const lanes = gpu.tile?.lanes ?? 4
const extent = (max: number) => fc.integer({ min: 1, max })

interface Shape {
  readonly planes: number
  readonly rows: number
  readonly cols: number
  /** The sum's outer index, which a split divides, and its inner one. */
  readonly depth: readonly [number, number]
  readonly bias?: 'rows' | 'columns'
  readonly split?: boolean
}

/** y[plane, row, col] = Σ A[plane, row, k] · B[plane, col, k] (+ bias) in tiles of the given shape, against float64. */
async function check(tile: TileShape, { planes, rows, cols, depth, bias, split }: Shape): Promise<void> {
  const before = engine.memory()
  const terms = sizeOf(depth)
  const inDepth = depth[1] % 4 === 0 ? 4 : 1
  const draw = (shape: readonly number[], seed: number): { tensor: Tensor; data: Float64Array } => {
    const { data } = rounded(gaussian(shape, seed))
    return { tensor: engine.tensor(Float32Array.from(data), shape), data }
  }
  const [a, b] = [draw([planes, rows, terms], 1), draw([planes, cols, terms], 2)]
  const extra = bias ? draw([bias === 'rows' ? planes * rows : cols], 3) : null
  const guard = split ? 0 : 64 * cols // what lies behind y: rows that only pad a tile must not reach it
  const y = engine.tensor(new Float32Array(planes * rows * cols + guard).fill(7), [planes * rows * cols + guard])
  gpu.withScratch(() =>
    contract(gpu, tile, {
      planes,
      rows,
      fours: inDepth === 4 ? 'depth' : 'nothing',
      columns: [1, 1, cols],
      depth: [depth[0], 1, depth[1] / inDepth],
      a: { src: a.tensor.buffer, base: 0, planeStride: rows * terms, rowStride: terms, strides: [depth[1], 0, inDepth], innerStride: 1 },
      b: { src: b.tensor.buffer, base: 0, planeStride: cols * terms, columnStrides: [0, 0, terms], strides: [depth[1], 0, inDepth] },
      y: {
        dst: y.buffer,
        base: 0,
        planeStride: rows * cols,
        rowStride: cols,
        columnStrides: [0, 0, 1],
        bias: extra?.tensor.buffer ?? null,
        biasAlong: bias ?? 'rows',
      },
      split: split ?? false,
    }),
  )
  const wanted = new Float64Array(planes * rows * cols)
  for (let i = 0; i < wanted.length; i++) {
    const [col, line] = [i % cols, Math.floor(i / cols)]
    const column = Math.floor(line / rows) * cols + col
    let sum = extra?.data[bias === 'rows' ? line : col] ?? 0
    for (let k = 0; k < terms; k++) sum += (a.data[line * terms + k] ?? Number.NaN) * (b.data[column * terms + k] ?? Number.NaN)
    wanted[i] = sum
  }
  const relative = sumTolerance(terms + 1)
  const actual = await y.data()
  expectClose(actual.subarray(0, wanted.length), wanted, [planes, rows, cols], {
    relative,
    absolute: relative * Math.sqrt(terms + 1),
    name: 'y',
  })
  expect(actual.subarray(wanted.length)).toEqual(new Float32Array(guard).fill(7))
  for (const tensor of [a.tensor, b.tensor, y, extra?.tensor]) tensor?.dispose()
  expect(engine.memory()).toMatchObject({ liveBytes: before.liveBytes, buffers: before.buffers })
}

describe.skipIf(!gpu.tile)('a contraction in tiles of every height that any adapter is given', () => {
  const heights = [...new Set((['hardware', 'lavapipe', 'swiftshader'] as const).flatMap((kind) => tileShape(kind, lanes).rows))]
  const tileOf = (rows: number, columns = 4): TileShape => ({ lanes, rows: [rows], columns, turn: 64, busy: 16 })

  test.each(heights)('%i rows: one short, as many, one more', async (height) => {
    for (const rows of [height - 1, height, height + 1]) await check(tileOf(height), { planes: 1, rows, cols: 15, depth: [4, 3] })
  })

  test.each(heights)('%i rows: any shape', async (height) => {
    const shape = fc.record({
      planes: extent(2),
      rows: extent(2 * height + 1),
      cols: extent(2 * 4 * lanes + 1),
      depth: fc.tuple(extent(40), extent(4)),
    })
    const more = fc.constantFrom({ bias: 'rows' as const }, { bias: 'columns' as const }, { split: true }, {})
    const property = fc.asyncProperty(shape, more, (one, added) => check(tileOf(height), { ...one, ...added }))
    await fc.assert(property, { numRuns: 10, seed: height, endOnFailure: true })
  })

  test.each([4, 8])('%i columns a lane: one short of a tile, as many, one more', async (columns) => {
    const held = columns * lanes
    for (const cols of [held - 1, held, held + 1]) await check(tileOf(8, columns), { planes: 2, rows: 5, cols, depth: [2, 3] })
  })

  test('a sum split into parts, the last one shorter', async () => {
    for (const images of [2, 16, 17, 31]) await check(tileOf(8), { planes: 1, rows: 3, cols: 2, depth: [images, 4], split: true })
  })

  test('more panels of rows than a grid has in one dimension', async () => {
    await check(tileOf(8), { planes: 1, rows: 65_535 * 8 + 1, cols: 1, depth: [1, 1], bias: 'rows' })
  })
})

test.each([
  [1, 8],
  [8, 8],
  [9, 16],
  [17, 8],
  [32, 32],
  [33, 8],
  [48, 48],
  [64, 64],
  [96, 48],
  [128, 64],
])('an output of %i rows is made in tiles of %i: the fewest idle rows, then the largest tile', (rows, height) => {
  expect(chooseRows(tileShape('lavapipe', 8), rows)).toBe(height)
})
