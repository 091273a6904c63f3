import { WeightsError } from '../base/errors.ts'
import type { NamedArray } from '../base/stateDict.ts'

/** A name from a file, quoted so that a message stays one short line. */
export function quote(name: string): string {
  return JSON.stringify(name.length > 80 ? `${name.slice(0, 77)}...` : name)
}

/**
 * Whether the text has half of a surrogate pair, which UTF-8 cannot carry and Rust's and Python's
 * readers refuse.
 */
export function hasLoneSurrogate(text: string): boolean {
  return /\p{Surrogate}/u.test(text)
}

/**
 * The number of elements, or null where that or the number of bytes is beyond what an integer holds
 * exactly.
 */
export function elementCount(shape: readonly number[], bytesEach: number): number | null {
  let count = 1
  for (const size of shape) {
    count *= size
    if (!Number.isSafeInteger(count)) return null
  }
  return Number.isSafeInteger(count * bytesEach) ? count : null
}

/**
 * Checks an array that is to be written.
 * @throws WeightsError where its shape and data disagree, or its name cannot be written as UTF-8
 */
export function checkArray(name: string, { shape, data }: NamedArray): void {
  if (hasLoneSurrogate(name))
    throw new WeightsError(`the tensor name ${quote(name)} is not valid Unicode; rename it`)
  if (!(data instanceof Float32Array))
    throw new WeightsError(`tensor ${quote(name)}: its data are not a Float32Array; convert them`)
  const valid = shape.every((size) => Number.isSafeInteger(size) && size >= 0)
  const count = valid ? elementCount(shape, 4) : null
  if (count !== data.length) {
    throw new WeightsError(
      `tensor ${quote(name)}: its shape [${shape.join(', ')}] calls for ${count ?? 'no valid number of'} elements and its data hold ${data.length}; make them agree`,
    )
  }
}

/**
 * Checks metadata that is to be written.
 * @throws WeightsError where a value is not text, or cannot be written as UTF-8
 */
export function checkText(key: string, text: unknown): void {
  if (typeof text !== 'string')
    throw new WeightsError(`metadata ${quote(key)} is of type ${typeof text}; give it as text`)
  if (hasLoneSurrogate(key) || hasLoneSurrogate(text))
    throw new WeightsError(`metadata ${quote(key)} is not valid Unicode; correct the text`)
}

/** The strides of a row-major array, in elements. A size of 0 counts as 1, as in PyTorch. */
export function contiguousStrides(shape: readonly number[]): number[] {
  const strides = new Array<number>(shape.length)
  let step = 1
  for (let i = shape.length - 1; i >= 0; i--) {
    strides[i] = step
    step *= Math.max(1, shape[i] ?? 1)
  }
  return strides
}

/**
 * The elements of an array that lies in `values` by strides, row-major in a new array.
 * @param strides in elements, one for each size of the shape
 * @param start index of the first element
 */
export function gather(
  values: Float32Array,
  shape: readonly number[],
  strides: readonly number[],
  start = 0,
): Float32Array {
  const count = shape.reduce((product, size) => product * size, 1)
  const gathered = new Float32Array(count)
  const [rank, inner, step] = [shape.length, shape.at(-1) ?? 1, strides.at(-1) ?? 0]
  const index = new Array<number>(rank).fill(0)
  for (let to = 0, row = start; to < count; ) {
    for (let i = 0; i < inner; i++) gathered[to++] = values[row + i * step] ?? 0
    // The next row: the last wheel but one of an odometer turns, and those before it where it comes
    // round.
    for (let axis = rank - 2; axis >= 0; axis--) {
      row += strides[axis] ?? 0
      index[axis] = (index[axis] ?? 0) + 1
      if (index[axis] !== shape[axis]) break
      row -= (shape[axis] ?? 0) * (strides[axis] ?? 0)
      index[axis] = 0
    }
  }
  return gathered
}
