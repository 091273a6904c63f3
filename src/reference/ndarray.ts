import { at as item } from '../base/at.ts'

/** The arrays of the reference operators: row-major float64. */
export interface NdArray {
  readonly shape: number[]
  readonly data: Float64Array
}

/** How many elements an array of `shape` has. */
export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, extent) => product * extent, 1)
}

export function zeros(shape: readonly number[]): NdArray {
  return { shape: [...shape], data: new Float64Array(sizeOf(shape)) }
}

/** `at` for shapes, targets and bytes: `at` itself is fast because it only meets Float64Array. */
export { item }

/** Copies `data` into a float64 array of `shape`. */
export function ndArray(data: ArrayLike<number>, shape: readonly number[]): NdArray {
  if (data.length !== sizeOf(shape))
    throw new RangeError(`${data.length} values do not fill shape [${shape}]`)
  return { shape: [...shape], data: Float64Array.from(data) }
}

/**
 * Reads one element; outside the array is an error, so that a wrong index cannot pass as a zero.
 * Float64Array alone keeps it fast.
 */
export function at(data: Float64Array, index: number): number {
  const value = data[index]
  if (value === undefined) throw new RangeError(`index ${index} outside an array of ${data.length}`)
  return value
}

/** Σ over i < count of a[aStart + i] * b[bStart + i] */
export function dot(
  a: Float64Array,
  aStart: number,
  b: Float64Array,
  bStart: number,
  count: number,
): number {
  let sum = 0
  for (let i = 0; i < count; i++) sum += at(a, aStart + i) * at(b, bStart + i)
  return sum
}

/** y[yStart + i] += factor * x[xStart + i] for i < count */
export function addScaled(
  y: Float64Array,
  yStart: number,
  factor: number,
  x: Float64Array,
  xStart: number,
  count: number,
): void {
  for (let i = 0; i < count; i++) add(y, yStart + i, factor * at(x, xStart + i))
}

/** Adds to one element; outside the array is an error. */
export function add(data: Float64Array, index: number, value: number): void {
  data[index] = at(data, index) + value
}

/** The two numbers of a list that must have two. */
export function two(list: readonly number[]): [number, number] {
  const [a, b, ...rest] = list
  if (a === undefined || b === undefined || rest.length)
    throw new RangeError(`expected 2 numbers, got [${list}]`)
  return [a, b]
}

/** The four numbers of a list that must have four. */
export function four(list: readonly number[]): [number, number, number, number] {
  const [a, b, c, d, ...rest] = list
  if (a === undefined || b === undefined || c === undefined || d === undefined || rest.length)
    throw new RangeError(`expected 4 numbers, got [${list}]`)
  return [a, b, c, d]
}

/** The flat index of an element in a row-major array of `shape`. */
export function flatIndex(position: readonly number[], shape: readonly number[]): number {
  return shape.reduce((index, extent, axis) => index * extent + item(position, axis), 0)
}
