import type { Gpu } from '../gpu/gpu.ts'
import { type NdBuffer, sizeOf } from '../tensor/ndbuffer.ts'
import { rowKernel, rowsOf } from './rows.ts'

const kernel = rowKernel('concat/copy', () => ({ flops: 0, bytes: 8 }))

/** Where rows lie in an array: how long one is, and at which of its elements to begin. */
export interface Place {
  readonly buffer: NdBuffer
  readonly row: number
  readonly first: number
}

/** Copies `length` elements of each of `rows` rows from one array to another. */
export function copyRows(gpu: Gpu, rows: number, length: number, from: Place, to: Place): void {
  const { params, constants } = rowsOf(gpu, rows, length, [from.row, from.first, to.row, to.first])
  const { VECTOR } = constants
  gpu.run(
    kernel,
    { source: from.buffer.storage, target_rows: to.buffer.storage },
    {
      ...params,
      from_row: from.row / VECTOR,
      from_first: from.first / VECTOR,
      to_row: to.row / VECTOR,
      to_first: to.first / VECTOR,
    },
    constants,
  )
}

/** Copies a whole array. */
export function copyInto(gpu: Gpu, from: NdBuffer, to: NdBuffer): void {
  const length = sizeOf(to.shape)
  const place = { row: length, first: 0 }
  copyRows(gpu, 1, length, { buffer: from, ...place }, { buffer: to, ...place })
}
