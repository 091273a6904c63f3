/** Whether two arrays hold the same bytes: NaNs and signs of zero included. */
export function sameBits(a: Float32Array | undefined, b: Float32Array | undefined): boolean {
  const bytes = (array: Float32Array | undefined) =>
    array ? new Uint8Array(array.buffer, array.byteOffset, array.byteLength) : new Uint8Array(0)
  return Buffer.compare(bytes(a), bytes(b)) === 0
}
