import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Storage } from '../../src/gpu/memory/pool.ts'
import { arrangeImages, imageVectors } from '../../src/ops/arrangeImages.ts'
import { contract } from '../../src/ops/contract.ts'
import type { Contraction } from '../../src/ops/contraction.ts'
import { sumOuter, sumOuterInner } from '../../src/ops/reduce.ts'
import { at } from '../../src/reference/ndarray.ts'
import { gaussian } from '../../src/reference/random.ts'
import { type NdBuffer, type Shape, sizeOf } from '../../src/tensor/ndbuffer.ts'
import { expectClose, sumTolerance } from '../support/compare.ts'
import { testEngine } from '../support/engine.ts'
import { everyTiling } from '../support/tilings.ts'

const engine = await testEngine()
const { gpu } = engine
const tilings = gpu.tilings ?? expect.fail('the tests run the fast kernels')
const choose = tilings.select

/** Gaussian values, as float32 has them, here and on the GPU. */
function draw(shape: Shape, seed: number): { data: Float64Array; buffer: NdBuffer } {
  const data = Float32Array.from(gaussian(shape, seed).data)
  return { data: Float64Array.from(data), buffer: { storage: gpu.upload(data), shape } }
}

async function read({ storage, shape }: NdBuffer): Promise<Float32Array> {
  const [bytes] = await gpu.read([{ storage, bytes: 4 * sizeOf(shape) }])
  return new Float32Array(bytes ?? new ArrayBuffer(0))
}

/** Runs `body`, then lets the buffers go and sees that nothing else is held. */
async function holding(buffers: readonly Storage[], body: () => Promise<void>): Promise<void> {
  const before = engine.memory().buffers
  await body()
  expect(engine.memory().buffers).toBe(before)
  for (const storage of buffers) storage.release()
}

interface Extents {
  readonly planes: number
  readonly rows: number
  readonly columns: readonly [number, number, number]
  readonly depth: readonly [number, number, number]
  readonly bias: 'none' | 'rows' | 'columns'
  /** What is interleaved in B; the innermost extent of columns or of depth then counts vectors. */
  readonly interleaved: Contraction['interleaved']
  /**
   * Whether the four columns of a group lie far apart in y, as images do, and the last of the last
   * group is not stored.
   */
  readonly apart: boolean
  readonly split: boolean
}

type Triple = readonly [number, number, number]
const rowMajor = ([, b, c]: Triple): Triple => [b * c, c, 1]

/**
 * y[plane, row, col] = Σ A[plane, row, k] · B[plane, k, col] (+ bias), against the same sum in
 * float64.
 */
async function check({
  planes,
  rows,
  columns,
  depth,
  bias,
  interleaved,
  apart,
  split,
}: Extents): Promise<void> {
  const [inColumns, inDepth] = [interleaved === 'columns' ? 4 : 1, interleaved === 'depth' ? 4 : 1]
  const groups = sizeOf(columns)
  const [cols, terms] = [groups * inColumns, sizeOf(depth) * inDepth]
  const a = draw([planes, rows, terms], 1)
  // B is [plane, depth, column group, four]: the four are columns, or steps of the sum.
  const b = draw([planes, terms, cols], 2)
  const extra = bias === 'none' ? null : draw([bias === 'rows' ? planes * rows : cols], 3)
  const y: NdBuffer = {
    storage: gpu.upload(new Float32Array(planes * rows * cols).fill(7)),
    shape: [planes, rows, cols],
  }
  const scaled = (triple: Triple, factor: number): Triple => [
    triple[0] * factor,
    triple[1] * factor,
    triple[2] * factor,
  ]
  const far = apart && interleaved === 'columns'
  const outerColumns = far ? 4 * columns[0] - 1 : undefined
  const contraction: Contraction = {
    planes,
    rows,
    interleaved,
    columns,
    depth,
    a: {
      src: a.buffer,
      base: 0,
      planeStride: rows * terms,
      rowStride: terms,
      strides: scaled(rowMajor(depth), inDepth),
      elementStride: 1,
    },
    b: {
      src: b.buffer,
      base: 0,
      planeStride: terms * cols,
      columnStrides: scaled(rowMajor(columns), inColumns * inDepth),
      strides: scaled(rowMajor(depth), cols * inDepth),
    },
    y: {
      dst: y,
      base: 0,
      planeStride: rows * cols,
      rowStride: cols,
      columnStrides: scaled(rowMajor(columns), far ? 1 : inColumns),
      elementStride: far ? groups : 1,
      outerColumns,
      bias: extra?.buffer ?? null,
      biasAlong: bias === 'columns' ? 'columns' : 'rows',
    },
    split,
  }
  const wanted = Float64Array.from({ length: planes * rows * cols }, (_, i) => {
    const [at_, line] = [i % cols, Math.floor(i / cols)]
    const [group, e] = far
      ? [at_ % groups, Math.floor(at_ / groups)]
      : [Math.floor(at_ / inColumns), at_ % inColumns]
    const col = group * inColumns + e
    if (
      outerColumns !== undefined &&
      Math.floor(group / (columns[1] * columns[2])) * 4 + e >= outerColumns
    )
      return 7
    const plane = Math.floor(line / rows)
    let sum = extra ? at(extra.data, bias === 'rows' ? line : col) : 0
    for (let k = 0; k < terms; k++) {
      const inB =
        interleaved === 'depth' ? (Math.floor(k / 4) * cols + col) * 4 + (k % 4) : k * cols + col
      sum += at(a.data, line * terms + k) * at(b.data, plane * terms * cols + inB)
    }
    return sum
  })
  const held = [
    a.buffer.storage,
    b.buffer.storage,
    y.storage,
    ...(extra ? [extra.buffer.storage] : []),
  ]
  await holding(held, async () => {
    gpu.withScratch(() => contract(gpu, choose, contraction))
    // A sum that cancels leaves the rounding of its terms, whose size is about 1 each: sqrt(terms)
    // of them together.
    const relative = sumTolerance(terms)
    expectClose(await read(y), wanted, y.shape, {
      relative,
      absolute: relative * Math.sqrt(terms),
      name: 'y',
    })
  })
}

const usual: Extents = {
  planes: 1,
  rows: 8,
  columns: [1, 1, 32],
  depth: [1, 1, 8],
  bias: 'none',
  interleaved: 'none',
  apart: false,
  split: false,
}

describe('a contraction', () => {
  test.each<[string, Partial<Extents>]>([
    ['one of everything', { rows: 1, columns: [1, 1, 1], depth: [1, 1, 1] }],
    ['nothing to add up is 0', { depth: [0, 0, 0] }],
    ['rows of two panels and a rest', { rows: 130, bias: 'rows' }],
    ['a column more than a tile', { columns: [1, 1, 33], bias: 'columns' }],
    ['planes with a bias each', { planes: 3, rows: 5, bias: 'rows' }],
    ['three column indices, three sums', { rows: 17, columns: [2, 3, 7], depth: [3, 2, 5] }],
    [
      'columns interleaved by four',
      { rows: 17, columns: [2, 3, 7], depth: [3, 2, 5], interleaved: 'columns', bias: 'rows' },
    ],
    [
      'columns interleaved by four, far apart in y',
      {
        rows: 9,
        planes: 2,
        columns: [2, 3, 3],
        depth: [2, 2, 4],
        interleaved: 'columns',
        apart: true,
        bias: 'rows',
      },
    ],
    [
      'steps interleaved by four',
      { rows: 17, columns: [2, 3, 7], depth: [3, 2, 5], interleaved: 'depth' },
    ],
    [
      'steps interleaved by four, columns in one row',
      { rows: 5, columns: [1, 1, 44], depth: [1, 1, 6], interleaved: 'depth', bias: 'columns' },
    ],
    ['a sum split into unequal parts', { rows: 9, depth: [37, 2, 3], split: true }],
    [
      'split, with planes',
      { planes: 2, rows: 3, columns: [2, 3, 3], depth: [5, 4, 4], split: true },
    ],
  ])('%s', (_, extents) => check({ ...usual, ...extents }))

  test('of any extents', async () => {
    const extent = (max: number) => fc.integer({ min: 1, max })
    const triple = (max: number) => fc.tuple(extent(max), extent(max), extent(max))
    const extents = fc
      .record({
        planes: extent(3),
        rows: extent(70),
        columns: triple(6),
        depth: triple(4),
        bias: fc.constantFrom<Extents['bias'][]>('none', 'rows', 'columns'),
        interleaved: fc.constantFrom<Contraction['interleaved'][]>('columns', 'depth', 'none'),
        apart: fc.boolean(),
        split: fc.boolean(),
      })
      .map((one) => ({ ...one, split: one.split && one.bias === 'none' && !one.apart }))
    await fc.assert(fc.asyncProperty(extents, check), { numRuns: 25, seed: 11, endOnFailure: true })
  })

  test('of more tiles than a grid is wide', async () => {
    const tiling = choose({
      planes: 1,
      rows: 1,
      columns: 1e6,
      depth: 1,
      interleaved: 'none',
      mostSplits: 1,
    })
    const cols = 65_535 * tiling.columns * (tiling.kernel === 'tile' ? (tilings.lanes ?? 1) : 1) + 1
    const a = { storage: gpu.upload(Float32Array.of(3)), shape: [1] }
    const values = Float32Array.from({ length: cols }, (_, i) => i % 1000)
    const b = { storage: gpu.upload(values), shape: [cols] }
    const y = { storage: gpu.allocate(4 * cols), shape: [cols] }
    await holding([a.storage, b.storage, y.storage], async () => {
      gpu.withScratch(() =>
        contract(gpu, choose, {
          planes: 1,
          rows: 1,
          interleaved: 'none',
          columns: [1, 1, cols],
          depth: [1, 1, 1],
          a: { src: a, base: 0, planeStride: 0, rowStride: 1, strides: [1, 1, 1] },
          b: { src: b, base: 0, planeStride: 0, columnStrides: [0, 0, 1], strides: [0, 0, 0] },
          y: { dst: y, base: 0, planeStride: 0, rowStride: cols, columnStrides: [0, 0, 1] },
        }),
      )
      const wrong = (await read(y)).findIndex((value, i) => value !== 3 * (i % 1000))
      expect(wrong).toBe(-1)
    })
  })
})

describe('a contraction in blocks whose steps lie in a row', () => {
  const [, shape] =
    everyTiling(tilings).find(([name]) => name.startsWith('block of 64 x 64')) ??
    expect.fail('there is such a block')

  test.each<[Contraction['interleaved'], readonly [number, number, number]]>([
    ['none', [3, 2, 64]],
    ['columns', [3, 2, 32]],
    ['depth', [2, 3, 16]],
    ['depth', [8, 3, 5]],
  ])('interleaved: %s, %j steps', async (interleaved, depth) => {
    const extents = { ...usual, rows: 17, columns: [2, 3, 7] as const, depth, interleaved }
    try {
      for (const splits of [1, 3]) {
        tilings.override = () => ({ ...shape, splits })
        await check({ ...extents, split: splits > 1 })
      }
    } finally {
      tilings.override = null
    }
  })
})

describe('arranging images', () => {
  test.each<[string, number, [number, number], [number, number], number, number]>([
    ['zeros on each side', 4, [2, 3], [5, 6], 1, 2],
    ['rows and columns cut off', 8, [5, 6], [2, 3], -1, -2],
    ['cut above, zeros below', 1, [3, 3], [4, 2], -2, 1],
    ['nothing of x left', 2, [2, 2], [2, 2], 5, 0],
    ['seven images and an empty one', 7, [3, 2], [3, 2], 0, 0],
    ['five images, not filled up', 5, [3, 2], [4, 3], 1, 1],
  ])('%s', async (_, batch, from, to, top, left) => {
    const channels = 3
    const x = draw([batch, channels, ...from], 1)
    await holding([x.buffer.storage], async () => {
      const y = gpu.withScratch(() => arrangeImages(gpu, x.buffer, to[0], to[1], top, left))
      const { vectors, imagesPerVector } = imageVectors(batch)
      expect(y).toMatchObject({ vectors, imagesPerVector, height: to[0], width: to[1] })
      const wanted = Float32Array.from(
        { length: vectors * channels * to[0] * to[1] * imagesPerVector },
        (_, at) => {
          const [pixel, plane] = [
            Math.floor(at / imagesPerVector),
            Math.floor(at / (imagesPerVector * to[0] * to[1])),
          ]
          const [n, c] = [
            Math.floor(plane / channels) * imagesPerVector + (at % imagesPerVector),
            plane % channels,
          ]
          const [j, i] = [(pixel % to[1]) - left, (Math.floor(pixel / to[1]) % to[0]) - top]
          const inside = n < batch && i >= 0 && i < from[0] && j >= 0 && j < from[1]
          return inside
            ? (x.data[((n * channels + c) * from[0] + i) * from[1] + j] ?? Number.NaN)
            : 0
        },
      )
      // Scratch memory is handed out again to later work only: what was encoded is still there.
      expect(await read(y.src)).toEqual(wanted)
    })
  })

  test('is x itself where nothing changes', () => {
    const x = draw([1, 2, 2, 2], 1)
    expect(arrangeImages(gpu, x.buffer, 2, 2, 0, 0).src).toBe(x.buffer)
    x.buffer.storage.release()
  })

  test.each([
    [1, 1, 1],
    [2, 2, 1],
    [3, 1, 4],
    [4, 1, 4],
    [5, 5, 1],
    [6, 2, 4],
    [9, 3, 4],
    [64, 16, 4],
  ])(
    'a batch of %i becomes %i vectors of %i: at most a quarter of the images are empty',
    (batch, vectors, imagesPerVector) => {
      expect(imageVectors(batch)).toEqual({ vectors, imagesPerVector })
    },
  )
})

describe('sums', () => {
  test.each([
    [1, 1, 1],
    [1, 3, 5],
    [7, 1, 4],
    [4, 65, 1],
    [3, 5, 130],
  ])('over the outer %d and, for %d results, the inner %d', async (outer, width, inner) => {
    const x = draw([outer, width, inner], 1)
    const y: NdBuffer = { storage: gpu.allocate(4 * width), shape: [width] }
    await holding([x.buffer.storage, y.storage], async () => {
      gpu.withScratch(() => sumOuterInner(gpu, x.buffer, y, outer, width, inner))
      const wanted = Float64Array.from({ length: width }, (_, o) => {
        let sum = 0
        for (let i = 0; i < outer; i++)
          for (let j = 0; j < inner; j++) sum += at(x.data, (i * width + o) * inner + j)
        return sum
      })
      const terms = outer * inner
      expectClose(await read(y), wanted, [width], {
        relative: sumTolerance(terms),
        absolute: sumTolerance(terms) * Math.sqrt(terms),
      })
    })
  })

  test('scaled', async () => {
    const x = { storage: gpu.upload(Float32Array.of(1, 2, 3, 4)), shape: [2, 2] }
    const y: NdBuffer = { storage: gpu.allocate(8), shape: [2] }
    await holding([x.storage, y.storage], async () => {
      sumOuter(gpu, x, y, 2, 2, 0.5)
      expect([...(await read(y))]).toEqual([2, 3])
    })
  })
})
