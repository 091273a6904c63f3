/** A tensor as the page holds it: float32, little-endian, in base64, perhaps only its beginning. */
export interface PackedTensor {
  readonly shape: readonly number[]
  /** How many values are kept, from the first. */
  readonly kept: number
  readonly data: string
}

/**
 * Packs a tensor's first values.
 * @param limit the most values to keep; whole rows of the first dimension, or of the first two, as
 * far as they fit
 */
export function packTensor(
  shape: readonly number[],
  values: Float32Array,
  limit: number,
): PackedTensor {
  const row = shape.slice(1).reduce((product, extent) => product * extent, 1)
  const inner = shape.slice(2).reduce((product, extent) => product * extent, 1)
  const unit = row <= limit ? row : inner
  const kept = values.length <= limit ? values.length : Math.floor(limit / unit) * unit
  const bytes = new Uint8Array(values.buffer, values.byteOffset, 4 * kept)
  let text = ''
  for (let at = 0; at < bytes.length; at += 8192)
    text += String.fromCharCode(...bytes.subarray(at, at + 8192))
  return { shape, kept, data: btoa(text) }
}

/**
 * A packed tensor's first `kept` values, row-major.
 * @example const filters = unpackTensor(inspection.tensors[call.tensors.weight])
 */
export function unpackTensor({ data }: PackedTensor): Float32Array {
  return new Float32Array(
    Uint8Array.from(atob(data), (character) => character.charCodeAt(0)).buffer,
  )
}
