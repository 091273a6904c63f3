/** The checksum of ZIP and PNG. Source: RFC 1952, section 8, with eight bytes at a time. */
export function crc32(bytes: Uint8Array): number {
  let crc = 0xffffffff
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  let i = 0
  for (; i + 8 <= bytes.length; i += 8) {
    const low = crc ^ view.getUint32(i, true)
    const high = view.getUint32(i + 4, true)
    crc =
      entry(7, low) ^
      entry(6, low >>> 8) ^
      entry(5, low >>> 16) ^
      entry(4, low >>> 24) ^
      entry(3, high) ^
      entry(2, high >>> 8) ^
      entry(1, high >>> 16) ^
      entry(0, high >>> 24)
  }
  for (; i < bytes.length; i++) crc = (crc >>> 8) ^ entry(0, crc ^ view.getUint8(i))
  return ~crc >>> 0
}

/** Table `k` at the low byte of `index`: what that byte becomes when k zero bytes follow it. */
function entry(k: number, index: number): number {
  return tables[(k << 8) | (index & 255)] as number
}

const tables = makeTables()

function makeTables(): Uint32Array {
  const made = new Uint32Array(8 * 256)
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0)
    made[byte] = crc
  }
  for (let i = 256; i < made.length; i++) {
    const before = made[i - 256] as number
    made[i] = (before >>> 8) ^ (made[before & 255] as number)
  }
  return made
}
