import { at } from '../base/at.ts'
import { WeightsError } from '../base/errors.ts'
import type { NamedArray } from '../base/stateDict.ts'

/** What to do about a file that did not arrive whole. */
export const fetchAgain = 'download or copy the file again'

/** A name from a file, quoted and shortened so that a message stays one short line. */
export function quote(name: string): string {
  return JSON.stringify(name.length > 80 ? `${name.slice(0, 77)}...` : name)
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
const latin1 = new TextDecoder('latin1')

/** UTF-8, or Latin-1 where it is not valid, as Python 2's byte strings may be. */
export function decodeText(bytes: Uint8Array): string {
  try {
    return utf8.decode(bytes)
  } catch {
    return latin1.decode(bytes)
  }
}

/** Names from a file as a message lists them: quoted, the first dozen. */
export function listNames(names: readonly string[]): string {
  const more = names.length > shown ? ` and ${names.length - shown} more` : ''
  return names.slice(0, shown).map(quote).join(', ') + more
}

/** How many names a message lists. */
const shown = 12

/** A WeightsError with a label in front of its message; any other error as it is. */
export function labeled(label: string, cause: unknown): unknown {
  return cause instanceof WeightsError
    ? new WeightsError(cause.after(`${label}: `), { cause })
    : cause
}

/** Whether the text has half of a surrogate pair, which cannot be written as UTF-8. */
export function hasLoneSurrogate(text: string): boolean {
  return /\p{Surrogate}/u.test(text)
}

/** Whether a value from a file is an integer >= 0 that a number holds exactly. */
export function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0
}

/** The product of the sizes; 1 for a scalar. */
export function product(shape: readonly number[]): number {
  return shape.reduce((count, size) => count * size, 1)
}

/** The number of elements; null if it or the number of bytes is too large for an exact integer. */
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
 * @throws WeightsError if its shape and data disagree, or its name cannot be written as UTF-8
 */
export function checkArray(name: string, { shape, data }: NamedArray): void {
  if (hasLoneSurrogate(name))
    throw new WeightsError(`the tensor name ${quote(name)} is not valid Unicode; rename it`)
  if (!(data instanceof Float32Array))
    throw new WeightsError(`tensor ${quote(name)}: its data are not a Float32Array; convert them`)
  const count = shape.every(isCount) ? elementCount(shape, 4) : null
  if (count !== data.length)
    throw new WeightsError(
      `tensor ${quote(name)}: its shape [${shape.join(', ')}] calls for ` +
        `${count ?? 'no valid number of'} elements and its data hold ${data.length}; ` +
        'make them agree',
    )
}

/**
 * Checks metadata that is to be written.
 * @throws WeightsError if a value is not text, or cannot be written as UTF-8
 */
export function checkText(key: string, text: unknown): void {
  if (typeof text !== 'string')
    throw new WeightsError(`metadata ${quote(key)} is of type ${typeof text}; give it as text`)
  if (hasLoneSurrogate(key) || hasLoneSurrogate(text))
    throw new WeightsError(`metadata ${quote(key)} is not valid Unicode; correct the text`)
}

/** The bytes of an array, without a copy. */
export function bytesOf({ buffer, byteOffset, byteLength }: Float32Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength)
}

/** The total length of some parts. */
export function totalLength(parts: readonly { readonly length: number }[]): number {
  return parts.reduce((sum, { length }) => sum + length, 0)
}

/** The parts one after the other, in a new array. */
export function concat(parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(totalLength(parts))
  let offset = 0
  for (const part of parts) {
    bytes.set(part, offset)
    offset += part.length
  }
  return bytes
}

/** The strides of a row-major array, in elements. A size of 0 counts as 1, as in PyTorch. */
export function contiguousStrides(shape: readonly number[]): number[] {
  let step = 1
  const strides = shape.toReversed().map((size) => {
    const stride = step
    step *= Math.max(1, size)
    return stride
  })
  return strides.reverse()
}

/**
 * The elements of a strided array in row-major order, in a new array.
 * @param strides in elements, one for each size of the shape
 * @param start index of the first element
 */
export function gather(
  values: Float32Array,
  shape: readonly number[],
  strides: readonly number[],
  start = 0,
): Float32Array {
  const axes = shape.map((size, i) => ({ size, stride: at(strides, i), index: 0 })).reverse()
  const [row, ...outer] = axes.length > 0 ? axes : [{ size: 1, stride: 0, index: 0 }]
  if (!row) throw new RangeError('an array has no axes')
  const gathered = new Float32Array(product(shape))
  for (let to = 0, from = start; to < gathered.length; ) {
    for (let i = 0; i < row.size; i++) gathered[to++] = values[from + i * row.stride] as number
    // To the next row: like an odometer, an axis that reaches its end returns to 0 and the next
    // one advances.
    for (const axis of outer) {
      from += axis.stride
      if (++axis.index < axis.size) break
      from -= axis.size * axis.stride
      axis.index = 0
    }
  }
  return gathered
}
