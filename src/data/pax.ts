import { nameOf } from '../base/node/fileNames.ts'

/** What a pax header of a tar archive says about the next member, as far as it matters here. */
export interface Extension {
  readonly path?: string
  readonly size?: number
  /** Whether the member is stored without its zeros. */
  readonly sparse?: boolean
}

const [space, equals, newline] = [0x20, 0x3d, 0x0a]

/**
 * Reads the records of a pax header, each `length key=value` and a line break. A path may have
 * bytes that are no UTF-8, which is why they are read here.
 * @returns null if a record is damaged, or a size is no number that can be
 */
export function extensionOf(bytes: Buffer): Extension | null {
  const extension: { path?: string; size?: number; sparse?: boolean } = {}
  let named: string | undefined
  for (let start = 0; start < bytes.length && bytes[start] !== 0; ) {
    const keyStart = bytes.indexOf(space, start) + 1
    const length = Number(bytes.toString('latin1', start, keyStart))
    const end = start + length
    const valueStart = bytes.indexOf(equals, keyStart) + 1
    const isRecord =
      Number.isInteger(length) &&
      keyStart > start &&
      valueStart > keyStart &&
      valueStart < end &&
      bytes[end - 1] === newline
    if (!isRecord) return null
    const key = bytes.toString('latin1', keyStart, valueStart - 1)
    const value = bytes.subarray(valueStart, end - 1)
    if (key.startsWith('GNU.sparse.')) extension.sparse = true
    if (key === 'GNU.sparse.name') named = nameOf(value)
    if (key === 'path') extension.path = nameOf(value)
    if (key === 'size') {
      const size = value.toString('latin1')
      if (!/^\d+$/.test(size) || !Number.isSafeInteger(Number(size))) return null
      extension.size = Number(size)
    }
    start = end
  }
  // A sparse member's own path is a made-up one.
  return named === undefined ? extension : { ...extension, path: named }
}
