/** One tensor's entry as it lies in a header. */
export interface Entry {
  dtype: unknown
  shape: unknown
  data_offsets: unknown
}

/**
 * A safetensors file put together by hand: any header text, any bytes after it, the length as given
 * or as it is.
 */
export function assemble(
  header: string | Uint8Array,
  data: Uint8Array = new Uint8Array(),
  length?: bigint,
): Uint8Array {
  const text = typeof header === 'string' ? new TextEncoder().encode(header) : header
  const bytes = new Uint8Array(8 + text.length + data.length)
  new DataView(bytes.buffer).setBigUint64(0, length ?? BigInt(text.length), true)
  bytes.set(text, 8)
  bytes.set(data, 8 + text.length)
  return bytes
}

/** A file of one tensor `x` of the type and shape. */
export function single(dtype: string, shape: number[], data: Uint8Array): Uint8Array {
  return assemble(JSON.stringify({ x: { dtype, shape, data_offsets: [0, data.length] } }), data)
}

/** The header of a file, as text. */
export function headerOf(file: Uint8Array): string {
  const length = Number(new DataView(file.buffer, file.byteOffset).getBigUint64(0, true))
  return new TextDecoder().decode(file.subarray(8, 8 + length))
}

/** What the action throws, or fails the test. */
export function thrownBy(action: () => unknown): unknown {
  try {
    action()
  } catch (error) {
    return error
  }
  throw new Error('nothing was thrown')
}
