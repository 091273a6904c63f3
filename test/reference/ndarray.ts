/** The arrays of the reference operators: row-major float64. */
export interface NdArray {
  readonly shape: number[]
  readonly data: Float64Array
}

type Numbers = Float64Array | Float32Array | Int32Array | Uint32Array | Uint8Array | readonly number[]

/** How many elements an array of `shape` has. */
export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, extent) => product * extent, 1)
}

export function zeros(shape: readonly number[]): NdArray {
  return { shape: [...shape], data: new Float64Array(sizeOf(shape)) }
}

/** Copies `data` into a float64 array of `shape`. */
export function ndArray(data: ArrayLike<number>, shape: readonly number[]): NdArray {
  if (data.length !== sizeOf(shape)) throw new RangeError(`${data.length} values do not fill shape [${shape}]`)
  return { shape: [...shape], data: Float64Array.from(data) }
}

/** Reads one element; outside the array is an error, so that a wrong index cannot pass as a zero. */
export function at(data: Numbers, index: number): number {
  const value = data[index]
  if (value === undefined) throw new RangeError(`index ${index} outside an array of ${data.length}`)
  return value
}

/** Adds to one element; outside the array is an error. */
export function add(data: Float64Array, index: number, value: number): void {
  data[index] = at(data, index) + value
}

/** The extents of an array that must have two dimensions. */
export function dims2(x: NdArray): [number, number] {
  if (x.shape.length !== 2) throw new RangeError(`expected 2 dimensions, got [${x.shape}]`)
  return [at(x.shape, 0), at(x.shape, 1)]
}

/** The extents of an array that must have four dimensions: n, c, h, w. */
export function dims4(x: NdArray): [number, number, number, number] {
  if (x.shape.length !== 4) throw new RangeError(`expected 4 dimensions, got [${x.shape}]`)
  return [at(x.shape, 0), at(x.shape, 1), at(x.shape, 2), at(x.shape, 3)]
}
