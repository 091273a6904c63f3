import { WeightsError } from '../gpu/errors.ts'
import type { NamedArray } from '../tensor/stateDict.ts'

/** A name from a file, quoted so that a message stays one short line. */
export function quote(name: string): string {
  return JSON.stringify(name.length > 80 ? `${name.slice(0, 77)}...` : name)
}

/** Whether the text has half of a surrogate pair, which UTF-8 cannot carry and Rust's and Python's readers refuse. */
export function hasLoneSurrogate(text: string): boolean {
  return /\p{Surrogate}/u.test(text)
}

/** The number of elements, or null where that or the number of bytes is beyond what an integer holds exactly. */
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
  if (hasLoneSurrogate(name)) throw new WeightsError(`the tensor name ${quote(name)} is not valid Unicode; rename it`)
  if (!(data instanceof Float32Array)) throw new WeightsError(`tensor ${quote(name)}: its data are not a Float32Array; convert them`)
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
  if (typeof text !== 'string') throw new WeightsError(`metadata ${quote(key)} is of type ${typeof text}; give it as text`)
  if (hasLoneSurrogate(key) || hasLoneSurrogate(text))
    throw new WeightsError(`metadata ${quote(key)} is not valid Unicode; correct the text`)
}
