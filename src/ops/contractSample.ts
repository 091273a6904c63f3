import { Random } from '../base/random.ts'
import type { Gpu } from '../gpu/gpu.ts'
import { Storage } from '../gpu/memory/pool.ts'
import { type Contraction, foursIn, panelsOf } from './contract.ts'

/** Rows of the panels in which A is read back. */
const panelRows = 8
const samples = 48

/** The storages of a contraction that reads and writes whole ones. */
export interface Operands {
  readonly a: Storage | null
  readonly b: Storage
  readonly y: Storage
  readonly bias: Storage | null
}

/**
 * A contraction's storages, `a` being null where it is packed by its caller; null where one is
 * bound in parts.
 */
export function operandsOf({ a, b, y }: Contraction): Operands | null {
  const [from, into, rows] = [
    b.src.storage,
    y.dst.storage,
    typeof a === 'function' ? null : a.src.storage,
  ]
  if (
    !(from instanceof Storage && into instanceof Storage) ||
    (rows !== null && !(rows instanceof Storage))
  )
    return null
  return { a: rows, b: from, y: into, bias: y.bias?.storage ?? null }
}

/** Elements of a contraction's result in float64, to hold against them what a tiling computes. */
export interface ContractionSample {
  /** Whether what y holds now is further from them than rounding explains. */
  disagrees(): Promise<boolean>
}

/** Reads the operands back and computes sampled elements by the definition. */
export async function sampleContraction(
  gpu: Gpu,
  c: Contraction,
  { b, y, bias }: Operands,
): Promise<ContractionSample> {
  const panels = gpu.withScratch(() => panelsOf(gpu, c, panelRows).storage.retain())
  const [rows, columns, added] = await readFloats(gpu, [panels, b, ...(bias ? [bias] : [])])
  panels.release()
  const random = new Random(1)
  const below = (n: number) => random.uint32() % n
  const expected = Array.from({ length: samples }, () => {
    const [i0 = 0, i1 = 0, i2 = 0] = c.columns.map(below)
    const at = {
      plane: below(c.planes),
      row: below(c.rows),
      column: [i0, i1, i2] as const,
      e: below(foursIn(c).FOURS_COLS),
    }
    return i0 * foursIn(c).FOURS_COLS + at.e < (c.y.live ?? Number.POSITIVE_INFINITY)
      ? elementAt(c, at, rows, columns, added)
      : null
  })
  return {
    async disagrees() {
      const [result] = await readFloats(gpu, [y])
      return expected.some(
        (one) =>
          one !== null &&
          !(Math.abs((result?.[one.index] ?? Number.NaN) - one.value) <= one.tolerance),
      )
    },
  }
}

interface Position {
  readonly plane: number
  readonly row: number
  readonly column: readonly [number, number, number]
  /** The column within its group of four. */
  readonly e: number
}

/**
 * One element of y: its place, its value, and how far a float32 sum in any order may lie from it
 * (Higham 2002, section 4.2).
 */
function elementAt(
  c: Contraction,
  { plane, row, column, e }: Position,
  rows?: Float32Array,
  columns?: Float32Array,
  bias?: Float32Array,
) {
  const { FOURS_COLS, FOURS_DEPTH } = foursIn(c)
  const dot = (a: readonly number[], b: readonly number[]) =>
    a.reduce((sum, value, i) => sum + value * (b[i] ?? 0), 0)
  const [depthA, depthB, depthC] = c.depth
  const steps = depthA * depthB * depthC * FOURS_DEPTH
  const panel = (plane * Math.ceil(c.rows / panelRows) + Math.floor(row / panelRows)) * steps
  const base = c.b.base + plane * c.b.planeStride + dot(column, c.b.columnStrides) + e
  const group = (column[0] * c.columns[1] + column[1]) * c.columns[2] + column[2]
  const { biasBase = 0, biasAlong } = c.y
  let value = bias
    ? (bias[biasBase + (biasAlong === 'columns' ? group * FOURS_COLS + e : plane * c.rows + row)] ??
      Number.NaN)
    : 0
  let magnitude = Math.abs(value)
  for (let k = 0; k < steps; k++) {
    const step = Math.floor(k / FOURS_DEPTH)
    const index = [
      Math.floor(step / (depthB * depthC)),
      Math.floor(step / depthC) % depthB,
      step % depthC,
    ]
    const product =
      (rows?.[(panel + k) * panelRows + (row % panelRows)] ?? Number.NaN) *
      (columns?.[base + dot(index, c.b.strides) + (k % FOURS_DEPTH)] ?? Number.NaN)
    value += product
    magnitude += Math.abs(product)
  }
  const index =
    c.y.base +
    plane * c.y.planeStride +
    row * c.y.rowStride +
    dot(column, c.y.columnStrides) +
    e * (c.y.innerStride ?? 0)
  return {
    index,
    value: c.y.relu ? Math.max(value, 0) : value,
    tolerance: (steps + 2) * 2 ** -24 * magnitude,
  }
}

async function readFloats(gpu: Gpu, storages: readonly Storage[]): Promise<Float32Array[]> {
  const read = await gpu.read(storages.map((storage) => ({ storage, bytes: storage.bytes })))
  return read.map((bytes) => new Float32Array(bytes))
}
