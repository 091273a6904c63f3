/**
 * The SHA-256 of bytes, in lower-case hexadecimal.
 * @example await sha256(new Uint8Array(0)) // 'e3b0c442…'
 */
export async function sha256(bytes: ArrayBufferView): Promise<string> {
  const digest = new Uint8Array(
    await crypto.subtle.digest('SHA-256', bytes as ArrayBufferView<ArrayBuffer>),
  )
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('')
}
