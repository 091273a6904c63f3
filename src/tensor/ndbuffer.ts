import { ShapeError, UsageError } from '../base/errors.ts'
import { typeName } from '../base/options.ts'
import type { Gpu } from '../gpu/gpu.ts'
import type { Storage } from '../gpu/memory/pool.ts'
import type { Bindable } from '../gpu/memory/windows.ts'

/** Extents of an array, outermost first. `[]` is a scalar. */
export type Shape = readonly number[]
/** Height and width, in this order. */
export type Pair = readonly [number, number]
/** A matrix, [rows, columns]. */
export type Shape2 = readonly [number, number]
/** One image, or one part of one: [channels, height, width]. */
export type Shape3 = readonly [number, number, number]
/** Images [N, C, H, W], or filters [O, C, KH, KW]. */
export type Shape4 = readonly [number, number, number, number]

/** Four-byte elements in a GPU buffer, row-major and contiguous: what operators read and write. */
export interface NdBuffer {
  readonly storage: Storage
  readonly shape: Shape
}

/** What a launch reads or writes: an array, or the part of one that is bound at once. */
export interface NdWindow {
  readonly storage: Bindable
  readonly shape: Shape
}

/** Elements of a shape. */
export function sizeOf(shape: Shape): number {
  return shape.reduce((product, extent) => product * extent, 1)
}

/** How many vectors of four hold a shape's elements; buffers are padded to whole vectors. */
export function vectorsOf(shape: Shape): number {
  return Math.ceil(sizeOf(shape) / 4)
}

export function sameShape(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((extent, i) => extent === b[i])
}

/** `[2, 3, 64, 64]`, for messages. */
export function showShape(shape: Shape): string {
  return `[${shape.join(', ')}]`
}

/** Checks the number of a shape's extents, so that they can be named and read by type. */
function ofRank<Ranked extends Shape>(rank: Ranked['length']) {
  return (shape: Shape, rule: string): Ranked => {
    if (shape.length !== rank) throw new ShapeError(`${rule}, not ${showShape(shape)}`)
    return shape as Ranked
  }
}

/**
 * A shape of two extents.
 * @param rule what has to hold, for the error: 'linear: x is [N, in]'
 * @throws ShapeError for another number of extents
 * @example const [rows, classes] = shape2(logits.shape, 'softmax: x is [N, classes]')
 */
export const shape2 = ofRank<Shape2>(2)
/** As `shape2`, for three extents. */
export const shape3 = ofRank<Shape3>(3)
/** As `shape2`, for four extents. */
export const shape4 = ofRank<Shape4>(4)

/** @throws UsageError for other values than a Float32Array: their bytes would be misread */
export function checkValues(what: string, data: Float32Array): void {
  if (data instanceof Float32Array) return
  throw new UsageError(
    `${what} takes its values as a Float32Array, not ${typeName(data)}: ` +
      'Float32Array.from(values) makes one',
  )
}

/** @throws ShapeError unless every extent is a positive integer */
export function checkShape(what: string, shape: Shape): void {
  if (!Array.isArray(shape))
    throw new ShapeError(
      `${what} has the shape ${String(shape)}: a shape is a list of extents, such as [2, 3]`,
    )
  if (!shape.every((extent) => Number.isSafeInteger(extent) && extent > 0))
    throw new ShapeError(`${what} has the shape ${showShape(shape)}: extents are positive integers`)
}

/** A new buffer of the given shape, its contents undefined. The caller releases it. */
export function allocate(gpu: Gpu, shape: Shape): NdBuffer {
  return noted(gpu, { storage: gpu.allocate(4 * sizeOf(shape)), shape })
}

/** A buffer that is released once the operator that asked for it is encoded. */
export function scratch(gpu: Gpu, shape: Shape): NdBuffer {
  return noted(gpu, { storage: gpu.scratch(4 * sizeOf(shape)), shape })
}

function noted(gpu: Gpu, buffer: NdBuffer): NdBuffer {
  gpu.recorder?.shape(buffer)
  return buffer
}
