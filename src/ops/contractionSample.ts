import { at } from '../base/at.ts'
import { Random } from '../base/random.ts'
import type { Gpu } from '../gpu/gpu.ts'
import { Storage } from '../gpu/memory/pool.ts'
import { type Contraction, stepCount, type Triple, vectorWidths } from './contraction.ts'
import { packedRows } from './packRows.ts'

/** Rows of the panels in which A is read back. */
const panelRows = 8
/** How many elements of the result are compared. */
const samples = 48

/** The storages of a contraction. */
export interface Operands {
  readonly a: Storage | null
  readonly b: Storage
  readonly y: Storage
  readonly bias: Storage | null
}

/**
 * A contraction's storages; `a` is null if the caller packs it. The result is null if one of the
 * storages is bound in parts.
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

/** Some elements of a contraction's result in float64, to check a tiling's results against. */
export interface ContractionSample {
  /** Whether y differs from these elements by more than rounding explains. */
  disagrees(): Promise<boolean>
}

/** Reads the operands back and computes some elements, drawn at random, by the definition. */
export async function sampleContraction(
  gpu: Gpu,
  c: Contraction,
  { b, y, bias }: Operands,
): Promise<ContractionSample> {
  const packed = gpu.withScratch(() => packedRows(gpu, c, panelRows).storage.retain())
  const values = {
    a: await readFloats(gpu, packed),
    b: await readFloats(gpu, b),
    bias: bias && (await readFloats(gpu, bias)),
  }
  packed.release()
  const { columnsPerVector } = vectorWidths(c)
  const random = new Random(1)
  const below = (n: number) => random.uint32() % n
  const positions = Array.from({ length: samples }, (): Position => {
    const [j0, j1, j2] = c.columns
    return {
      column: [below(j0), below(j1), below(j2)],
      plane: below(c.planes),
      row: below(c.rows),
      element: below(columnsPerVector),
    }
  })
  const outerColumns = c.y.outerColumns ?? Number.POSITIVE_INFINITY
  const expected = positions
    .filter(({ column, element }) => column[0] * columnsPerVector + element < outerColumns)
    .map((position) => elementAt(c, position, values))
  return {
    async disagrees() {
      const result = await readFloats(gpu, y)
      // Written so that NaN disagrees.
      return expected.some(
        ({ index, value, tolerance }) => !(Math.abs(at(result, index) - value) <= tolerance),
      )
    },
  }
}

interface Position {
  readonly plane: number
  readonly row: number
  readonly column: Triple
  /** The column within its vector. */
  readonly element: number
}

interface Values {
  /** Packed in panels. */
  readonly a: Float32Array
  readonly b: Float32Array
  readonly bias: Float32Array | null
}

/**
 * One element of y: where it is, its value, and how far a float32 sum in any order may be from it
 * (Higham 2002, section 4.2).
 */
function elementAt(c: Contraction, { plane, row, column, element }: Position, values: Values) {
  const { columnsPerVector, stepsPerVector } = vectorWidths(c)
  const dot = (a: Triple, b: Triple) => a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
  const [, depth1, depth2] = c.depth
  const steps = stepCount(c)
  const panel = (plane * Math.ceil(c.rows / panelRows) + Math.floor(row / panelRows)) * steps
  const start = c.b.base + plane * c.b.planeStride + dot(column, c.b.columnStrides) + element
  const vector = (column[0] * c.columns[1] + column[1]) * c.columns[2] + column[2]
  const { biasAlong } = c.y
  const biasIndex =
    biasAlong === 'columns' ? vector * columnsPerVector + element : plane * c.rows + row
  let value = values.bias ? at(values.bias, (c.y.biasBase ?? 0) + biasIndex) : 0
  let magnitude = Math.abs(value)
  for (let step = 0; step < steps; step++) {
    const k = Math.floor(step / stepsPerVector)
    const k012: Triple = [
      Math.floor(k / (depth1 * depth2)),
      Math.floor(k / depth2) % depth1,
      k % depth2,
    ]
    const product =
      at(values.a, (panel + step) * panelRows + (row % panelRows)) *
      at(values.b, start + dot(k012, c.b.strides) + (step % stepsPerVector))
    value += product
    magnitude += Math.abs(product)
  }
  // Left out only where columns are not interleaved: then `element` is 0.
  const { elementStride = 0 } = c.y
  const index =
    c.y.base +
    plane * c.y.planeStride +
    row * c.y.rowStride +
    dot(column, c.y.columnStrides) +
    element * elementStride
  return {
    index,
    value: c.y.relu ? Math.max(value, 0) : value,
    tolerance: (steps + 2) * 2 ** -24 * magnitude,
  }
}

async function readFloats(gpu: Gpu, storage: Storage): Promise<Float32Array> {
  const [bytes] = await gpu.read([{ storage, bytes: storage.bytes }])
  if (!bytes) throw new RangeError('the GPU gave nothing back for one storage')
  return new Float32Array(bytes)
}
