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

/** sum over i < count of a[aStart + i] * b[bStart + i] */
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

/** The same as `at` for any other list: shapes, targets, bytes. */
export function item(list: ArrayLike<number>, index: number): number {
  const value = list[index]
  if (value === undefined) throw new RangeError(`index ${index} outside a list of ${list.length}`)
  return value
}

/** Adds to one element; outside the array is an error. */
export function add(data: Float64Array, index: number, value: number): void {
  data[index] = at(data, index) + value
}

/** A number for height and width, or one each. */
export type Pair = number | readonly [number, number]

export function pairOf(pair: Pair): readonly [number, number] {
  return typeof pair === 'number' ? [pair, pair] : pair
}

/** The extents of an array that must have two dimensions. */
export function dims2(x: NdArray): [number, number] {
  if (x.shape.length !== 2) throw new RangeError(`expected 2 dimensions, got [${x.shape}]`)
  return [item(x.shape, 0), item(x.shape, 1)]
}

/** The extents of an array that must have four dimensions: n, c, h, w. */
export function dims4(x: NdArray): [number, number, number, number] {
  if (x.shape.length !== 4) throw new RangeError(`expected 4 dimensions, got [${x.shape}]`)
  return [item(x.shape, 0), item(x.shape, 1), item(x.shape, 2), item(x.shape, 3)]
}
